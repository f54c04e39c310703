"""All constraints of one field, each with what holds it against the field.

    one = FieldCheck(field, constraints.fields["depth"], {"units": "m"})
    for unit in one.units(Watch()): unit()
    one.facts()["status"]                     ->  "OK"

Type, shape and attributes decide some at once; the others look at every block of the elements.
"""

from __future__ import annotations

from collections.abc import Iterator
from functools import partial
from math import prod
from typing import Any, TypeAlias

from hpcprov.data.attributes import missing_values
from hpcprov.data.interface import Field, lengths
from hpcprov.quality.constraints.blocks import NUMERIC, Block, Reader
from hpcprov.quality.constraints.bounds import bound_for
from hpcprov.quality.constraints.checks import ORDERED, Allowed, Check, Finite, Incomparable, Nulls, WholeNumbers
from hpcprov.quality.constraints.duplicates import NoDuplicates
from hpcprov.quality.constraints.extremes import Bound, Length, Sign
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.kinds import ANY, KINDS
from hpcprov.quality.constraints.rex import Rex
from hpcprov.quality.constraints.sequence import Order, Step
from hpcprov.quality.constraints.units import Unit
from hpcprov.signature.deadline import check as in_time
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

OK, FAILED = "OK", "FAILED"
TEXT_ONLY = ("min_length", "max_length", "rex")
#: Kinds that are about the neighbours on an axis.
COORDINATES = ("order", "step", "max_gap")
SWITCHES = ("no_duplicates", "finite")


class FieldCheck:
    """All constraints of one field: those that its type, shape and attributes decide, and those that take a look at its
    elements."""

    def __init__(
        self,
        field: Field,
        constraints: dict[str, Constraint],
        attributes: dict[str, Any],
        *,
        csv: bool = False,
        strict: bool = False,
        epsilon: float = 0.0,
    ) -> None:
        self.field, self.constraints, self.attributes = field, constraints, attributes
        self.strict, self.epsilon = strict, epsilon
        kinds = constraints.keys()
        in_order = not kinds.isdisjoint(COORDINATES)
        missing = missing_values(attributes, field.type)
        # An empty cell of CSV is missing to whoever writes constraints, in columns of text, too.
        self.reader = Reader(
            field, missing=missing, empty_is_missing=csv, whole=in_order or "no_duplicates" in kinds
        )  # fmt: skip
        self.deadline: float | None = None
        self.told: dict[str, Facts] = {}
        self.checks: list[Check] = []
        for kind in KINDS:
            if kind in constraints:
                self._add(kind, constraints[kind])
        rank = None if field.shape is None else len(field.shape)
        #: Tables are read best column by column; neighbours have to come one after the other.
        self.in_turn = rank == 1
        self.in_main_thread = any(isinstance(check, Rex) for check in self.checks)

    @property
    def octets(self) -> int:
        return self.reader.count * self.field.width if self.checks else 0

    def _add(self, kind: str, constraint: Constraint) -> None:
        plain = self._plain(kind, constraint.value)
        if plain is not None:
            self.told[kind] = plain
        else:
            self.checks.append(self._check(kind, constraint))

    def _plain(self, kind: str, value: Any) -> Facts | None:
        """What type, shape and attributes alone decide."""
        family, field = self.reader.family, self.field
        if kind == "type":
            return self._type(value)
        if kind == "dtype":
            return _told(field.type.text == value, field.type.text)
        if kind == "shape":
            return _told(has_shape(field.shape, value), list(field.shape) if field.shape is not None else None)
        if kind == "units":
            return _told(self.attributes.get("units") == value, self.attributes.get("units"))
        if kind in TEXT_ONLY and family != "string":
            return _told(False, None, f"its type is {field.type.text}, not text")
        if kind in COORDINATES and (field.shape is None or len(field.shape) != 1):
            return _told(False, None, "it has no single axis")
        if kind in SWITCHES and value is False:
            return _told(True, None)
        return None

    def _type(self, value: Any) -> Facts | None:
        wanted, family = value if type(value) is list else [value], self.reader.family
        if family in wanted:
            return _told(True, family)
        if not self.strict and family == "real" and {"int", "bool"} & set(wanted):
            return None  # all of its elements must be whole numbers
        return _told(False, family)

    def _check(self, kind: str, constraint: Constraint) -> Check:
        family = self.reader.family
        if kind == "type":
            return WholeNumbers(kind, constraint, self.reader)
        if kind in ("min", "max"):
            if bound_for(constraint.value, family, self.field.type) is not None:
                return Bound(kind, constraint, self.reader, epsilon=self.epsilon)
            return Incomparable(kind, constraint, self.reader)
        if kind == "sign":
            return (Sign if family in NUMERIC else Incomparable)(kind, constraint, self.reader)
        if kind == "allowed_values":
            known = family in (*ORDERED, "string")
            return (Allowed if known else Incomparable)(kind, constraint, self.reader)
        if kind == "finite":
            return (Finite if family == "real" else Nothing)(kind, constraint, self.reader)
        if kind in COORDINATES:
            known = family in ORDERED or (kind == "order" and family == "string")
            make = (Order if kind == "order" else Step) if known else Incomparable
            return make(kind, constraint, self.reader)
        return OTHERS[kind](kind, constraint, self.reader)

    def violated(self) -> list[Check]:
        """The checks that elements have failed."""
        return [check for check in self.checks if check.tally.count and not check.ok]

    def units(self, watch: Watch) -> Iterator[Unit]:
        """What there is to do: boxes in any order, or all in their order."""
        if not self.checks:
            return
        if self.in_turn:
            yield partial(self._all, watch)
        else:
            for box in self.reader.boxes():
                yield partial(self._box, box, self.checks, watch)

    def _all(self, watch: Watch) -> None:
        for box in self.reader.boxes():
            self._box(box, self.checks, watch)
        self.again()

    def again(self) -> None:
        """Walk once more for the checks that want it, until none does."""
        while wanting := [check for check in self.checks if check.wants_more()]:
            for box in self.reader.boxes():
                if all(check.has_enough() for check in wanting):
                    break
                self._box(box, wanting, Watch())

    def _box(self, box: Any, checks: list[Check], watch: Watch) -> None:
        for block in self.reader.blocks(box):
            in_time(self.deadline)
            for check in checks:
                check.look(block)
        watch.add(prod(lengths(box)) * self.field.width)

    def facts(self) -> Facts:
        told = self.told | {check.kind: _of_check(check) for check in self.checks}
        results = [result_of(kind, self.constraints[kind], told[kind]) for kind in KINDS if kind in told]
        status = OK if all(result["ok"] for result in results) else FAILED
        return {"path": self.field.name, "status": status, "constraints": results}


class Nothing(Check):
    """Kept by every element of this type."""

    def bad(self, block: Block) -> None:
        return None


OTHERS: dict[str, type[Check]] = {
    "min_length": Length, "max_length": Length, "max_nulls": Nulls, "no_duplicates": NoDuplicates, "rex": Rex,
}  # fmt: skip


def has_shape(shape: tuple[int, ...] | None, wanted: list[Any]) -> bool:
    """Whether an array has the wanted extents; null or `*` stands for any."""
    if shape is None or len(shape) != len(wanted):
        return False
    return all(want in ANY or want == extent for extent, want in zip(shape, wanted, strict=True))


def result_of(kind: str, constraint: Constraint, told: Facts) -> Facts:
    """A constraint and what became of it."""
    return {"constraint": kind, "value": _shown(constraint), **told}


def refused(reason: str) -> Facts:
    """What became of a constraint that cannot be held against anything."""
    return _told(False, None, f"not read: {reason}")


def _of_check(check: Check) -> Facts:
    facts = _told(check.ok, check.found(), check.reason)
    if not check.ok and check.tally.count:
        facts |= {"count": check.more if isinstance(check, NoDuplicates) else check.tally.count}
        facts |= {"places": check.tally.places()}
    return facts


def _told(ok: bool, found: Any, reason: str | None = None) -> Facts:
    return {"ok": bool(ok), "found": found, "count": None, "places": [], "reason": reason}


def _shown(constraint: Constraint) -> Any:
    if constraint.precision is None:
        return constraint.value
    return {"value": constraint.value, "precision": constraint.precision}
