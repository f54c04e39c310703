"""Coordinates: constraints between neighbours of a one-dimensional field, whose blocks come in their order.

    {"order": "increasing", "step": 0.25}        an axis in steps of a quarter; an element violates it together with
    {"step": "86400 s"}, {"step": true}          the one before. true: any step, as long as it is always the same
    {"max_gap": "86400 s"}                       no gaps: neighbours are never farther apart

Missing elements are passed over: their neighbours become neighbours, so a step over one of them is a wrong step.
Floats may be off by 1e-9 of the step, and by what rounding the elements themselves does.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.constraints.blocks import Block, Flags, Reader
from hpcprov.quality.constraints.bounds import as_json, of_duration
from hpcprov.quality.constraints.checks import Check
from hpcprov.quality.constraints.file import Constraint

RELATIVE = 1e-9
ORDERS = {
    "increasing": np.greater, "non-decreasing": np.greater_equal, "decreasing": np.less,
    "non-increasing": np.less_equal, "constant": np.equal,
}  # fmt: skip


class Neighbours(Check):
    """What each element is to the one before it."""

    last: NDArray[Any] | None = None

    def bad(self, block: Block) -> Flags | None:
        flags = np.zeros(block.count, np.bool_)
        at = np.arange(block.count) if block.missing is None else np.flatnonzero(~block.missing)
        if not at.size:
            return None
        values = (np.array(block.values, object) if type(block.values) is list else block.values)[at]
        chain = values if self.last is None else np.concatenate([self.last, values])
        self.last = values[-1:].copy()
        wrong = ~self.fits(chain[:-1], chain[1:])
        flags[at[len(at) - len(wrong) :]] = wrong
        return flags

    def rewind(self) -> None:
        self.last = None

    def fits(self, one: NDArray[Any], other: NDArray[Any]) -> Flags:
        """Whether each of `other` may follow the element of `one`."""
        raise NotImplementedError


class Order(Neighbours):
    def fits(self, one: NDArray[Any], other: NDArray[Any]) -> Flags:
        return np.asarray(ORDERS[self.value](other, one), np.bool_)


class Step(Neighbours):
    """step and max_gap: how far neighbours are apart."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader) -> None:
        super().__init__(kind, constraint, reader)
        self.wanted = None if constraint.value is True else difference(constraint.value, reader)
        if self.wanted is None and constraint.value is not True:
            self.reason = f"its type is {reader.field.type.text}"

    def fits(self, one: NDArray[Any], other: NDArray[Any]) -> Flags:
        apart = differences(one, other)
        if self.wanted is None:
            if not len(apart):
                return np.ones(0, np.bool_)
            self.wanted = apart[0]
        slack = _slack(one, other, abs(float(self.wanted)))
        wanted = float(self.wanted) if apart.dtype.kind == "f" else self.wanted
        if self.kind == "max_gap":
            return np.asarray(np.abs(apart) <= wanted + slack, np.bool_)
        return np.asarray(np.abs(apart - wanted) <= slack if apart.dtype.kind == "f" else apart == wanted, np.bool_)


def difference(value: Any, reader: Reader) -> Any:
    """A step of the file in what elements count; None where they cannot have it."""
    if reader.family in ("date", "duration"):
        exact = of_duration(value, reader.field.type) if type(value) is str else None
        return int(exact) if exact is not None and exact == int(exact) else exact
    return value if reader.family in ("int", "real", "bool") and type(value) in (int, float) else None


def differences(one: NDArray[Any], other: NDArray[Any]) -> NDArray[Any]:
    """other - one; of integers exactly, as Python integers where 64 bits may not do."""
    if one.dtype.kind == "f":
        with np.errstate(all="ignore"):
            return other.astype(np.float64) - one.astype(np.float64)
    if not one.size:
        return np.zeros(0, np.int64)
    largest = max(np.abs(values.astype(np.float64)).max() for values in (one, other))
    exact: Any = np.int64 if one.dtype.itemsize < 8 or largest < 2**61 else object
    return np.asarray(other.astype(exact) - one.astype(exact))


def _slack(one: NDArray[Any], other: NDArray[Any], step: float) -> Any:
    if one.dtype.kind != "f":
        return 0
    size = np.maximum(np.abs(one), np.abs(other)).astype(np.float64)
    return RELATIVE * step + 2 * float(np.finfo(one.dtype).eps) * np.where(np.isfinite(size), size, 0)


def step_text(value: Any, reader: Reader) -> Any:
    """A difference as the file has it."""
    family = "duration" if reader.family == "date" else reader.family
    return as_json(value, family, reader.field.type)
