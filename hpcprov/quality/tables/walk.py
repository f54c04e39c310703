"""Reads columns: block by block from end to end, or only the rows that are asked for.

for start, values in walk(field):
    ...
gathered(field, np.array([999_999, 3]))     # two cells, in this order
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from dataclasses import field as dataclass_field
from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Field
from hpcprov.data.values import Values, joined
from hpcprov.quality.tables.hashing import Hash, Words
from hpcprov.signature.watch import Watch

Job = TypeVar("Job")
Done = TypeVar("Done")

#: Bytes of a column that are held at once, and the most rows.
BLOCK, MOST = 8 << 20, 1 << 17
#: Rows that are wanted lie so far apart before they are read on their own, where that decodes nothing twice.
APART = 256


def in_threads(work: Callable[[Job], Done], jobs: Iterable[Job], threads: int) -> list[Done]:
    """What the work gives for each job, in their order; one thread is this one."""
    if threads <= 1:
        return [work(job) for job in jobs]
    with ThreadPoolExecutor(max_workers=threads) as pool:
        return list(pool.map(work, jobs))


def rows_of(field: Field) -> int:
    return (field.shape or (0,))[0]


def steps(field: Field) -> int:
    """How many rows are read at once: whole chunks where they fit."""
    count = max(1, min(MOST, BLOCK // max(1, field.width)))
    chunk = field.chunks[0] if field.chunks else 1
    return max(chunk, count // chunk * chunk) if chunk <= MOST else count


def walk(field: Field, watch: Watch | None = None) -> Iterator[tuple[int, Values]]:
    """All cells of a column: the first row of each block, and its values."""
    rows, step = rows_of(field), steps(field)
    for start in range(0, rows, step):
        stop = min(rows, start + step)
        yield start, field.read(((start, stop),))
        if watch is not None:
            watch.add((stop - start) * field.width)


def gathered(field: Field, rows: NDArray[np.int64]) -> Values:
    """The cells of these rows, in their order; each block that holds one is read once."""
    if not len(rows):
        return field.read(((0, 0),))
    if int(rows[-1]) - int(rows[0]) == len(rows) - 1 and (np.diff(rows) == 1).all():
        return field.read(((int(rows[0]), int(rows[-1]) + 1),))
    order = np.argsort(rows, kind="stable")
    values = joined(list(_parts(field, rows[order])))
    back = np.empty(len(rows), np.int64)
    back[order] = np.arange(len(rows))
    found: Values = values[back]
    return found


def words_at(field: Field, hashed: Hash, rows: NDArray[np.int64]) -> Words:
    """The words of the cells of these rows, which increase; no more than a block is held."""
    return np.concatenate([hashed(part) for part in _parts(field, rows)])


def _parts(field: Field, rows: NDArray[np.int64]) -> Iterator[Values]:
    """The cells of rows in order, block by block."""
    breaks = np.diff(rows // steps(field)) != 0
    if field.chunk is None:
        breaks |= np.diff(rows) > APART
    for part in np.split(rows, np.flatnonzero(breaks) + 1):
        first, last = int(part[0]), int(part[-1])
        yield field.read(((first, last + 1),))[part - first]


@dataclass
class Kept:
    """Cells that were read already, by side (0, 1) and path: the rows, in order, and their values."""

    cells: dict[tuple[int, bytes], tuple[NDArray[np.int64], Values]] = dataclass_field(default_factory=dict)

    def gathered(self, side: int, field: Field, rows: NDArray[np.int64]) -> Values:
        """The cells of these rows, read where they are not kept."""
        known, values = self.cells.get((side, field.path), (rows[:0], None))
        at = np.searchsorted(known, rows)
        if values is None or (at == len(known)).any() or (known[at] != rows).any():
            return gathered(field, rows)
        found: Values = values[at]
        return found
