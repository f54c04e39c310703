"""Constraints that data keeps, found in its statistics and, of texts, coordinates and outliers, in a closer look.

    with open_data("iris.csv") as data:
        found = discover(data)
    found.fields["petal_width"]  ->  {"type": "real", "min": 0.1, "max": 2.5, "sign": "positive", "max_nulls": 0}

Of tables the rules are TDDA's, kind by kind, so that its file would be the same. Arrays have the same kinds and, beside
them, their exact type and shape, whether all is finite, their units, and of coordinates order, step or largest gap.
Data keeps what was discovered from it; but for outliers that were to be left out, and these are told.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from functools import partial
from typing import Any, TypeAlias

from hpcprov.data.attributes import Attributes, missing_values
from hpcprov.data.interface import Dataset, Field
from hpcprov.quality.constraints.blocks import NUMERIC, Reader
from hpcprov.quality.constraints.bounds import as_json, bound_for, microseconds
from hpcprov.quality.constraints.closer import Texts, Trimmed, extremes_within, fences_of, gap_of, texts_of
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.kinds import LONGEST_TEXT, TYPES
from hpcprov.quality.constraints.rex import NoRexpy, Rex, patterns_of
from hpcprov.quality.constraints.sequence import Step, step_text
from hpcprov.quality.constraints.units import work_off
from hpcprov.quality.names import matches
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

#: Texts with at most so many different values get a list of them (TDDA's MAX_CATEGORIES).
CATEGORIES = 20


@dataclass(frozen=True)
class Options:
    """`fields`: globs of those that are wanted, all for none; `growing`: names or numbers of axes of any extent."""

    rex: bool = True
    exclude_outliers: bool = False
    fields: tuple[str, ...] = ()
    growing: tuple[str, ...] = ()


@dataclass
class Found:
    """Constraints by field, elements that were left out as outliers, and what could not be done."""

    fields: dict[str, Facts] = field(default_factory=dict)
    excluded: list[Facts] = field(default_factory=list)
    notes: list[str] = field(default_factory=list)
    rows: int | None = None

    def as_json(self) -> Facts:
        return {"fields": self.fields, "excluded": self.excluded, "notes": self.notes, "rows": self.rows}


def discover(
    data: Dataset,
    *,
    attributes: Attributes | None = None,
    dimensions: dict[str, list[str]] | None = None,
    options: Options | None = None,
    threads: int = 1,
    watch: Watch | None = None,
) -> Found:
    """What the fields keep. `dimensions` are the names of their axes, where they have such. Raises what the data's
    readers raise."""
    from hpcprov.quality.statistics import statistics_of

    options, attributes = options or Options(), attributes or Attributes()
    wanted = [one for one in data.fields if is_wanted(one.name, options.fields)]
    part = Dataset(data.format, tuple(wanted), kind=data.kind)
    counted = statistics_of(part, attributes, threads=threads, watch=watch)
    found = Found(rows=next((one.shape[0] for one in wanted if one.shape), 0) if data.kind == "table" else None)
    subjects = [
        Subject(
            one, counted[one.name], attributes.fields.get(one.name, {}), table=data.kind == "table",
            csv=data.format == "csv", axes=(dimensions or {}).get(one.name) or [], options=options,
        )
        for one in wanted
    ]  # fmt: skip
    work_off((partial(one.look, found) for one in subjects), threads)
    for one in subjects:
        found.fields[one.field.name] = dict(one.constraints(found))
    return found


def is_wanted(name: str, patterns: Iterable[str]) -> bool:
    """Whether a field is one of those that were asked for."""
    patterns = tuple(patterns)
    return not patterns or matches(name, patterns)


class Subject:
    """One field, its statistics, and what a closer look has found."""

    def __init__(
        self,
        target: Field,
        counted: Facts,
        attributes: Facts,
        *,
        table: bool,
        csv: bool,
        axes: list[str],
        options: Options,
    ) -> None:
        self.field, self.counted, self.attributes = target, counted, attributes
        self.table, self.axes, self.options = table, axes, options
        self.reader = Reader(
            target, missing=missing_values(attributes, target.type), empty_is_missing=csv, whole=self.line(target)
        )
        self.family = self.reader.family
        self.texts: Texts | None = None
        self.gap: Any = None
        self.steps = False
        self.trimmed: Trimmed | None = None

    @staticmethod
    def line(target: Field) -> bool:
        return target.shape is not None and len(target.shape) == 1

    @property
    def count(self) -> int:
        return self.reader.count

    @property
    def missing(self) -> int:
        return int(self.counted.get("missing") or 0) if self.texts is None else self.texts.missing

    def look(self, found: Found) -> None:
        """Take the closer look that this field is worth."""
        if self.family == "string" and self.count:
            self.texts = texts_of(self.reader)
        elif not self.table and self.is_coordinate():
            self._measure()
        if self.options.exclude_outliers and self.family in ("int", "real", "date") and self.count:
            fences = fences_of(self.reader)
            self.trimmed = None if fences is None else extremes_within(self.reader, fences)

    def is_coordinate(self) -> bool:
        """Whether neighbours on the only axis follow an order."""
        ordered = self.counted.get("order") not in (None, "none", "constant")
        return ordered and self.line(self.field) and self.count > 1 and self.family in (*NUMERIC, "date", "duration")

    def _measure(self) -> None:
        step = self.counted.get("step")
        if step is not None and step != 0:
            check = Step("step", Constraint(step), self.reader)
            for box in self.reader.boxes():
                for block in self.reader.blocks(box):
                    check.look(block)
            self.steps = check.ok
        if not self.steps:
            self.gap = gap_of(self.reader)

    def constraints(self, found: Found) -> Iterator[tuple[str, Any]]:
        """The field's constraints, in the order in which TDDA writes them."""
        if self.family in TYPES:
            yield "type", self.family
        yield from self._bounds(found)
        if self.texts is not None and self.texts.shortest is not None:
            yield "min_length", self.texts.shortest
            yield "max_length", self.texts.longest
        if self.count and self.missing < 2:
            yield "max_nulls", self.missing
        yield from self._values(found)
        yield from self._array()

    def _bounds(self, found: Found) -> Iterator[tuple[str, Any]]:
        """min, max and sign. An infinite bound is none."""
        if self.family not in (*NUMERIC, "date"):
            return
        low, high = self._extremes(found)
        if low is None:
            if self.count and self.family != "date":
                yield "sign", "null"
            return
        for kind, value in (("min", low), ("max", high)):
            if abs(value) != float("inf") and kind != self._ahead():
                if self.family == "date":
                    value = microseconds(value, self.field.type, up=kind == "max")
                yield kind, as_json(value, self.family, self.field.type)
        if self.family in ("int", "real"):
            yield from (("sign", name) for name in [_sign(low, high)] if name is not None)

    def _ahead(self) -> str | None:
        """The bound of a coordinate that a growing axis passes: there is none."""
        if not self.table and self.is_coordinate() and self._shape(self.field.shape or ()) == [None]:
            return "max" if self.counted["order"] in ("increasing", "non-decreasing") else "min"
        return None

    def _extremes(self, found: Found) -> tuple[Any, Any]:
        """The smallest and the largest element, as Python has them; without outliers where these are left out."""
        ends = [self.counted.get("min"), self.counted.get("max")]
        bounds = [None if end is None else bound_for(end, self.family, self.field.type) for end in ends]
        low, high = (int(bound) if self.family == "date" and bound is not None else bound for bound in bounds)
        if self.trimmed is None or not self.trimmed.count:
            return low, high
        shown = partial(as_json, family=self.family, kind=self.field.type)
        kept = [None if end is None else shown(end) for end in (self.trimmed.low, self.trimmed.high)]
        found.excluded.append({
            "path": self.field.name, "count": self.trimmed.count, "min": ends[0], "max": ends[1], "kept": kept,
            "places": self.trimmed.places,
        })  # fmt: skip
        return self.trimmed.low, self.trimmed.high

    def _values(self, found: Found) -> Iterator[tuple[str, Any]]:
        """no_duplicates, allowed_values and rex, of integers and texts."""
        texts, present = self.texts, self.count - self.missing
        if texts is None:
            if self.family == "int" and self.counted.get("duplicates") == 0 and present > 1:
                yield "no_duplicates", True
            return
        distinct = self._distinct(texts)
        if distinct == present and present > 1:
            yield "no_duplicates", True
        elif texts.values and len(texts.values) <= CATEGORIES and max(map(len, texts.values)) <= LONGEST_TEXT:
            yield "allowed_values", sorted(texts.values)
        if self.options.rex and present:
            patterns = self._patterns(texts, found)
            if patterns:
                yield "rex", patterns

    def _distinct(self, texts: Texts) -> int | None:
        """How many different texts there are that are not missing."""
        if texts.values is not None:
            return len(texts.values)
        distinct = self.counted.get("distinct")
        if distinct is None:
            return None
        return int(distinct) - int(texts.missing > (self.counted.get("missing") or 0))  # empty cells of CSV are a text

    def _patterns(self, texts: Texts, found: Found) -> list[str] | None:
        """Patterns that all texts match. rexpy sees some of them, so all are held against what it finds."""
        try:
            patterns = patterns_of(texts.sample)
        except NoRexpy as error:
            if error.message not in found.notes:
                found.notes.append(error.message)
            return None
        if patterns is None or texts.values is not None:
            return patterns
        check = Rex("rex", Constraint(patterns), self.reader)
        for box in self.reader.boxes():
            for block in self.reader.blocks(box):
                check.look(block)
        return patterns if check.ok else None

    def _array(self) -> Iterator[tuple[str, Any]]:
        """What arrays have beside the kinds of tables; of a table the type of a column that TDDA has no word for."""
        if not self.table or self.family not in TYPES:
            yield "dtype", self.field.type.text
        if self.table:
            return
        if self.field.shape is not None:
            yield "shape", self._shape(self.field.shape)
        if self.family == "real" and self.counted.get("infinite") == 0 and self.count > self.missing:
            yield "finite", True
        if self.is_coordinate():
            yield "order", self.counted["order"]
            if self.steps:
                yield "step", self.counted["step"]
            elif self.gap is not None and self.gap == self.gap and abs(self.gap) != float("inf"):
                yield "max_gap", step_text(self.gap, self.reader)
        units = self.attributes.get("units")
        if isinstance(units, str) and len(units) <= LONGEST_TEXT:
            yield "units", units

    def _shape(self, shape: tuple[int, ...]) -> list[int | None]:
        growing = self.options.growing
        names = self.axes if len(self.axes) == len(shape) else [""] * len(shape)
        return [
            None if (name and name in growing) or str(axis) in growing else extent
            for axis, (name, extent) in enumerate(zip(names, shape, strict=True))
        ]


def _sign(low: Any, high: Any) -> str | None:
    if low == high == 0:
        return "zero"
    if low >= 0:
        return "positive" if low > 0 else "non-negative"
    if high <= 0:
        return "negative" if high < 0 else "non-positive"
    return None
