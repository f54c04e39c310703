"""Which row of one table is which of the other: matched, deleted, inserted or moved.

    found = by_content(digests)
    found.one, found.other          # rows that belong together, in order of the first table
    found.changed                   # of those, which differ in a cell

Rows are numbered from 0 here, and from 1 wherever they are shown.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.tables.align import align, kth
from hpcprov.quality.tables.chains import Places
from hpcprov.quality.tables.digests import Digests, Lanes

Flags: TypeAlias = NDArray[np.bool_]

MOVING = 0.25
NONE = np.empty(0, np.int64)


@dataclass
class Matching:
    """`one[k]` belongs to `other[k]`, in increasing order of `one`, and may differ from it where `changed`; the rows
    `moved_one[k]` and `moved_other[k]` are equal, too, but out of order. All others are deleted or inserted."""

    rows: tuple[int, int]
    one: Places
    other: Places
    changed: Flags
    moved_one: Places = field(default_factory=lambda: NONE)
    moved_other: Places = field(default_factory=lambda: NONE)
    #: Of the deleted and of the inserted rows those that the other table has, too, but not as often.
    copies: tuple[int, int] = (0, 0)

    @property
    def count(self) -> int:
        """How many rows belong together, the moved ones apart."""
        return len(self.one)

    @property
    def deleted(self) -> Places:
        return _rest(self.rows[0], self.one, self.moved_one)

    @property
    def inserted(self) -> Places:
        return _rest(self.rows[1], self.other, self.moved_other)

    @property
    def edits(self) -> float:
        """How much it takes to make the second table of the first: to move a row is less than to change it."""
        return float(self.changed.sum()) + len(self.deleted) + len(self.inserted) + MOVING * len(self.moved_one)

    def pairs(self, which: Places) -> tuple[Places, Places]:
        """The rows on both sides of these matches."""
        return self.one[which], self.other[which]

    def match_of(self, row: int) -> int | None:
        """The match that a row of the first table is in."""
        at = int(np.searchsorted(self.one, row))
        return at if at < len(self.one) and self.one[at] == row else None

    def before(self, others: Places) -> Places:
        """For rows of the second table the last row of the first that stands before them, -1 for none; at the end where
        the rows of the second have an order of their own."""
        if (np.diff(self.other) < 0).any():
            return np.full(len(others), self.rows[0] - 1)
        at = np.searchsorted(self.other, others)
        return np.where(at > 0, self.one[np.maximum(at - 1, 0)] if len(self.one) else -1, -1)

    def batches(self, most: int, *, every: bool = False) -> Iterator[Places]:
        """The matches that may differ, or every one, so many at once."""
        which = np.arange(self.count) if every else np.flatnonzero(self.changed)
        for start in range(0, len(which), most):
            yield which[start : start + most]


class ByNumber(Matching):
    """The n-th row with the n-th, as far as both have one; takes a byte for each row, and no more."""

    def __init__(self, rows: tuple[int, int], changed: Flags | None = None) -> None:
        super().__init__(rows, NONE, NONE, np.ones(min(rows), np.bool_) if changed is None else changed)

    @property
    def count(self) -> int:
        return len(self.changed)

    @property
    def deleted(self) -> Places:
        return np.arange(self.count, self.rows[0])

    @property
    def inserted(self) -> Places:
        return np.arange(self.count, self.rows[1])

    def pairs(self, which: Places) -> tuple[Places, Places]:
        return which, which

    def match_of(self, row: int) -> int | None:
        return row if row < self.count else None

    def before(self, others: Places) -> Places:
        return np.full(len(others), self.rows[0] - 1)

    def batches(self, most: int, *, every: bool = False) -> Iterator[Places]:
        for start in range(0, self.count, most):
            found = np.arange(start, min(self.count, start + most))
            yield found if every else found[self.changed[found]]


def _rest(rows: int, *taken: Places) -> Places:
    left = np.ones(rows, np.bool_)
    for places in taken:
        left[places] = False
    return np.flatnonzero(left)


def by_content(digests: Digests) -> Matching:
    """Equal rows in order, then equal rows elsewhere; no changed rows yet."""
    one, other = codes(digests.one, digests.other)
    matched = _confirmed(digests, *align(one, other))
    found = Matching((len(one), len(other)), *matched, np.zeros(len(matched[0]), np.bool_))
    gone, come = found.deleted, found.inserted
    at, to = kth(one[gone], other[come])
    moved = _confirmed(digests, gone[at], come[to])
    order = np.argsort(moved[0], kind="stable")
    found.moved_one, found.moved_other = moved[0][order], moved[1][order]
    there = np.isin(one[found.deleted], other), np.isin(other[found.inserted], one)
    found.copies = int(there[0].sum()), int(there[1].sum())
    return found


def by_key(keys: Digests, rest: Digests) -> Matching:
    """Rows with equal keys, the k-th of a key with the k-th; changed where the other cells differ."""
    at, to = _confirmed(keys, *kth(*codes(keys.one, keys.other)))
    order = np.argsort(at, kind="stable")
    at, to = at[order], to[order]
    return Matching((len(keys.one.first), len(keys.other.first)), at, to, rest.differing(at, to))


def codes(one: Lanes, other: Lanes) -> tuple[Places, Places]:
    """The same whole number for the same first word."""
    _, found = np.unique(np.concatenate([one.first, other.first]), return_inverse=True)
    found = found.reshape(-1).astype(np.int64)
    return found[: len(one.first)], found[len(one.first) :]


def _confirmed(digests: Digests, one: Places, other: Places) -> tuple[Places, Places]:
    """Without those that only the first word held for equal."""
    same = digests.one.second[one] == digests.other.second[other]
    return one[same], other[same]
