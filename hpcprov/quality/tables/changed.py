"""Pairs the rows that were changed: of what is left between equal rows, those that have most of their cells in common.

    pair_changed(matching, pairs)      # rows that were deleted here and inserted there become one changed row

Within a gap a column whose cells stand once on both sides tells which row is which, as a key would; the columns with
the most different cells come first. Then gaps with as many rows on both sides are paired in order, and small ones in
the way that leaves the most cells as they are. Rows that have too little in common stay deleted and inserted.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import partial

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.tables import align
from hpcprov.quality.tables.align import Gaps, Matches
from hpcprov.quality.tables.chains import Places, heaviest
from hpcprov.quality.tables.columns import Pair
from hpcprov.quality.tables.hashing import Words
from hpcprov.quality.tables.matching import Flags, Matching
from hpcprov.quality.tables.walk import Kept, gathered, in_threads, words_at

#: Cells of all open rows that are held at once; of more columns a part has to do.
MOST_CELLS = 32 << 20
#: Cells of all columns that are kept once they are read.
MOST_KEPT = 1 << 20
#: Columns that are tried as a key.
MOST_KEYS = 8
#: Rows of one side times those of the other, of a gap and of all, that are compared each with each.
SMALL_GAP, MOST_TRIED = 1 << 12, 1 << 18


def pair_changed(matching: Matching, pairs: Sequence[Pair], *, threads: int = 1) -> Kept:
    """Add the changed rows to the matches; what was read for it, as far as it is little."""
    open_one, open_other = _flags(matching.rows[0], matching.deleted), _flags(matching.rows[1], matching.inserted)
    found = Matches(*matching.rows, matching.one, matching.other)
    gaps = found.gaps(open_one, open_other)
    if not len(gaps.one) or not pairs:
        return Kept()
    kept = Kept()
    sheet = _sheet(gaps, pairs, threads, kept)
    search = _Search(found, open_one, open_other, sheet)
    for column in sheet.likely_keys():
        search.by_column(column)
    search.in_order()
    search.each_with_each()
    _merge(matching, search)
    return kept


def _flags(rows: int, places: Places) -> Flags:
    flags = np.zeros(rows, np.bool_)
    flags[places] = True
    return flags


@dataclass(frozen=True)
class _Sheet:
    """Words of the cells of open rows, shape (columns, rows); `one` and `other` are those rows, in order."""

    one: Places
    other: Places
    words_one: Words
    words_other: Words

    @property
    def columns(self) -> int:
        return len(self.words_one)

    def likely_keys(self) -> list[int]:
        """The columns with the most different cells first."""
        different = [len(np.unique(words)) for words in self.words_one]
        order = sorted(range(self.columns), key=lambda at: -different[at])
        return [at for at in order if different[at] > 1 or len(self.one) == 1][:MOST_KEYS]

    def at(self, one: Places, other: Places) -> tuple[Places, Places]:
        """Where rows lie in the sheet."""
        return np.searchsorted(self.one, one), np.searchsorted(self.other, other)

    def alike(self, one: Places, other: Places) -> NDArray[np.int64]:
        """How many cells are equal in each pair of rows."""
        mine, theirs = self.at(one, other)
        count = np.zeros(len(one), np.int64)
        for left, right in zip(self.words_one, self.words_other, strict=True):
            count += left[mine] == right[theirs]
        return count

    def matrix(self, one: Places, other: Places) -> NDArray[np.int64]:
        """The same for each of some rows with each of others."""
        mine, theirs = self.at(one, other)
        count = np.zeros((len(one), len(other)), np.int64)
        for left, right in zip(self.words_one, self.words_other, strict=True):
            count += left[mine][:, None] == right[theirs][None, :]
        return count


def _sheet(gaps: Gaps, pairs: Sequence[Pair], threads: int, kept: Kept) -> _Sheet:
    few = (len(gaps.one) + len(gaps.other)) * len(pairs) <= MOST_KEPT
    most = max(4, MOST_CELLS // (len(gaps.one) + len(gaps.other)))
    chosen = [pairs[at] for at in np.unique(np.linspace(0, len(pairs) - 1, min(most, len(pairs))).astype(int))]

    def read(pair: Pair) -> tuple[Words, Words]:
        assert pair.hasher is not None
        sides = ((pair.one, pair.hasher.one, gaps.one), (pair.other, pair.hasher.other, gaps.other))
        if not few:
            return tuple(words_at(*side) for side in sides)  # type: ignore[return-value]
        for number, (field, _, rows) in enumerate(sides):
            kept.cells[number, field.path] = rows, gathered(field, rows)
        return tuple(hashed(kept.cells[at, field.path][1]) for at, (field, hashed, _) in enumerate(sides))  # type: ignore[return-value]

    columns = in_threads(read, chosen, threads)
    return _Sheet(gaps.one, gaps.other, np.array([left for left, _ in columns]), np.array([one for _, one in columns]))


class _Search:
    """Matches of changed rows as they are found."""

    def __init__(self, found: Matches, open_one: Flags, open_other: Flags, sheet: _Sheet) -> None:
        self.found, self.open_one, self.open_other, self.sheet = found, open_one, open_other, sheet
        self.one: list[Places] = []
        self.other: list[Places] = []

    def gaps(self) -> Gaps:
        return self.found.gaps(self.open_one, self.open_other)

    def add(self, one: Places, other: Places) -> None:
        self.found.add(one, other)
        self.one.append(one)
        self.other.append(other)

    def keep(self, one: Places, other: Places, least: float) -> None:
        """Of pairs in order those with at least this part of their cells equal, as far as none crosses another."""
        enough = self.sheet.alike(one, other) >= least * self.sheet.columns
        self.add(*heaviest(one[enough], other[enough]))

    def by_column(self, column: int) -> None:
        gaps = self.gaps()
        if not len(gaps.one):
            return
        mine, theirs = self.sheet.at(gaps.one, gaps.other)
        words = np.concatenate([self.sheet.words_one[column][mine], self.sheet.words_other[column][theirs]])
        codes = np.unique(words, return_inverse=True)[1].reshape(-1).astype(np.int64)
        span = len(words) + 1
        left, right = gaps.of_one * span + codes[: len(mine)], gaps.of_other * span + codes[len(mine) :]
        at, to = align.once(left, right)
        order = np.argsort(at, kind="stable")
        self.keep(gaps.one[at[order]], gaps.other[to[order]], 1 / 3)

    def in_order(self) -> None:
        """Gaps with as many rows on both sides: the first with the first."""
        gaps = self.gaps()
        if not len(gaps.one):
            return
        (_, sizes), (_, others) = align.segments(gaps.of_one), align.segments(gaps.of_other)
        same = sizes == others
        one, other = gaps.one[np.repeat(same, sizes)], gaps.other[np.repeat(same, others)]
        # A row alone in its gap is sooner the same row; of one column nothing is left that could be equal.
        alone = np.repeat(sizes[same] == 1, sizes[same])
        for which, least in ((alone, 1 / 3), (~alone, 1 / 2)):
            self.keep(one[which], other[which], 0.0 if self.sheet.columns == 1 else least)

    def each_with_each(self) -> None:
        gaps, tried = self.gaps(), 0
        (firsts, sizes), (other_firsts, other_sizes) = align.segments(gaps.of_one), align.segments(gaps.of_other)
        for gap in np.flatnonzero(sizes * other_sizes <= SMALL_GAP).tolist():
            tried += int(sizes[gap] * other_sizes[gap])
            if tried > MOST_TRIED:
                break
            one = gaps.one[firsts[gap] : firsts[gap] + sizes[gap]]
            other = gaps.other[other_firsts[gap] : other_firsts[gap] + other_sizes[gap]]
            kept = _best(self.sheet.matrix(one, other), self.sheet.columns)
            self.add(one[[at for at, _ in kept]], other[[to for _, to in kept]])


def _best(alike: NDArray[np.int64], columns: int) -> list[tuple[int, int]]:
    """The pairs in order with the most equal cells, of those that have half of them equal (Needleman and Wunsch)."""
    cells = np.where(2 * alike >= columns, alike, 0)
    best = np.zeros((cells.shape[0] + 1, cells.shape[1] + 1), np.int64)
    for at, row in enumerate(cells):
        taken = best[at, :-1] + row
        best[at + 1, 1:] = np.maximum.accumulate(np.maximum(taken, best[at, 1:]))
    kept, at, to = [], cells.shape[0], cells.shape[1]
    while at and to:
        if best[at, to] == best[at - 1, to]:
            at -= 1
        elif best[at, to] == best[at, to - 1]:
            to -= 1
        else:
            at, to = at - 1, to - 1
            kept.append((at, to))
    return kept[::-1]


def _merge(matching: Matching, search: _Search) -> None:
    join = partial(np.concatenate, dtype=np.int64)
    one, other = join([matching.one, *search.one]), join([matching.other, *search.other])
    changed = np.ones(len(one), np.bool_)
    changed[: len(matching.one)] = matching.changed
    order = np.argsort(one, kind="stable")
    matching.one, matching.other, matching.changed = one[order], other[order], changed[order]
