"""Distinct values: each with how often it is there while they are few, and how many there are of a short column.

few = Few()
few.add(17, 3)                       # the value 17, three times
few.counts  ->  {17: 3}              # None as soon as there were more than VALUES

keys = Keys()
keys.add(numpy.array([3.5, 1.0]))    # numbers as they are, digests of 64 bits of what is longer
distinct_of(keys.sorted())  ->  2
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

import numpy as np
from numpy.typing import NDArray

#: So many different values are kept with their counts.
VALUES = 20
#: Distinct values of one-dimensional fields of so many elements are counted; they may take 8 bytes each.
KEYED = 1 << 24
#: Elements that are looked at first: most floats have more than VALUES different ones among them.
SAMPLE = 1024
#: Keys that are compared with their neighbours at a time.
BLOCK = 1 << 20


class Few:
    """Values and how often each is there, until they are more than VALUES."""

    def __init__(self) -> None:
        self.counts: dict[Any, int] | None = {}

    def add(self, value: Any, count: int) -> None:
        if self.counts is not None:
            self.counts[value] = self.counts.get(value, 0) + count
            if len(self.counts) > VALUES:
                self.counts = None

    def merge(self, other: Few, times: int = 1) -> None:
        if other.counts is None:
            self.counts = None
        for value, count in (other.counts or {}).items():
            self.add(value, count * times)

    def add_all(self, values: NDArray[Any], python: Any) -> None:
        """Add an array of numbers, none of them NaN; `python` makes a value of one of them."""
        if self.counts is None:
            return
        left = len(values)
        sample = {python(value) for value in np.unique(values[:SAMPLE])}
        if len(self.counts.keys() | sample) > VALUES:
            self.counts = None
            return
        for value in sorted(self.counts.keys() | sample, key=lambda one: -(self.counts or {}).get(one, 0)):
            found = int(np.count_nonzero(values == values.dtype.type(value)))
            left -= found
            if found:
                self.add(value, found)
            if not left:
                return
        known = np.array(list(self.counts), values.dtype)
        for value, count in zip(*np.unique(values[~np.isin(values, known)], return_counts=True), strict=True):
            self.add(python(value), int(count))


class Keys:
    """Elements of a column as numbers, kept until they are counted."""

    def __init__(self) -> None:
        self.parts: list[NDArray[Any]] = []

    def add(self, keys: NDArray[Any]) -> None:
        self.parts.append(keys)

    def merge(self, other: Keys) -> None:
        self.parts += other.parts

    def sorted(self) -> NDArray[Any]:
        """All of them, sorted; they are gone here. One array takes the place of the parts as those are given back."""
        if not self.parts:
            return np.empty(0, np.uint64)
        whole = np.empty(sum(map(len, self.parts)), self.parts[0].dtype)
        at = 0
        while self.parts:
            part = self.parts.pop()
            whole[at : at + len(part)] = part
            at += len(part)
        whole.sort()
        return whole


def distinct_of(keys: NDArray[Any]) -> int:
    """How many different ones there are among sorted keys."""
    found = min(1, len(keys))
    for at in range(1, len(keys), BLOCK):
        block = keys[at - 1 : at + BLOCK]
        found += int(np.count_nonzero(block[1:] != block[:-1]))
    return found


def counts_of(keys: NDArray[Any]) -> Iterable[tuple[Any, int]]:
    """Each different one of at most VALUES among sorted keys, and how often it is there."""
    at = 0
    while at < len(keys):
        stop = int(np.searchsorted(keys, keys[at], "right"))
        yield keys[at], stop - at
        at = stop
