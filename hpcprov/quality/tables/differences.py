"""Counts the cells that differ between rows that belong together, column by column, with bounded memory.

found = differences(columns, matching, Tolerance(rtol=1e-6))
found.fields[0]["differing"], found.rows.sum()
"""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass
from threading import Lock
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.interface import Field
from hpcprov.quality.elements import Compared, Tolerance
from hpcprov.quality.tables.cells import unlike, without_value
from hpcprov.quality.tables.chains import Places
from hpcprov.quality.tables.columns import Columns, Pair
from hpcprov.quality.tables.matching import Flags, Matching
from hpcprov.quality.tables.walk import Kept, in_threads, steps
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

SAME, WITHIN, DIFFERENT, UNLIKE = "same", "within", "different", "incomparable"
#: Bytes of cells of one column that are compared at once, and the most rows.
BATCH, MOST = 32 << 20, 1 << 20


@dataclass(frozen=True)
class Differences:
    """Facts about each pair of columns; of each match whether its `rows` differ at all, and beyond the tolerance."""

    fields: list[Facts]
    rows: Flags
    outside: Flags


def differences(
    columns: Columns,
    matching: Matching,
    within: Tolerance | None = None,
    *,
    same: Collection[bytes] = (),
    kept: Kept | None = None,
    threads: int = 1,
    watch: Watch | None = None,
) -> Differences:
    """Compare the cells of matches that may differ: all of them where equal words do not mean equal cells. Columns
    that are known to be the `same` are not read."""
    coarse = any(pair.hasher is not None and pair.hasher.coarse for pair in columns.pairs)
    rows, outside = np.zeros(matching.count, np.bool_), np.zeros(matching.count, np.bool_)
    lock, known = Lock(), kept or Kept()

    def compare(pair: Pair) -> Facts:
        tally = _Tally(pair)
        if pair.hasher is None or pair.one.path in same:
            return tally.facts(matching.count)
        for which in matching.batches(_most(pair), every=coarse):
            one, other = matching.pairs(which)
            values, others = known.gathered(0, pair.one, one), known.gathered(1, pair.other, other)
            found = unlike(pair, values, others, within or Tolerance())
            tally.add(found, one, other, values, others)
            with lock:
                rows[which] |= found.differs
                outside[which] |= found.outside
            if watch is not None:
                watch.add(len(which) * (pair.one.width + pair.other.width))
        return tally.facts(matching.count)

    if watch is not None:
        count = matching.count if coarse else int(matching.changed.sum())
        watch.expect(count * sum(pair.one.width + pair.other.width for pair in columns.compared))
    return Differences(in_threads(compare, columns.pairs, threads), rows, outside)


def _most(pair: Pair) -> int:
    """Rows of a batch, whole blocks of the columns."""
    step = max(steps(pair.one), steps(pair.other))
    most = max(1, min(MOST, BATCH // max(1, pair.one.width, pair.other.width)))
    return max(step, most // step * step)


class _Tally:
    """What has been found so far about one pair of columns."""

    def __init__(self, pair: Pair) -> None:
        self.pair = pair
        self.differing = self.outside = 0
        self.first: list[int] | None = None
        self.outside_first = False
        self.max_abs: float | None = None
        self.max_rel: float | None = None
        self.where: list[int] | None = None
        self.without: dict[str, list[int]] = {}

    def add(self, found: Compared, one: Places, other: Places, values: Any, others: Any) -> None:
        differing, outside = int(found.differs.sum()), int(found.outside.sum())
        if not differing:
            return
        if outside and not self.outside_first:
            self.first, self.outside_first = _place(one, other, int(found.outside.argmax())), True
        elif self.first is None:
            self.first = _place(one, other, int(found.differs.argmax()))
        self.differing, self.outside = self.differing + differing, self.outside + outside
        self._measure(found, one, other)
        self._count_without(found.differs, values, others)

    def _measure(self, found: Compared, one: Places, other: Places) -> None:
        if found.apart is None or found.relative is None:
            return
        differing = np.flatnonzero(found.differs)
        apart, relative = found.apart[differing], found.relative[differing]
        if not np.isnan(apart).all():
            at = int(np.nanargmax(apart))
            if self.max_abs is None or apart[at] > self.max_abs:
                self.max_abs, self.where = float(apart[at]), _place(one, other, int(differing[at]))
        if not np.isnan(relative).all():
            self.max_rel = max(self.max_rel or 0.0, float(np.nanmax(relative)))

    def _count_without(self, differs: Flags, values: Any, others: Any) -> None:
        """Cells that are missing, NaN or empty on one side only."""
        for side, kind, cells in ((0, self.pair.one.type, values), (1, self.pair.other.type, others)):
            for word, flags in without_value(cells[differs], kind).items():
                if flags.any():
                    self.without.setdefault(word, [0, 0])[side] += int(flags.sum())

    @property
    def status(self) -> str:
        if self.pair.hasher is None:
            return UNLIKE
        return DIFFERENT if self.outside else WITHIN if self.differing else SAME

    def facts(self, count: int) -> Facts:
        """All that is known, with `count` cells on either side."""
        pair = self.pair
        return {
            "path": pair.name,
            "other_path": pair.other.name if pair.renamed else None,
            "status": self.status,
            "reason": _reason(pair),
            "types": [pair.one.type.text[:200], pair.other.type.text[:200]],
            "count": count,
            "differing": self.differing,
            "outside": self.outside,
            "max_abs": _finite(self.max_abs),
            "max_rel": _finite(self.max_rel),
            "where": self.where,
            "first": self.first,
            "without": self.without,
            "shift": None,
        }


def _finite(number: float | None) -> float | str | None:
    return number if number is None or np.isfinite(number) else str(number)


def _reason(pair: Pair) -> str | None:
    one, other = pair.one.type, pair.other.type
    if pair.hasher is None:
        return f"{one.text[:200]} cannot be compared with {other.text[:200]}"
    if pair.hasher.note is not None:
        return pair.hasher.note[:300]
    return None if one.text == other.text else f"{one.text[:100]} against {other.text[:100]}: compared by value"


def _place(one: Places, other: Places, at: int) -> list[int]:
    """The rows on both sides, counted from 1."""
    return [int(one[at]) + 1, int(other[at]) + 1]


def one_sided(field: Field, status: str) -> Facts:
    """Facts about a column that only one table has: `missing` in the other, or `new` there."""
    reason = "only in the first table" if status == "missing" else "only in the second table"
    empty = dict.fromkeys(("count", "differing", "outside", "max_abs", "max_rel", "where", "first", "shift"))
    types = [field.type.text[:200], None] if status == "missing" else [None, field.type.text[:200]]
    about = {"path": field.name, "other_path": None, "status": status, "reason": reason, "types": types}
    return {**about, **empty, "without": {}}
