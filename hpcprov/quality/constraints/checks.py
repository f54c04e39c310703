"""One constraint held against the blocks of a field: which elements violate it, how many, and what was found.

    check = Finite("finite", Constraint(True), reader)
    for block in blocks: check.look(block)           # from several threads
    check.ok, check.tally.count                      ->  False, 2

What a constraint means is
TDDA's: missing elements violate max_nulls alone; a bound that elements of this type cannot be compared with is violated
by every element; where all are missing, min, max and sign are kept.
"""

from __future__ import annotations

from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.constraints.blocks import NUMERIC, Block, Reader
from hpcprov.quality.constraints.bounds import as_json, bound_for
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.places import Tally

Flags: TypeAlias = NDArray[np.bool_]

ORDERED = (*NUMERIC, "date", "duration")


class Check:
    """The constraint of a kind, of the field that `reader` reads."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader) -> None:
        self.kind, self.constraint, self.value, self.reader = kind, constraint, constraint.value, reader
        self.tally, self.lock = Tally(), Lock()
        #: Why the field cannot have what the constraint is about, or why it was not checked.
        self.reason: str | None = None

    @property
    def ok(self) -> bool:
        return self.reason is None and not self.tally.count

    def look(self, block: Block) -> Flags | None:
        """Count what violates the constraint in a block. The elements, None when there is none."""
        flags = self.bad(block)
        if flags is None or not flags.any():
            return None
        self.tally.add(block, flags, self.shown)
        return flags

    def bad(self, block: Block) -> Flags | None:
        raise NotImplementedError

    def flags(self, block: Block) -> Flags | None:
        """Which elements violate it, once all is counted."""
        return self.bad(block)

    def rewind(self) -> None:
        """The blocks come once more, from the first one on."""

    def wants_more(self) -> bool:
        """Whether the blocks have to be shown once more, now that all were."""
        return False

    def has_enough(self) -> bool:
        """Whether the rest of the blocks need not be shown in such a further walk."""
        return False

    def shown(self, value: Any) -> Any:
        return as_json(value, self.reader.family, self.reader.field.type)

    def found(self) -> Any:
        """What was found instead, where one value says it."""
        return None


class Incomparable(Check):
    """A bound that no element of this type can keep."""

    def bad(self, block: Block) -> Flags | None:
        return block.present()

    def found(self) -> Any:
        return f"type {self.reader.family}"


class Nulls(Check):
    """max_nulls: so many missing elements are allowed."""

    def bad(self, block: Block) -> Flags | None:
        return block.missing

    @property
    def ok(self) -> bool:
        return self.tally.count <= float(self.value)

    def found(self) -> Any:
        return self.tally.count


class Allowed(Check):
    """allowed_values: nothing else."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader) -> None:
        super().__init__(kind, constraint, reader)
        bounds = (bound_for(value, reader.family, reader.field.type) for value in constraint.value)
        self.allowed = {bound for bound in bounds if bound is not None}
        self.list: NDArray[Any] | None = None

    def bad(self, block: Block) -> Flags | None:
        if type(block.values) is list:
            return block.there(np.fromiter((text not in self.allowed for text in block.values), np.bool_, block.count))
        if block.low is None or (block.low == block.high and block.low in self.allowed):
            return None
        return block.there(~np.isin(block.values, self._as(block.values.dtype)))

    def _as(self, dtype: np.dtype[Any]) -> NDArray[Any]:
        """The values that elements of this type can have."""
        if self.list is None:
            fitting = [value for value in self.allowed if not below_or_above(dtype, value)]
            self.list = np.asarray(fitting, dtype)
        return self.list


def below_or_above(dtype: np.dtype[Any], value: Any) -> bool:
    """Whether no element of the type equals the value."""
    if dtype.kind != "f":
        bounds = np.iinfo(dtype)
        return value != value // 1 or not bounds.min <= value <= bounds.max
    with np.errstate(all="ignore"):
        try:
            return bool(dtype.type(float(value)).item() != value)
        except OverflowError:
            return True


class Finite(Check):
    """finite: no infinities. (NaN is missing: max_nulls.)"""

    def bad(self, block: Block) -> Flags | None:
        if block.low is None or (np.isfinite(block.low) and np.isfinite(block.high)):
            return None
        return block.there(np.isinf(block.values))


class WholeNumbers(Check):
    """type int or bool, where the field has floats: all of them must be whole, as TDDA has it unless it is strict."""

    def bad(self, block: Block) -> Flags | None:
        if block.low is None:
            return None
        return block.there(~(np.isfinite(block.values) & (np.trunc(block.values) == block.values)))

    def found(self) -> Any:
        return "real"
