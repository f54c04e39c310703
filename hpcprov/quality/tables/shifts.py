"""A column whose cells all moved up or down against the others: what an index that is off by one does.

shift_of(pair)      # 1: row n of the second table has the cell of row n-1 of the first
"""

from __future__ import annotations

import numpy as np

from hpcprov.data.interface import Field
from hpcprov.quality.tables.align import once
from hpcprov.quality.tables.columns import Pair
from hpcprov.quality.tables.hashing import Hash, Words
from hpcprov.quality.tables.walk import rows_of, steps

#: Rows that are looked at, the fewest that tell something, and the share of cells that has to be found again.
MOST, LEAST, SHARE = 1 << 20, 8, 0.9


def shift_of(pair: Pair) -> int | None:
    """By how many rows the cells moved; None when nearly all of them did not."""
    assert pair.hasher is not None
    one, other = _words(pair.one, pair.hasher.one), _words(pair.other, pair.hasher.other)
    at, to = once(one.view(np.int64), other.view(np.int64))
    if not len(at):
        return None
    apart, counts = np.unique(to - at, return_counts=True)
    by = int(apart[counts.argmax()])
    first = one[max(0, -by) : len(other) - by]
    again = other[max(0, by) :][: len(first)]
    first = first[: len(again)]
    found = by and len(first) >= LEAST and (first == again).mean() >= SHARE
    return by if found else None


def _words(field: Field, hashed: Hash) -> Words:
    rows, step = min(MOST, rows_of(field)), steps(field)
    cuts = [(start, min(rows, start + step)) for start in range(0, rows, step)]
    parts = [hashed(field.read((cut,))) for cut in cuts]
    return np.concatenate(parts) if parts else np.empty(0, np.uint64)
