"""Where rows were deleted, inserted or moved, as runs: rows 100-199 rather than a hundred rows.

>>> runs(np.array([4, 5, 6, 9]))
[[5, 7], [10, 10]]
"""

from __future__ import annotations

import numpy as np

from hpcprov.quality.tables.chains import Places


def breaks(*columns: Places) -> Places:
    """Where a run begins: what follows is not the next row in one of the columns."""
    if not len(columns[0]):
        return np.empty(0, np.int64)
    apart = np.logical_or.reduce([np.diff(places) != 1 for places in columns])
    return np.flatnonzero(np.concatenate([[True], apart]))


def runs(places: Places, most: int | None = None) -> list[list[int]]:
    """The first and last row of each run, counted from 1."""
    begins = breaks(places)[:most]
    ends = _ends(begins, places, places)
    return [[int(places[begin]) + 1, int(places[end]) + 1] for begin, end in zip(begins, ends, strict=True)]


def moved_blocks(one: Places, other: Places, most: int | None = None) -> list[list[int]]:
    """The first and last row of each block in the first table, and its first row in the second, the largest first."""
    begins = breaks(one, other)
    sizes = np.diff(np.append(begins, len(one)))
    order = np.argsort(-sizes, kind="stable")[:most]
    return [
        [int(one[at]) + 1, int(one[at + size - 1]) + 1, int(other[at]) + 1]
        for at, size in zip(begins[order].tolist(), sizes[order].tolist(), strict=True)
    ]


def _ends(begins: Places, *columns: Places) -> list[int]:
    """The last place of each of the first runs."""
    every = breaks(*columns)
    ends = np.append(every[1:], len(columns[0])) - 1
    return [int(end) for end in ends[: len(begins)]]
