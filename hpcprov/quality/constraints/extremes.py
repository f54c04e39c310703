"""Constraints on the smallest and largest elements of a field, or the lengths of its texts: min, max, sign, lengths.

    check = Bound("max", Constraint(100.0), reader)
    for block in blocks: check.look(block)           # from several threads
    check.ok, check.tally.count, check.found()       ->  False, 2, 117.5

A block whose smallest and largest elements are within bounds costs no look at its elements.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.constraints.blocks import NUMERIC, Block, Reader
from hpcprov.quality.constraints.bounds import above, below, bound_for
from hpcprov.quality.constraints.checks import Check, Flags
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.kinds import LARGEST_NUMBER


class Extreme(Check):
    """A constraint on the smallest and largest elements."""

    low: Any = None
    high: Any = None

    def bad(self, block: Block) -> Flags | None:
        low, high = self.extremes(block)
        if low is None:
            return None
        with self.lock:
            self.low = low if self.low is None else min(low, self.low)
            self.high = high if self.high is None else max(high, self.high)
        return self.outside(block, low, high)

    def extremes(self, block: Block) -> tuple[Any, Any]:
        if type(block.values) is not list:
            return block.low, block.high
        present = _present_of(block)
        return (min(present), max(present)) if present else (None, None)

    def outside(self, block: Block, low: Any, high: Any) -> Flags | None:
        raise NotImplementedError


class Bound(Extreme):
    """min or max. A fuzzy one, TDDA's default, lets pass what lies beyond it by no more than its part `epsilon`."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader, *, epsilon: float = 0.0) -> None:
        super().__init__(kind, constraint, reader)
        self.strict = constraint.precision == "open"
        self.bound = bound_for(constraint.value, reader.family, reader.field.type)
        fuzzy = constraint.precision in (None, "fuzzy") and reader.family in NUMERIC
        if fuzzy and epsilon and type(self.bound) in (int, float) and abs(self.bound) <= LARGEST_NUMBER:
            self.bound += (1 if kind == "max" else -1) * epsilon * abs(self.bound)

    def outside(self, block: Block, low: Any, high: Any) -> Flags | None:
        found = low if self.kind == "min" else high
        beyond = found < self.bound if self.kind == "min" else found > self.bound
        if not beyond and not (self.strict and found == self.bound):
            return None
        if type(block.values) is list:
            return block.there(self._texts(block.values))
        outside = below if self.kind == "min" else above
        return block.there(outside(block.values, self.bound, strict=self.strict))

    def _texts(self, texts: list[str]) -> Flags:
        if self.kind == "min":
            flags = (text <= self.bound if self.strict else text < self.bound for text in texts)
        else:
            flags = (text >= self.bound if self.strict else text > self.bound for text in texts)
        return np.fromiter(flags, np.bool_, len(texts))

    def found(self) -> Any:
        value = self.low if self.kind == "min" else self.high
        return None if value is None else self.shown(value)


#: sign: what violates it.
SIGNS: dict[str, Callable[[NDArray[Any]], Flags]] = {
    "positive": lambda values: values <= 0,
    "non-negative": lambda values: values < 0,
    "zero": lambda values: values != 0,
    "non-positive": lambda values: values > 0,
    "negative": lambda values: values >= 0,
    "null": lambda values: np.ones(len(values), np.bool_),
}


class Sign(Extreme):
    def outside(self, block: Block, low: Any, high: Any) -> Flags | None:
        ends = np.asarray([low, high]) if isinstance(low, float) else np.asarray([_sign(low), _sign(high)])
        bad = SIGNS[self.value]
        return block.there(bad(block.values)) if bad(ends).any() else None

    def found(self) -> Any:
        if self.low is None:
            return None
        worst = self.high if self.value in ("non-positive", "negative") or self.low == 0 else self.low
        return self.shown(worst)


def _sign(number: int) -> int:
    return (number > 0) - (number < 0)


class Length(Extreme):
    """min_length or max_length of texts, in code points."""

    def extremes(self, block: Block) -> tuple[Any, Any]:
        sizes = [len(text) for text in _present_of(block)]
        return (min(sizes), max(sizes)) if sizes else (None, None)

    def outside(self, block: Block, low: Any, high: Any) -> Flags | None:
        if low >= self.value if self.kind == "min_length" else high <= self.value:
            return None
        sizes = np.fromiter(map(len, block.values), np.int64, block.count)
        return block.there(sizes < self.value if self.kind == "min_length" else sizes > self.value)

    def found(self) -> Any:
        return self.low if self.kind == "min_length" else self.high


def _present_of(block: Block) -> list[str]:
    if block.missing is None:
        return list(block.values)
    return [text for text, gone in zip(block.values, block.missing.tolist(), strict=True) if not gone]
