"""Tiles as index ranges: the tiles that are marked, as few boxes that touch no other, clipped to the array.

    >>> grid = Grid((100, 100), (32, 32), (4, 4))
    >>> regions(grid, numpy.array([3, 7]))          # two neighbours in the last column
    [((0, 64), (96, 100))]

Neighbours are joined along the last axis first, then along the one before it; so a changed box comes out as one box,
and n tiles cost n log n.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box
from hpcprov.signature import tree
from hpcprov.signature.field import Grid

Numbers = NDArray[np.int64]


def differing(old: bytes | bytearray, new: bytes | bytearray) -> Numbers:
    """The numbers of the tiles whose leaves differ, ascending."""
    one, other = (np.frombuffer(leaves, np.uint8).reshape(-1, tree.DIGEST) for leaves in (old, new))
    return np.flatnonzero((one != other).any(axis=1)).astype(np.int64)


def regions(grid: Grid, numbers: Numbers) -> list[Box]:
    """The tiles of those numbers as disjoint boxes of elements, in C order."""
    if not len(numbers):
        return []
    if not grid.shape:
        return [()]
    begins = np.stack(np.unravel_index(numbers, grid.counts), axis=1).astype(np.int64)
    begins, ends = _joined(begins, begins + 1)
    steps, whole = np.array(grid.tile, np.int64), np.array(grid.shape, np.int64)
    corners = np.stack([begins * steps, np.minimum(ends * steps, whole)], axis=2)
    return [tuple((begin, end) for begin, end in box) for box in corners.tolist()]


def _joined(begins: Numbers, ends: Numbers) -> tuple[Numbers, Numbers]:
    """Boxes joined with the next one along each axis when they agree in all others; the last axis first."""
    rank = begins.shape[1]
    for axis in reversed(range(rank)):
        others = [column for at in range(rank) if at != axis for column in (begins[:, at], ends[:, at])]
        order = np.lexsort((begins[:, axis], *others))
        begins, ends = begins[order], ends[order]
        alike = ends[:-1, axis] == begins[1:, axis]
        for at in range(rank):
            if at != axis:
                alike &= (begins[:-1, at] == begins[1:, at]) & (ends[:-1, at] == ends[1:, at])
        first = np.flatnonzero(np.concatenate([[True], ~alike]))
        last = np.concatenate([first[1:], [len(begins)]]) - 1
        begins, last_ends = begins[first], ends[last, axis]
        ends = ends[first]
        ends[:, axis] = last_ends
    order = np.lexsort(tuple(begins[:, at] for at in reversed(range(rank))))
    return begins[order], ends[order]
