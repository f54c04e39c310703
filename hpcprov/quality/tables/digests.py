"""A digest for each row over the columns that both tables have: 128 bits, computed column by column.

    digests = row_digests([pair...], threads=2)
    np.isin(digests.one.first, digests.other.first)     # which rows of the first table are in the second

A row's digest is the sum of its cells' words, each mixed with a secret of its column, so that columns may come in any
order and from several threads. Equal digests mean equal rows: two different ones meet with a chance of 2**-64 a lane.
"""

from __future__ import annotations

import os
from collections.abc import Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Field
from hpcprov.quality.tables.columns import Pair
from hpcprov.quality.tables.hashing import Hash, Words, mixed
from hpcprov.quality.tables.walk import in_threads, rows_of, walk
from hpcprov.signature.watch import Watch


@dataclass(frozen=True)
class Lanes:
    """Two words for each row of one table: the first finds rows, the second confirms them."""

    first: Words
    second: Words


@dataclass(frozen=True)
class Digests:
    """Of both tables."""

    one: Lanes
    other: Lanes

    @property
    def distinct(self) -> float:
        """The share of the first table's rows that are different ones."""
        rows = self.one.first
        return len(np.unique(rows)) / max(1, len(rows))

    def differing(self, one: Any = slice(None), other: Any = slice(None)) -> NDArray[np.bool_]:
        """Which of these rows differ from those, or the n-th from the n-th."""
        firsts, seconds = self.one.first[one], self.one.second[one]
        found: NDArray[np.bool_] = (firsts != self.other.first[other]) | (seconds != self.other.second[other])
        return found


def row_digests(
    pairs: Sequence[Pair], rows: tuple[int, int], *, threads: int = 1, watch: Watch | None = None
) -> Digests:
    """The digests of all rows over these columns, all of which can be compared."""
    sides = [Lanes(np.zeros(count, np.uint64), np.zeros(count, np.uint64)) for count in rows]
    lock = Lock()

    def add(job: tuple[Lanes, Field, Hash, bytes]) -> None:
        lanes, field, hashed, secret = job
        keys = np.frombuffer(secret, np.uint64)
        for start, values in walk(field, watch):
            words = hashed(values)
            first, second = mixed(words + keys[0]), mixed(words ^ keys[1])
            with lock:
                lanes.first[start : start + len(words)] += first
                lanes.second[start : start + len(words)] += second

    jobs = []
    for pair in pairs:
        assert pair.hasher is not None
        secret = os.urandom(16)
        jobs += [(sides[0], pair.one, pair.hasher.one, secret), (sides[1], pair.other, pair.hasher.other, secret)]
    if watch is not None:
        watch.expect(sum(rows_of(field) * field.width for _, field, _, _ in jobs))
    in_threads(add, jobs, threads)
    return Digests(*sides)
