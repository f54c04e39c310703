"""Chunks of an HDF5 dataset read and decoded beside the library, so that threads do it at once.

chunks = Chunks(listing, np.dtype(">f4"), pipeline, fill, through_the_library)
chunks.chunk((0, 3))                 # the whole chunk as a numpy array, or None when it is not stored
chunks.read(((0, 10), (5, 700)))     # put together from chunks
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcprov.data.assembled import LastChunk, assembled
from hpcprov.data.filters import Pipeline
from hpcprov.data.hdf5_places import Listing
from hpcprov.data.interface import Box, Index, lengths, slices
from hpcprov.data.npy import block_reader
from hpcprov.data.values import Octets, Values
from hpcprov.record.errors import UnreadableData

#: A stored chunk of more than twice its decoded size and this is damaged: no filter adds so much.
OVERHEAD = 1 << 16
#: The most that one read gives.
ONE_READ = 1 << 30


@dataclass
class Chunks:
    """The chunks of one dataset whose elements, of the type `dtype`, lie in the file as they are read into memory.

    `library` reads a box through HDF5; `fill` is what a chunk that is not stored holds."""

    listing: Listing
    dtype: np.dtype[Any]
    pipeline: Pipeline
    fill: Values
    library: Callable[[Box], Values]

    def __post_init__(self) -> None:
        self.file, self.extents = self.listing.file, self.listing.extents
        self.base, self.inner = self.dtype.subdtype or (self.dtype, ())
        self.last = LastChunk()

    def chunk(self, index: Index) -> Values | None:
        """The whole chunk, of the extents of a chunk (and of an array type's), or None when it is not stored."""
        place = self.listing.find(index)
        if place is None:
            return None
        offset, size, skipped = place
        if self._may_be_unfiltered(index, size, skipped):
            return self._through_the_library(index)
        return self._shaped(self._decoded(index, offset, size, skipped))

    def read(self, box: Box) -> Values:
        """Any box, put together from chunks."""
        values = np.empty((*lengths(box), *self.inner), self.base)
        return assembled(box, self.listing.shape, self.extents, values, self._part)

    def _part(self, index: Index, within: Box, whole: bool) -> Values:
        place = self.listing.find(index)
        if place is None:
            return self.fill
        if not self.pipeline.steps:
            self._check(index, *place[:2])
            everything = tuple((0, extent) for extent in self.inner)
            reader = block_reader(self.file.fd, place[0], (*self.extents, *self.inner), self.base)
            return reader((*within, *everything))
        values = self.chunk(index) if whole else self.last.get(index, self.chunk)
        assert values is not None
        return values[slices(within)]

    def _may_be_unfiltered(self, index: Index, size: int, skipped: int) -> bool:
        """HDF5 can be told not to filter chunks that cross the array's edge; h5py does not say whether it was."""
        if skipped or not self.pipeline.is_whole(size):
            return False
        return lengths(self.listing.visible(index)) != self.extents

    def _through_the_library(self, index: Index) -> Values:
        visible = self.listing.visible(index)
        values = np.zeros((*self.extents, *self.inner), self.base)
        values[tuple(slice(0, extent) for extent in lengths(visible))] = self.library(visible)
        return values

    def _shaped(self, octets: Octets) -> Values:
        return np.frombuffer(octets, self.base).reshape((*self.extents, *self.inner))

    def _decoded(self, index: Index, offset: int, size: int, skipped: int) -> Octets:
        self._check(index, offset, size)
        stored = self._stored_bytes(index, offset, size)
        try:
            return self.pipeline.decode(stored, skipped)
        except MemoryError:
            raise
        except Exception as error:  # each codec has its own
            raise self._damaged(index, f"cannot be decoded: {str(error)[:200]}") from error

    def _check(self, index: Index, offset: int, size: int) -> None:
        if offset + size > self.file.size:
            raise self._damaged(index, f"lies outside of the file: {size} bytes at {offset} of {self.file.size}")
        if size > 2 * self.pipeline.size + OVERHEAD or (not self.pipeline.steps and size != self.pipeline.size):
            raise self._damaged(index, f"has {size} stored bytes for {self.pipeline.size} bytes of values")

    def _stored_bytes(self, index: Index, offset: int, size: int) -> bytes:
        parts: list[bytes] = []
        while size:
            part = os.pread(self.file.fd, min(size, ONE_READ), offset)
            if not part:
                raise self._damaged(index, f"is cut off: the file ended at byte {offset} while it was read")
            parts.append(part)
            offset, size = offset + len(part), size - len(part)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    def _damaged(self, index: Index, what: str) -> UnreadableData:
        return UnreadableData(f"{self.listing.name}: the chunk {list(index)} {what}")
