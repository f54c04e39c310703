"""Planes of two arrays matched by what they hold: runs of planes that stand elsewhere in the other. Pure.

    runs_of([b"a", b"b", b"c", b"d"], [b"x", b"a", b"b", b"c"])  ->  [Run(0, 1, 3)]

The most frequent distance between planes that occur once in each array is tried first. Planes that occur several times
(constant ones) go with their neighbours.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

#: So many distances are tried; more pieces than that are no shift.
MOST_OFFSETS, MOST_RUNS = 8, 20


class Run(NamedTuple):
    """`length` planes from `start` on that stand from `there` on in the other array."""

    start: int
    there: int
    length: int

    @property
    def offset(self) -> int:
        return self.there - self.start


def runs_of(one: Sequence[bytes], other: Sequence[bytes]) -> list[Run]:
    """The runs in the order of the first array; none when the planes have nothing in common, or are scattered."""
    offsets = _offsets(one, other)
    if not offsets:
        return []
    numbers: dict[bytes, int] = {}
    left, right = (np.array([numbers.setdefault(plane, len(numbers)) for plane in side]) for side in (one, other))
    assigned = np.full(len(one), np.iinfo(np.int64).min)
    for offset in offsets:
        alike = _alike(left, right, offset)
        assigned[alike & (assigned == np.iinfo(np.int64).min)] = offset
    found = [run for run in _joined(assigned, offsets) if run.length > 1 or len(one) < 4]
    return found if len(found) <= MOST_RUNS else []


def _offsets(one: Sequence[bytes], other: Sequence[bytes]) -> list[int]:
    """The most frequent distances between planes that occur once on each side."""
    here, there = _single(one), _single(other)
    counts = Counter(there[plane] - at for plane, at in here.items() if plane in there)
    return [offset for offset, _ in counts.most_common(MOST_OFFSETS)]


def _single(planes: Sequence[bytes]) -> dict[bytes, int]:
    counts = Counter(planes)
    return {plane: at for at, plane in enumerate(planes) if counts[plane] == 1}


def _alike(left: NDArray[np.int64], right: NDArray[np.int64], offset: int) -> NDArray[np.bool_]:
    """Which planes of the first array stand `offset` further on in the other."""
    found = np.zeros(len(left), np.bool_)
    start, stop = max(0, -offset), min(len(left), len(right) - offset)
    if start < stop:
        found[start:stop] = left[start:stop] == right[start + offset : stop + offset]
    return found


def _joined(assigned: NDArray[np.int64], offsets: list[int]) -> list[Run]:
    """Neighbours of one distance as runs; planes that were changed lie in the run around them."""
    runs: list[Run] = []
    known = np.flatnonzero(np.isin(assigned, offsets))
    for at in known.tolist():
        offset = int(assigned[at])
        if runs and runs[-1].offset == offset:
            runs[-1] = runs[-1]._replace(length=at + 1 - runs[-1].start)
        else:
            runs.append(Run(at, at + offset, 1))
    return runs
