"""Two tables compared: which rows belong together, and which of their cells differ.

    with open_data("old.csv") as one, open_data("new.parquet") as other:
        facts = compare_tables(one, other, key=["id"])
    facts["counts"]   ->  {"same": 99, "changed": 1, "deleted": 0, "inserted": 2, "moved": 0}

Rows belong together by their number, by a key, or by their content: rows that both tables have in common, in order,
tell where others were deleted, inserted, changed or moved. Without a wish they go by number when there are as many of
them, and by content when there are not, or when that explains the difference with less than half as many rows. The
first table counts as right: |b - a| <= atol + rtol * |a|. docs/diff-tables.md has the keys of the answer.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from hpcprov.data.interface import Dataset
from hpcprov.data.write_over import check_place
from hpcprov.quality.elements import Tolerance
from hpcprov.quality.tables import differences as cells
from hpcprov.quality.tables.changed import pair_changed
from hpcprov.quality.tables.columns import Columns, Pair, pair_columns
from hpcprov.quality.tables.context import context
from hpcprov.quality.tables.differences import Differences, Facts, differences, one_sided
from hpcprov.quality.tables.digests import Digests, row_digests
from hpcprov.quality.tables.matching import ByNumber, Matching, by_content, by_key
from hpcprov.quality.tables.places import moved_blocks, runs
from hpcprov.quality.tables.preserve import preserve
from hpcprov.quality.tables.shifts import shift_of
from hpcprov.quality.tables.walk import Kept, rows_of
from hpcprov.quality.tables.words import words_of
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.watch import Watch

#: Rows of both tables together that are matched by key or content: that takes about 100 bytes for each.
MOST_ROWS = 1 << 28
#: Rows of both tables that are looked for elsewhere without being asked to: 1 GiB.
FEW_ROWS = 1 << 24
#: Tables of fewer rows are sooner compared than threads started.
SMALL = 1 << 14
#: So many of the rows differ before it is tried whether they only lie elsewhere.
WORTH = 0.1
#: And so many rows must be unlike all others: of a table with few different rows everything seems to be elsewhere.
DISTINCT = 0.5
#: So many of a column's cells differ before it is looked whether they all moved.
SHIFTED = 0.5
AUTO, NUMBER, CONTENT, KEY = "auto", "number", "content", "key"


@dataclass
class Options:
    """How tables are compared: `key` names columns, `rows` is auto, number or content; at most `places` of each kind
    of difference are told, with `context` rows around. Columns of `same` are known to be equal row by row. `preserve`
    is a path to write both versions to, which may be there already with `force`."""

    key: Sequence[str] = ()
    rows: str = AUTO
    rtol: float = 0.0
    atol: float = 0.0
    ulp: int | None = None
    nan_differs: bool = False
    context: int = 3
    places: int = 20
    same: Collection[bytes] = ()
    preserve: str | None = None
    force: bool = False
    threads: int = 1
    watch: Watch = field(default_factory=Watch)

    @property
    def tolerance(self) -> Tolerance:
        return Tolerance(self.rtol, self.atol, self.ulp, self.nan_differs)


@dataclass
class Found:
    """What is known when the rows are matched and their cells compared."""

    how: str
    matching: Matching
    cells: Differences
    keys: Facts | None = None

    def counts(self) -> dict[str, int]:
        """Rows of each kind; `same` are also those that differ within the tolerance."""
        changed = int(self.cells.outside.sum())
        counts = {"same": self.matching.count - changed, "changed": changed, "deleted": len(self.matching.deleted)}
        return {**counts, "inserted": len(self.matching.inserted), "moved": len(self.matching.moved_one)}

    def edits(self) -> int:
        counts = self.counts()
        return sum(counts.values()) - counts["same"]


def is_table(dataset: Dataset) -> bool:
    """Whether all fields are columns of one length."""
    shapes = {item.shape for item in dataset.fields}
    return dataset.kind == "table" or (len(shapes) == 1 and len(next(iter(shapes)) or ()) == 1)


def compare_tables(one: Dataset, other: Dataset, **wishes: Any) -> Facts:
    """What differs, as plain values; `wishes` are those of Options. Raises HpcprovError for a key that is no column of
    both, and what the readers raise."""
    options = Options(**wishes)
    if options.preserve is not None:
        check_place(options.preserve, replace=options.force)
    rows = row_count(one), row_count(other)
    if sum(rows) < SMALL:
        options.threads = 1
    untyped = "csv" in (one.format, other.format)
    columns = pair_columns(one.fields, other.fields, options.tolerance, untyped=untyped, watch=options.watch)
    found = match(columns, rows, options)
    facts = facts_of(columns, found, options)
    if options.preserve is not None:
        facts["preserved"] = preserve(options.preserve, columns, found.matching, found.cells, options)
    return facts


def row_count(dataset: Dataset) -> int:
    return rows_of(dataset.fields[0]) if dataset.fields else 0


def match(columns: Columns, rows: tuple[int, int], options: Options) -> Found:
    """The rows that belong together, and what differs in them."""
    if options.key:
        return _by_key(columns, rows, options)
    if not columns.compared or _is_by_number(rows, options):
        return _by_number(columns, ByNumber(rows), options)
    _check_size(rows)
    if options.rows == AUTO and rows[0] == rows[1] and (options.same or any(options.tolerance)):
        # Fewer columns are read this way; and what is within the tolerance in its place is not looked for elsewhere.
        found = _by_number(columns, ByNumber(rows), options)
        if not _is_worth(int(found.cells.outside.sum()), rows):
            return found
    digests = _digests(columns.compared, rows, options)
    if options.rows == CONTENT or rows[0] != rows[1]:
        matching, kept = _aligned(columns, digests, options)
        return Found(CONTENT, matching, _compared(columns, matching, options, kept=kept))
    changed = digests.differing()
    differing = int(changed.sum())
    if _is_worth(differing, rows) and digests.distinct >= DISTINCT:
        matching, kept = _aligned(columns, digests, options)
        if 2 * matching.edits <= differing:
            return Found(CONTENT, matching, _compared(columns, matching, options, kept=kept))
    return _by_number(columns, ByNumber(rows, changed), options)


def _is_by_number(rows: tuple[int, int], options: Options) -> bool:
    """Whether it was asked for, or there are too many rows to look for them elsewhere without being asked."""
    return options.rows == NUMBER or (options.rows == AUTO and rows[0] == rows[1] and sum(rows) > FEW_ROWS)


def _is_worth(differing: int, rows: tuple[int, int]) -> bool:
    """Whether so many rows differ in their places that they may only be elsewhere."""
    return 2 <= differing >= WORTH * rows[0]


def _by_number(columns: Columns, matching: ByNumber, options: Options) -> Found:
    same = options.same if matching.rows[0] == matching.rows[1] else ()
    found = _compared(columns, matching, options, same=same)
    for pair, facts in zip(columns.pairs, found.fields, strict=True):
        if facts["outside"] and facts["outside"] > SHIFTED * matching.count:
            facts["shift"] = shift_of(pair)
    return Found(NUMBER, matching, found)


def _aligned(columns: Columns, digests: Digests, options: Options) -> tuple[Matching, Kept]:
    """The rows that belong together by their content, and cells that were read to find out."""
    matching = by_content(digests)
    return matching, pair_changed(matching, columns.compared, threads=options.threads)


def _by_key(columns: Columns, rows: tuple[int, int], options: Options) -> Found:
    _check_size(rows)
    keys = [_key_column(columns, name) for name in options.key]
    rest = [pair for pair in columns.compared if pair not in keys]
    found = _digests([_exactly(pair) for pair in keys], rows, options)
    matching = by_key(found, _digests(rest, rows, options))
    return Found(KEY, matching, _compared(columns, matching, options), _about_keys(options.key, found))


def _check_size(rows: tuple[int, int]) -> None:
    if sum(rows) > MOST_ROWS:
        raise HpcprovError(
            f"{sum(rows)} rows are more than this version matches",
            hint="hpcprov diff --rows number compares them by number",
        )


def _key_column(columns: Columns, name: str) -> Pair:
    pair = next((pair for pair in columns.pairs if pair.name == name), None)
    if pair is None:
        raise HpcprovError(f"the key {name!a} is not a column of both tables")
    if pair.hasher is None:
        raise HpcprovError(f"the key {name!a} is {pair.one.type.text} here and {pair.other.type.text} there")
    return pair


def _exactly(pair: Pair) -> Pair:
    """The pair without a tolerance: keys are the same or not."""
    return replace(pair, hasher=words_of(pair.one.type, pair.other.type))


def _digests(pairs: Sequence[Pair], rows: tuple[int, int], options: Options) -> Digests:
    return row_digests(pairs, rows, threads=options.threads, watch=options.watch)


def _compared(columns: Columns, matching: Matching, options: Options, **more: Any) -> Differences:
    return differences(columns, matching, options.tolerance, threads=options.threads, watch=options.watch, **more)


def _about_keys(names: Sequence[str], found: Digests) -> Facts:
    """How many keys stand in several rows, on either side, and how many rows those are."""
    repeated = []
    for lanes in (found.one, found.other):
        counts = np.unique(lanes.first, return_counts=True)[1]
        repeated.append([int((counts > 1).sum()), int(counts[counts > 1].sum())])
    return {"columns": list(names), "repeated": repeated}


def facts_of(columns: Columns, found: Found, options: Options) -> Facts:
    """The answer as plain values."""
    matching, counts = found.matching, found.counts()
    fields = found.cells.fields + [one_sided(item, "missing") for item in columns.only_one]
    fields += [one_sided(item, "new") for item in columns.only_other]
    return {
        "kind": "table",
        "status": status_of(counts, fields, found),
        "rows": list(matching.rows),
        "by": found.how,
        "key": found.keys,
        "reordered": columns.reordered,
        "counts": counts,
        "copies": list(matching.copies),
        "fields": fields,
        "deleted": runs(matching.deleted, options.places),
        "inserted": runs(matching.inserted, options.places),
        "moved": moved_blocks(matching.moved_one, matching.moved_other, options.places),
        "preserved": None,
        "context": context(columns, found.matching, found.cells, options),
    }


def status_of(counts: dict[str, int], fields: list[Facts], found: Found) -> str:
    """same, within (the tolerance) or different; types and the order of columns are told, and no difference."""
    if found.edits() or any(item["status"] in (cells.UNLIKE, "missing", "new") for item in fields):
        return cells.DIFFERENT
    renamed = any(item["other_path"] is not None for item in fields)
    return cells.DIFFERENT if renamed else cells.WITHIN if found.cells.rows.any() else cells.SAME
