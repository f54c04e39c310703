"""How often a constraint is violated, and where first.

tally = Tally()
tally.add(block, flags, as_json)          # from any thread, blocks in any order
tally.count, tally.places()               # 3, [{"index": [17, 3], "value": -1.5}, ...]
"""

from __future__ import annotations

from collections.abc import Callable
from math import prod
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths
from hpcprov.quality.constraints.blocks import Block

Flags: TypeAlias = NDArray[np.bool_]
#: So many places are kept of each constraint.
PLACES = 10


class Tally:
    """Counts elements and keeps the first places, in C order of the field."""

    def __init__(self) -> None:
        self.count, self.lock = 0, Lock()
        self.found: list[tuple[list[int], Any]] = []

    def add(self, block: Block, flags: Flags, shown: Callable[[Any], Any]) -> None:
        """The elements of a block that are flagged. Of text, values is a list."""
        count = int(np.count_nonzero(flags)) * block.weight
        if not count:
            return
        at = range(min(PLACES, prod(lengths(block.box)))) if block.blank else np.flatnonzero(flags)[:PLACES].tolist()
        new = [(index_of(block.box, step), shown(self.value_of(block, 0 if block.blank else step))) for step in at]
        with self.lock:
            self.count += count
            self.found = sorted(self.found + new, key=lambda place: place[0])[:PLACES]

    @staticmethod
    def value_of(block: Block, at: int) -> Any:
        """An element, None for one that is missing."""
        return None if block.missing is not None and block.missing[at] else block.values[at]

    def places(self) -> list[dict[str, Any]]:
        return [{"index": index, "value": value} for index, value in self.found]


def index_of(box: Box, at: int) -> list[int]:
    """The index in the field of the element `at` of a box, in C order."""
    inner = np.unravel_index(at, lengths(box)) if box else ()
    return [begin + int(step) for (begin, _), step in zip(box, inner, strict=True)]
