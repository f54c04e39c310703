"""Where the stored chunks of an HDF5 dataset lie: asked of the library once, kept as arrays of numbers.

listing = Listing(file, b"x", (1000, 1000), (100, 1000))
listing.find((3, 0))          # offset, stored bytes, skipped filters; None when the chunk is not stored
listing.stored()              # the boxes of stored chunks, or None when all are
"""

from __future__ import annotations

from array import array
from bisect import bisect_left
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cached_property
from math import prod
from threading import RLock
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.assembled import visible
from hpcprov.data.hdf5_file import HDF5File
from hpcprov.data.interface import Box, Index
from hpcprov.record.errors import UnreadableData

#: Grids of more chunks than this are not numbered.
MAX_GRID = 1 << 62
NOWHERE = 2**64 - 1


@dataclass(frozen=True)
class Places:
    """Where the stored chunks lie: their numbers in C order of the grid, ascending, and for each its offset in the
    file, its stored bytes and the filters that were skipped."""

    numbers: array[int]
    offsets: array[int]
    sizes: array[int]
    skipped: array[int]

    def find(self, number: int) -> tuple[int, int, int] | None:
        """Offset, stored bytes and skipped filters of a chunk, or None when it is not stored."""
        at = bisect_left(self.numbers, number)
        if at == len(self.numbers) or self.numbers[at] != number:
            return None
        return self.offsets[at], self.sizes[at], self.skipped[at]


def places_of(dataset: Any, shape: tuple[int, ...], extents: tuple[int, ...], *, most: int, base: int) -> Places:
    """The places of all stored chunks, `base` bytes behind what the library says. Raises UnreadableData when there are
    more than `most`, or two of one place."""
    flat = array("Q")

    def note(info: Any) -> bool | None:
        corner, skipped, at, size = info
        if at is not None and at != NOWHERE:
            flat.extend((*corner, base + at, size, skipped))
        return True if len(flat) > most * (len(shape) + 3) else None

    dataset.chunk_iter(note)
    table = np.frombuffer(flat, np.uint64).reshape(-1, len(shape) + 3)
    if len(table) > most:
        raise UnreadableData(f"more than {most} chunks are listed, which is more than the file can hold")
    counts = _counts(shape, extents)
    index = table[:, : len(shape)] // np.array(extents, np.uint64)
    inside = (index < np.array(counts, np.uint64)).all(axis=1)
    numbers = np.zeros(int(inside.sum()), np.uint64)
    for axis, count in enumerate(counts):
        numbers = numbers * np.uint64(count) + index[inside, axis]
    order = np.argsort(numbers, kind="stable")
    numbers = numbers[order]
    if (numbers[1:] == numbers[:-1]).any():
        raise UnreadableData("a chunk is listed twice")
    offsets, sizes, skipped = table[inside][order, len(shape) :].T
    return Places(_compact(numbers), _compact(offsets), _compact(sizes), _compact(skipped))


def _compact(numbers: NDArray[np.uint64]) -> array[int]:
    """Single numbers come out of an array of Python's several times faster than out of one of numpy's."""
    return array("Q", numbers.tobytes())


def _counts(shape: tuple[int, ...], extents: tuple[int, ...]) -> tuple[int, ...]:
    return tuple(-(-whole // extent) for whole, extent in zip(shape, extents, strict=True))


@dataclass
class Listing:
    """The chunks of one dataset of this shape; `extents` are those of a chunk."""

    file: HDF5File
    path: bytes
    shape: tuple[int, ...]
    extents: tuple[int, ...]

    def __post_init__(self) -> None:
        self.counts = _counts(self.shape, self.extents)
        self.lock = RLock()

    @property
    def name(self) -> str:
        """The dataset's path in its file as text."""
        return self.path.decode("utf-8", "surrogateescape")

    def is_possible(self, dataset: Any) -> bool:
        """Whether chunks can be listed: HDF5 can from 1.12.3 on, and each must have a number."""
        return hasattr(dataset, "chunk_iter") and prod(self.counts) <= MAX_GRID

    def find(self, index: Index) -> tuple[int, int, int] | None:
        """Offset, stored bytes and skipped filters of a chunk, or None when it is not stored."""
        number = 0
        for at, count in zip(index, self.counts, strict=True):
            number = number * count + at
        return self.places.find(number)

    def visible(self, index: Index) -> Box:
        """The part of a chunk that lies in the array."""
        return visible(index, self.shape, self.extents)

    def stored(self) -> Iterator[Box] | None:
        """The boxes of stored chunks; None when all are, or it cannot be told."""
        if not self.is_possible(self.file.dataset(self.path)) or len(self.places.numbers) >= prod(self.counts):
            return None
        return (self.visible(self._index(number)) for number in self.places.numbers)

    @property
    def places(self) -> Places:
        """Where all stored chunks lie. Raises UnreadableData."""
        with self.lock:
            try:
                return self._listed
            except UnreadableData as error:
                raise UnreadableData(f"{self.name}: {error}") from error
            except (OSError, RuntimeError, ValueError) as error:
                raise UnreadableData(f"{self.name}: its chunks cannot be listed: {error}") from error

    @cached_property
    def _listed(self) -> Places:
        dataset = self.file.dataset(self.path)
        return places_of(dataset, self.shape, self.extents, most=self.file.size, base=self.file.chunk_base)

    def _index(self, number: int) -> Index:
        index = []
        for count in reversed(self.counts):
            number, at = divmod(number, count)
            index.append(at)
        return tuple(reversed(index))
