"""Rows that two tables have in common, in order: patience alignment, level by level, over whole numbers.

    >>> align(np.array([1, 2, 3, 4]), np.array([2, 3, 9, 4]))[0].tolist()
    [1, 2, 3]

Of all gaps at once, the rows that begin or end both sides are matched, then those that stand once on either side (B.
Cohen's patience diff), then the k-th of equal rows with the k-th: so that n equal rows are as much work as n different
ones. Work is O(n log n) a level and memory linear; what later levels would find is left unmatched.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.tables.chains import Places, heaviest

#: Levels of gaps within gaps.
MOST_LEVELS = 40


def align(one: Places, other: Places) -> tuple[Places, Places]:
    """Places of equal codes in both sequences, both increasing. Codes are whole numbers from 0 on."""
    found = Matches(len(one), len(other), *_ends(one, other))
    for _ in range(MOST_LEVELS):
        gaps = found.gaps()
        if not len(gaps.one):
            break
        before = len(found.one)
        found.add(*trimmed(gaps, one, other))
        gaps = found.gaps()
        found.add(*anchors(gaps, one, other))
        if len(found.one) == before:
            break
    return found.one, found.other


def _ends(one: Places, other: Places) -> tuple[Places, Places]:
    """The rows that both begin and end with."""
    shorter = min(len(one), len(other))
    same = one[:shorter] == other[:shorter]
    head = shorter if same.all() else int(same.argmin())
    left = shorter - head
    same = one[len(one) - left :][::-1] == other[len(other) - left :][::-1]
    tail = left if same.all() else int(same.argmin())
    places = np.arange(head), np.arange(tail)
    return tuple(np.concatenate([places[0], size - tail + places[1]]) for size in (len(one), len(other)))  # type: ignore[return-value]


@dataclass(frozen=True)
class Gaps:
    """The rows between matches, where both sides have some; `of_one` and `of_other` say in which gap each lies."""

    one: Places
    other: Places
    of_one: Places
    of_other: Places


class Matches:
    """Rows matched so far, in order on both sides."""

    def __init__(self, rows_one: int, rows_other: int, one: Places, other: Places) -> None:
        self.rows = rows_one, rows_other
        self.one, self.other = one.astype(np.int64), other.astype(np.int64)

    def add(self, one: Places, other: Places) -> None:
        """More matches, that cross none of those that are there."""
        self.one, self.other = np.sort(np.append(self.one, one)), np.sort(np.append(self.other, other))

    def gaps(self, one: NDArray[np.bool_] | None = None, other: NDArray[np.bool_] | None = None) -> Gaps:
        """What is not matched yet; of the rows that are told to be open only, when they are given."""
        left, of_left = _unmatched(self.one, self.rows[0], one)
        right, of_right = _unmatched(self.other, self.rows[1], other)
        both = np.intersect1d(of_left, of_right)
        keep_left, keep_right = _isin(of_left, both), _isin(of_right, both)
        return Gaps(left[keep_left], right[keep_right], of_left[keep_left], of_right[keep_right])


def _unmatched(matched: Places, rows: int, among: NDArray[np.bool_] | None) -> tuple[Places, Places]:
    unmatched = np.ones(rows, np.bool_) if among is None else among.copy()
    unmatched[matched] = False
    places = np.flatnonzero(unmatched)
    return places, np.searchsorted(matched, places)


def _isin(values: Places, ordered: Places) -> NDArray[np.bool_]:
    """Which of the values are among `ordered`, which increase."""
    if not len(ordered):
        return np.zeros(len(values), np.bool_)
    at = np.minimum(np.searchsorted(ordered, values), len(ordered) - 1)
    found: NDArray[np.bool_] = ordered[at] == values
    return found


def trimmed(gaps: Gaps, one: Places, other: Places) -> tuple[Places, Places]:
    """Matches where both sides of a gap begin alike, then where what is left of them ends alike."""
    firsts_one, sizes_one = segments(gaps.of_one)
    firsts_other, sizes_other = segments(gaps.of_other)
    shorter = np.minimum(sizes_one, sizes_other)
    heads = _alike(one, other, gaps.one[firsts_one], gaps.other[firsts_other], shorter, 1)
    last_one, last_other = gaps.one[firsts_one + sizes_one - 1], gaps.other[firsts_other + sizes_other - 1]
    tails = _alike(one, other, last_one, last_other, shorter - heads, -1)
    return (
        np.concatenate([_runs(gaps.one[firsts_one], heads), _runs(last_one - tails + 1, tails)]),
        np.concatenate([_runs(gaps.other[firsts_other], heads), _runs(last_other - tails + 1, tails)]),
    )


def segments(groups: Places) -> tuple[Places, Places]:
    """Where each run of equal numbers begins, and how long it is."""
    if not len(groups):
        return np.empty(0, np.int64), np.empty(0, np.int64)
    firsts = np.flatnonzero(np.concatenate([[True], np.diff(groups) != 0]))
    return firsts, np.diff(np.append(firsts, len(groups)))


def _alike(one: Places, other: Places, left: Places, right: Places, sizes: Places, step: int) -> Places:
    """How many codes in a row are equal, from the places `left` and `right` on, of at most `sizes` each."""
    total = int(sizes.sum())
    if not total:
        return np.zeros(len(sizes), np.int64)
    inner = _within(sizes)
    same = one[np.repeat(left, sizes) + step * inner] == other[np.repeat(right, sizes) + step * inner]
    stops = np.where(same, np.iinfo(np.int64).max, inner)
    found = sizes.copy()
    filled = sizes > 0
    starts = (np.cumsum(sizes) - sizes)[filled]
    found[filled] = np.minimum(np.minimum.reduceat(stops, starts), sizes[filled])
    return found


def _within(sizes: Places) -> Places:
    """0, 1, 2, ... for each of the sizes."""
    return np.arange(int(sizes.sum())) - np.repeat(np.cumsum(sizes) - sizes, sizes)


def _runs(firsts: Places, sizes: Places) -> Places:
    return np.repeat(firsts, sizes) + _within(sizes)


def anchors(gaps: Gaps, one: Places, other: Places) -> tuple[Places, Places]:
    """Matches of rows that stand once on both sides of their gap; where no gap has any, the k-th with the k-th."""
    if not len(gaps.one):
        return gaps.one, gaps.other
    span = int(max(one.max(), other.max())) + 1
    left, right = gaps.of_one * span + one[gaps.one], gaps.of_other * span + other[gaps.other]
    at, to = once(left, right)
    if not len(at):
        at, to = kth(left, right)
    order = np.argsort(at, kind="stable")
    return heaviest(gaps.one[at[order]], gaps.other[to[order]])


def once(left: Places, right: Places) -> tuple[Places, Places]:
    """Places of what stands once in both."""
    (values, at), (others, to) = _singles(left), _singles(right)
    _, mine, theirs = np.intersect1d(values, others, assume_unique=True, return_indices=True)
    return at[mine], to[theirs]


def _singles(values: Places) -> tuple[Places, Places]:
    found, first, counts = np.unique(values, return_index=True, return_counts=True)
    return found[counts == 1], first[counts == 1]


def kth(left: Places, right: Places) -> tuple[Places, Places]:
    """Places of the k-th of each value in both, as long as both have one."""
    order_left, order_right = np.argsort(left, kind="stable"), np.argsort(right, kind="stable")
    (values, counts), (others, other_counts) = (np.unique(one, return_counts=True) for one in (left, right))
    _, mine, theirs = np.intersect1d(values, others, assume_unique=True, return_indices=True)
    sizes = np.minimum(counts[mine], other_counts[theirs])
    begins, other_begins = np.cumsum(counts) - counts, np.cumsum(other_counts) - other_counts
    return order_left[_runs(begins[mine], sizes)], order_right[_runs(other_begins[theirs], sizes)]
