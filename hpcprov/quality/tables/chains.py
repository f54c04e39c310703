"""The heaviest increasing chain: which of many matches between two sequences can stand together, in order.

    >>> heaviest(np.array([0, 1, 2, 3]), np.array([2, 3, 0, 1]))[0].tolist()     # or the other pair
    [0, 1]

Matches that go on side by side are one block, so the work grows with the edits and not with the rows: O(b log b) for b
blocks, which are all of one match at worst. (Patience sorting with weights; Jacobson and Vo, CPM 1992.)
"""

from __future__ import annotations

from bisect import bisect_left
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

Places: TypeAlias = NDArray[np.int64]


def heaviest(one: Places, other: Places) -> tuple[Places, Places]:
    """Of the matches one[k] <-> other[k], `one` increasing and no place twice, those of a chain with the most of them
    in which `other` increases, too."""
    if not len(one):
        return one, other
    ranks = np.empty(len(other), np.int64)
    ranks[np.argsort(other, kind="stable")] = np.arange(len(other))
    begins = np.flatnonzero(np.concatenate([[True], np.diff(ranks) != 1]))
    if len(begins) == 1:
        return one, other
    ends = np.append(begins[1:], len(one))
    kept = _chain(ranks[begins].tolist(), (ends - begins).tolist())
    chosen = np.zeros(len(one) + 1, np.int64)
    np.add.at(chosen, begins[kept], 1)
    np.add.at(chosen, ends[kept], -1)
    inside = np.cumsum(chosen[:-1]) > 0
    return one[inside], other[inside]


def _chain(starts: list[int], sizes: list[int]) -> list[int]:
    """The numbers of the blocks, which begin at these ranks, that are in the chain."""
    tails: list[int] = []  # the rank that a chain ends at; longer ones weigh more
    weights: list[int] = []
    blocks: list[int] = []
    before = [-1] * len(starts)
    for block, (start, size) in enumerate(zip(starts, sizes, strict=True)):
        at = bisect_left(tails, start)
        weight = size
        if at:
            weight += weights[at - 1]
            before[block] = blocks[at - 1]
        beaten = at
        while beaten < len(tails) and weights[beaten] <= weight:
            beaten += 1
        tails[at:beaten], weights[at:beaten], blocks[at:beaten] = [start + size - 1], [weight], [block]
    kept, block = [], blocks[-1]
    while block >= 0:
        kept.append(block)
        block = before[block]
    return kept[::-1]
