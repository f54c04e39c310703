"""no_duplicates of a field of any length, in little memory: 64 bits of each element, a part of them at a time.

An element's part is told by its bits, so equal ones are in one part. Each part is a walk over the field; the first one
that holds duplicates is walked once more for the places. Numbers and times are compared exactly; of texts and other
values two that differ have the same 64 bits once in 10^5 fields of as many elements as fit in a part.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.constraints.blocks import Block, Flags, Reader
from hpcprov.quality.constraints.checks import Check
from hpcprov.quality.constraints.file import Constraint
from hpcprov.quality.constraints.places import PLACES

#: Elements of which 64 bits are held at once.
HELD = 1 << 23
#: Odd, and far from any pattern that numbers have: the golden ratio in 64 bits.
MIX = np.uint64(0x9E3779B97F4A7C15)


class NoDuplicates(Check):
    """Elements that are there twice. `count` is how many more there are than distinct ones."""

    def __init__(self, kind: str, constraint: Constraint, reader: Reader, *, held: int = HELD) -> None:
        super().__init__(kind, constraint, reader)
        self.held = held
        self.parts = max(1, -(-reader.count // held))
        self.part, self.more = 0, 0
        self.keys: list[NDArray[np.uint64]] = []
        #: Keys that are there twice, once they are to be found.
        self.twice: NDArray[np.uint64] | None = None
        self.located = False
        #: Keys of all elements that are there twice, as far as they may be held.
        self.known: list[NDArray[np.uint64]] = []

    def bad(self, block: Block) -> Flags | None:
        keys, here = self.reader.keys(block), block.present()
        if self.twice is not None:
            return here & is_among(keys, self.twice)
        if self.parts > 1:
            here &= part_of(keys, self.parts) == self.part
        with self.lock:
            self.keys.append(keys[here])
        return None

    def flags(self, block: Block) -> Flags | None:
        keys, flags = self.reader.keys(block), np.zeros(block.count, np.bool_)
        for known in self.known:
            flags |= is_among(keys, known)
        return block.present() & flags

    def has_enough(self) -> bool:
        line = self.reader.field.shape is not None and len(self.reader.field.shape) == 1
        return self.twice is not None and line and len(self.tally.found) == PLACES

    def wants_more(self) -> bool:
        if self.twice is not None:
            self.twice, self.located = None, True
        else:
            found = self._finish_part()
            if found.size and not self.located:
                self.twice = found
                return True
        self.part += 1
        return self.part < self.parts

    def _finish_part(self) -> NDArray[np.uint64]:
        keys = self._taken()
        keys.sort()
        same = keys[1:] == keys[:-1]
        self.more += int(np.count_nonzero(same))
        first = same.copy()
        first[1:] &= ~same[:-1]  # of those that are there several times
        twice: NDArray[np.uint64] = keys[1:][first]
        room = self.held - sum(map(len, self.known))
        self.known.append(twice[:room])
        return twice

    def _taken(self) -> NDArray[np.uint64]:
        """All keys of the part as one array; those that it was made of are let go one by one."""
        keys, at = np.empty(sum(map(len, self.keys)), np.uint64), 0
        while self.keys:
            taken = self.keys.pop()
            keys[at : at + len(taken)] = taken
            at += len(taken)
        return keys

    @property
    def ok(self) -> bool:
        return self.reason is None and not self.more

    def found(self) -> Any:
        return self.more


def is_among(keys: NDArray[np.uint64], known: NDArray[np.uint64]) -> Flags:
    """Which keys are among the known ones, which are sorted."""
    if not len(known):
        return np.zeros(len(keys), np.bool_)
    at = np.searchsorted(known, keys)
    at[at == len(known)] = 0
    return np.asarray(known[at] == keys)


def part_of(keys: NDArray[np.uint64], parts: int) -> NDArray[np.uint64]:
    """The part that each key belongs to."""
    with np.errstate(over="ignore"):
        mixed: NDArray[np.uint64] = (keys * MIX) >> np.uint64(40)
    return mixed % np.uint64(parts)
