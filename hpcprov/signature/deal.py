"""Dealing work to ranks by what it costs: the dearest piece first, each to whoever has least so far.

Longest processing time first (Graham 1969) ends within 4/3 of the best possible deal. Pure arithmetic.

>>> deal([5.0, 1.0, 1.0, 3.0], 2)
[[0], [1, 2, 3]]
"""

from __future__ import annotations

import heapq
from collections.abc import Sequence

#: Seconds that things take, roughly; only their ratios matter.
PER_STORED_BYTE = 0.7e-9
PER_OTHER_BYTE = 2e-9
PER_PLAIN_BYTE = 1e-9
PER_DECODED_BYTE = 4e-9
PER_BLANK_BYTE = 1e-12
PER_CHUNK = 20e-6
PER_FILE = 50e-6
PER_PIECE = 200e-6


def deal(costs: Sequence[float], ranks: int) -> list[list[int]]:
    """For each rank the numbers of its pieces, ascending."""
    loads = [(0.0, rank) for rank in range(ranks)]
    shares: list[list[int]] = [[] for _ in range(ranks)]
    for at in sorted(range(len(costs)), key=lambda at: (-costs[at], at)):
        load, rank = heapq.heappop(loads)
        shares[rank].append(at)
        heapq.heappush(loads, (load + costs[at], rank))
    return [sorted(share) for share in shares]
