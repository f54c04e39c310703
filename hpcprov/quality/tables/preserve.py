"""Both versions of two tables in one: each row that either has, with both values of what differs.

    preserve("out.parquet", columns, matching, cells, options)

For a column `amount` that differs there are `amount` (of the first table), `amount-2` (of the second) and
`diff-amount`: second minus first for numbers, else whether they differ. `diff` says whether a row differs at all,
`status` how, `row` and `row-2` where it stands in the two tables. Rows are in the order of the first table, what was
inserted after the row that it follows.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from typing import Any, Protocol, TypeAlias

import numpy as np

from hpcprov.data import write_arrays, write_table
from hpcprov.data.interface import Field
from hpcprov.data.types import SIZES, Plain, Text, Type, plain
from hpcprov.data.values import NOT_A_TIME, Values
from hpcprov.data.write_over import is_arrays
from hpcprov.quality.diff.preserve import difference_type, subtracted
from hpcprov.quality.elements import Tolerance, is_number
from hpcprov.quality.tables.cells import told, unlike
from hpcprov.quality.tables.chains import Places
from hpcprov.quality.tables.columns import Columns, Pair
from hpcprov.quality.tables.differences import Differences
from hpcprov.quality.tables.hashing import flat_of, texts
from hpcprov.quality.tables.matching import Matching
from hpcprov.quality.tables.walk import gathered
from hpcprov.record.errors import HpcprovError

Facts: TypeAlias = dict[str, Any]

#: Rows that are written at once.
BLOCK = 1 << 16
STATUSES = ("same", "changed", "deleted", "inserted", "moved")
SAME, CHANGED, DELETED, INSERTED, MOVED = range(len(STATUSES))


class Wishes(Protocol):
    """What is asked of the file."""

    @property
    def force(self) -> bool: ...
    @property
    def tolerance(self) -> Tolerance: ...


def preserve(path: str, columns: Columns, matching: Matching, cells: Differences, wishes: Wishes) -> Facts:
    """Write the table; which columns differ in it. Nothing is written when nothing differs. Raises HpcprovError when
    something is at `path` already, or it is no name of a table."""
    rows = _rows(matching, cells)
    differing = [facts["path"] for facts in cells.fields if facts["differing"]]
    if not differing and not (rows.status != SAME).any():
        return {"path": None, "fields": [], "left_out": []}
    made = list(_columns(columns, cells, wishes.tolerance))
    if is_arrays(path):
        _write_arrays(path, rows, made, force=wishes.force)
    else:
        blocks = ([column.values(part) for column in made] for part in _parts(rows))
        write_table.write_table(path, [(column.name, column.type) for column in made], blocks, replace=wishes.force)
    left_out = [[pair.name, "its types cannot be compared"] for pair in columns.pairs if pair.hasher is None]
    return {"path": path, "fields": differing, "left_out": left_out}


@dataclass(frozen=True)
class _Rows:
    """Rows to write: where each stands in the two tables (-1: nowhere), and what has become of it."""

    one: Places
    other: Places
    status: Places

    def __len__(self) -> int:
        return len(self.one)


def _rows(matching: Matching, cells: Differences) -> _Rows:
    which = np.arange(matching.count)
    one, other = matching.pairs(which)
    gone, come = matching.deleted, matching.inserted
    nowhere = [np.full(len(places), -1) for places in (gone, come)]
    found = _Rows(
        np.concatenate([one, matching.moved_one, gone, nowhere[1]]),
        np.concatenate([other, matching.moved_other, nowhere[0], come]),
        np.concatenate(
            [
                np.where(cells.outside, CHANGED, SAME),
                np.full(len(matching.moved_one), MOVED),
                np.full(len(gone), DELETED),
                np.full(len(come), INSERTED),
            ]
        ),
    )
    place = np.where(found.one >= 0, found.one, -1)
    place[len(place) - len(come) :] = matching.before(come)
    order = np.lexsort((found.other, found.one < 0, place))
    return _Rows(found.one[order], found.other[order], found.status[order])


def _parts(rows: _Rows) -> Iterator[_Rows]:
    for start in range(0, max(1, len(rows)), BLOCK):
        part = slice(start, start + BLOCK)
        yield _Rows(rows.one[part], rows.other[part], rows.status[part])


@dataclass(frozen=True)
class _Column:
    """A column to write, and what gives its values for some rows."""

    name: str
    type: Type
    values: Callable[[_Rows], Values]


def _columns(columns: Columns, cells: Differences, within: Tolerance) -> Iterator[_Column]:
    taken = {pair.name for pair in columns.pairs}
    free = partial(_free, taken=taken)
    yield _Column(free("row"), plain("i8"), lambda rows: _counted(rows.one))
    yield _Column(free("row-2"), plain("i8"), lambda rows: _counted(rows.other))
    yield _Column(free("status"), Text(), lambda rows: np.array(STATUSES, object)[rows.status])
    yield _Column(free("diff"), plain("bool"), lambda rows: rows.status != SAME)
    for pair, facts in zip(columns.pairs, cells.fields, strict=True):
        if pair.hasher is not None:
            yield from _versions(pair, free, within) if facts["differing"] else _version(pair)


def _free(name: str, taken: set[str]) -> str:
    """A name that no column has."""
    while name in taken:
        name += "_"
    taken.add(name)
    return name


def _counted(places: Places) -> Values:
    return np.ma.MaskedArray(places + 1, mask=places < 0)


def _version(pair: Pair) -> Iterator[_Column]:
    """A column that is the same on both sides: of the second table where a row is only there."""
    kind = _common(pair.one.type, pair.other.type)
    if kind is None:
        yield _Column(pair.name, Text(), lambda rows: _text(pair, rows))
        return

    def values(rows: _Rows) -> Values:
        found, there = _values(pair.one, rows.one), _values(pair.other, np.where(rows.one < 0, rows.other, -1))
        data = np.where(rows.one < 0, np.ma.getdata(there), np.ma.getdata(found))
        return np.ma.MaskedArray(data, mask=np.ma.getmaskarray(found) & np.ma.getmaskarray(there))

    yield _Column(pair.name, kind, values)


def _common(one: Type, other: Type) -> Type | None:
    """The type that holds the cells of both; None where text has to."""
    if one.token == other.token and _is_plain(one):
        return _written(one)
    names = {one.text, other.text}
    if not names <= set(SIZES) - {"bf16", "c8", "c16", "bool"}:
        return None
    found = np.result_type(*names)
    return plain(f"{found.kind}{found.itemsize}")


def _text(pair: Pair, rows: _Rows) -> Values:
    old, new = _told(pair.one, rows.one), _told(pair.other, np.where(rows.one < 0, rows.other, -1))
    data = np.where(rows.one < 0, np.ma.getdata(new), np.ma.getdata(old))
    return np.ma.MaskedArray(data, mask=np.ma.getmaskarray(old) & np.ma.getmaskarray(new))


def _versions(pair: Pair, free: Callable[[str], str], within: Tolerance) -> Iterator[_Column]:
    """Both versions of a column, and their difference."""
    yield _one_sided(pair.name, pair.one, lambda rows: rows.one)
    yield _one_sided(free(f"{pair.name}-2"), pair.other, lambda rows: rows.other)
    kind = difference_type(pair.one.type, pair.other.type)
    kind = plain("bool") if kind.text == "c16" else kind

    def difference(rows: _Rows) -> Values:
        both = (rows.one >= 0) & (rows.other >= 0)
        old, new = gathered(pair.one, rows.one[both]), gathered(pair.other, rows.other[both])
        found = np.zeros(len(rows), np.bool_ if kind.text == "bool" else kind.text)
        missing = ~both
        if kind.text == "bool":
            found[both] = unlike(pair, old, new, within).differs
        else:
            found[both] = subtracted(old, pair.one.type, new, pair.other.type, kind, len(old))
            missing[both] = np.ma.getmaskarray(old) | np.ma.getmaskarray(new)
        return np.ma.MaskedArray(found, mask=missing)

    yield _Column(free(f"diff-{pair.name}"), kind, difference)


def _one_sided(name: str, field: Field, places: Callable[[_Rows], Places]) -> _Column:
    if not _is_plain(field.type):
        return _Column(name, Text(), lambda rows: _told(field, places(rows)))
    return _Column(name, _written(field.type), lambda rows: _values(field, places(rows)))


def _told(field: Field, places: Places) -> Values:
    found = np.full(len(places), None, object)
    there = places >= 0
    found[there] = [None if cell is None else str(cell) for cell in told(gathered(field, places[there]), field.type)]
    return np.ma.MaskedArray(found, mask=np.fromiter((cell is None for cell in found), np.bool_, len(found)))


def _is_plain(kind: Type) -> bool:
    """Whether cells are one value each that every form of table has."""
    return isinstance(kind, Text) or (
        isinstance(kind, Plain) and (is_number(kind) or kind.text[:2] in ("M8", "m8")) and kind.text[0] != "c"
    )


def _written(kind: Type) -> Type:
    return Text() if kind.text == "str" else kind


def _values(field: Field, places: Places) -> Values:
    """The cells of these rows; missing where there is no row. Text as bytes."""
    there = places >= 0
    flat, missing = flat_of(gathered(field, places[there]))
    if isinstance(field.type, Text):
        kept = np.empty(len(flat), object)
        kept[:] = texts(flat, field.type)
        flat = kept
    found = np.zeros(len(places), flat.dtype) if flat.dtype.kind != "O" else np.full(len(places), b"", object)
    found[there] = flat
    gone = ~there
    if missing is not None:
        gone[there] = missing
    return np.ma.MaskedArray(found, mask=gone)


def _write_arrays(path: str, rows: _Rows, made: Sequence[_Column], *, force: bool) -> None:
    """The table as arrays of one length: missing numbers become NaN or 0, text empty, times none."""
    if not len(rows):
        raise HpcprovError(f"{path!a}: no rows to write")
    with write_arrays.write_arrays(path, replace=force) as out:
        for column in made:
            put, start = out.create(column.name.replace("/", "_"), column.type, (len(rows),)), 0
            for part in _parts(rows):
                put(((start, start + len(part)),), _without_mask(column.values(part), column.type))
                start += len(part)


def _without_mask(values: Values, kind: Type) -> Values:
    if kind.text[:2] in ("M8", "m8") and np.ma.isMaskedArray(values):
        counts = np.ma.getdata(values).astype(np.int64, copy=True)
        counts[np.ma.getmaskarray(values)] = NOT_A_TIME
        return counts
    if isinstance(kind, Text) and np.ma.isMaskedArray(values):
        return np.asarray(values.filled(""), object)
    return values
