"""The first differences with the rows around them, as a page shows them: a few rows and columns as plain values.

    context(columns, matching, cells, options)
    ->  {"columns": ["id", "amount"], "hunks": [[{"sign": "~", "one": 3, "other": 3, "cells": [[7], [1.5, 2.5]]}]],
         "more": 0}

Signs: `=` equal, `~` changed (two values where a cell is), `-` deleted, `+` inserted, `<` moved away, `>` moved here.
"""

from __future__ import annotations

from collections.abc import Sequence
from math import ceil, floor
from typing import Any, Protocol, TypeAlias

import numpy as np

from hpcprov.quality.elements import Tolerance
from hpcprov.quality.tables.cells import Cell, told, unlike
from hpcprov.quality.tables.chains import Places
from hpcprov.quality.tables.columns import Columns, Pair
from hpcprov.quality.tables.differences import Differences
from hpcprov.quality.tables.matching import Matching
from hpcprov.quality.tables.places import breaks
from hpcprov.quality.tables.walk import gathered

Facts: TypeAlias = dict[str, Any]

EQUAL, CHANGED, DELETED, INSERTED, AWAY, HERE = "=~-+<>"
#: Columns and rows that are told.
MOST_COLUMNS, MOST_ROWS = 12, 300


class Wishes(Protocol):
    """What is asked of the context."""

    @property
    def key(self) -> Sequence[str]: ...
    @property
    def context(self) -> int: ...
    @property
    def places(self) -> int: ...
    @property
    def tolerance(self) -> Tolerance: ...


def context(columns: Columns, matching: Matching, cells: Differences, wishes: Wishes) -> Facts:
    """The first `places` differences with `context` rows before and after each."""
    around = min(wishes.context, MOST_ROWS // 4)
    edits = _Edits(matching, cells, wishes.places + 1, around)
    first = edits.first[: wishes.places]
    hunks, left = [], MOST_ROWS
    for low, high in _windows(first, around, matching.rows[0]):
        hunk = [row for row in edits.rows(low, high) if around or row["sign"] != EQUAL][:left]
        left -= len(hunk)
        if hunk:
            hunks.append(hunk)
    chosen = _chosen(columns, cells, wishes.key)
    _fill(hunks, chosen, wishes.tolerance)
    names = [pair.name for pair in chosen]
    return {"columns": names, "hunks": hunks, "more": len(columns.pairs) - len(chosen)}


def _chosen(columns: Columns, cells: Differences, key: Sequence[str]) -> list[Pair]:
    """The columns to show, in their order: those of the key, those that differ, then others."""
    differing = [bool(facts["differing"]) for facts in cells.fields]
    ranks = [
        (pair.name not in key, not differs, at)
        for at, (pair, differs) in enumerate(zip(columns.pairs, differing, strict=True))
        if pair.hasher is not None
    ]
    return [columns.pairs[at] for at in sorted(at for _, _, at in sorted(ranks)[:MOST_COLUMNS])]


def _windows(positions: Sequence[float], around: int, rows: int) -> list[tuple[int, int]]:
    """Ranges of rows of the first table, -1 being what stands before them, that hold the positions; those that touch
    are one."""
    windows: list[tuple[int, int]] = []
    for position in positions:
        low, high = max(-1, floor(position) - around), min(rows - 1, ceil(position) + around - (position % 1 > 0))
        if windows and low <= windows[-1][1] + 1:
            windows[-1] = windows[-1][0], max(high, windows[-1][1])
        else:
            windows.append((low, max(low, high)))
    return windows


class _Edits:
    """The first `most` differences, by where they are in the first table: a row of the second stands half a row after
    the one before it. Of rows that were deleted, inserted or moved together the first one stands for all."""

    def __init__(self, matching: Matching, cells: Differences, most: int, around: int) -> None:
        self.matching, self.outside, self.around = matching, cells.outside, around
        changed = matching.pairs(np.flatnonzero(cells.outside)[:most])[0]
        self.away = dict(zip(matching.moved_one.tolist(), matching.moved_other.tolist(), strict=True))
        self.inserted = _by_row(matching, matching.inserted[: most + MOST_ROWS])
        order = np.argsort(matching.moved_other, kind="stable")
        here, origin = matching.moved_other[order], matching.moved_one[order]
        self.origin = dict(zip(here[: most + MOST_ROWS].tolist(), origin.tolist(), strict=False))
        self.here = _by_row(matching, here[: most + MOST_ROWS])
        gone, away = matching.deleted, matching.moved_one
        starts = [changed, gone[breaks(gone)[:most]], away[breaks(away, matching.moved_other)[:most]]]
        come = matching.inserted
        new = come[breaks(come)[:most]], here[breaks(here, origin)[:most]]
        positions = [*starts, *(matching.before(rows) + 0.5 for rows in new)]
        self.first = sorted(float(position) for found in positions for position in found)[:most]

    def rows(self, low: int, high: int) -> list[Facts]:
        """The rows of a window, without their cells."""
        found = []
        for row in range(low, high + 1):
            if row >= 0:
                found.append(self._row(row))
            others = self._begun(self.inserted.get(row, [])) + self._begun(self.here.get(row, []))
            found += [
                _facts(HERE, self.origin[other], other) if other in self.origin else _facts(INSERTED, None, other)
                for other in sorted(others)
            ]
        return found

    def _begun(self, others: list[int]) -> list[int]:
        """The first rows of each run."""
        begins = [at for at, other in enumerate(others) if not at or other != others[at - 1] + 1]
        ends = [*begins[1:], len(others)]
        return [
            other
            for begin, end in zip(begins, ends, strict=False)
            for other in others[begin : min(end, begin + 1 + self.around)]
        ]

    def _row(self, row: int) -> Facts:
        match = self.matching.match_of(row)
        if match is not None:
            other = int(self.matching.pairs(np.array([match]))[1][0])
            return _facts(CHANGED if self.outside[match] else EQUAL, row, other)
        return _facts(AWAY, row, self.away[row]) if row in self.away else _facts(DELETED, row, None)


def _by_row(matching: Matching, others: Places) -> dict[int, list[int]]:
    """Rows of the second table by the row of the first that they follow."""
    found: dict[int, list[int]] = {}
    for row, other in zip(matching.before(others).tolist(), others.tolist(), strict=True):
        found.setdefault(row, []).append(other)
    return found


def _facts(sign: str, one: int | None, other: int | None) -> Facts:
    count = [None if row is None else row + 1 for row in (one, other)]
    return {"sign": sign, "one": count[0], "other": count[1], "cells": []}


def _fill(hunks: list[list[Facts]], pairs: Sequence[Pair], within: Tolerance) -> None:
    """Read the cells of all rows: those of the second table where a row is only there."""
    rows = [row for hunk in hunks for row in hunk]
    old = [row for row in rows if row["sign"] in (EQUAL, CHANGED, DELETED, AWAY)]
    new = [row for row in rows if row["sign"] in (INSERTED, HERE)]
    changed = [row for row in rows if row["sign"] == CHANGED]
    for pair in pairs:
        for row, cell in zip(old, _cells(pair, 0, old), strict=True):
            row["cells"].append([cell])
        for row, cell in zip(new, _cells(pair, 1, new), strict=True):
            row["cells"].append([cell])
        if changed:
            values = gathered(pair.one, _places(changed, 0)), gathered(pair.other, _places(changed, 1))
            differ = unlike(pair, *values, within).outside.tolist()
            for row, cell, differs in zip(changed, told(values[1], pair.other.type), differ, strict=True):
                row["cells"][-1] += [cell] if differs else []


def _places(rows: list[Facts], side: int) -> Places:
    return np.array([row[("one", "other")[side]] - 1 for row in rows], np.int64)


def _cells(pair: Pair, side: int, rows: list[Facts]) -> list[Cell]:
    field = (pair.one, pair.other)[side]
    return told(gathered(field, _places(rows, side)), field.type)
