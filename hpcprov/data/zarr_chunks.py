"""Chunks of a Zarr array read and decoded in the calling thread: no event loop and no lock.

chunks = Chunks(place, "group/x", layout)
chunks.chunk((0, 3))                 # the whole chunk as a numpy array, or None when it is not stored
chunks.read(((0, 10), (5, 700)))     # put together from chunks
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from math import prod
from typing import Any, NoReturn

import numpy as np
from numpy.typing import NDArray

from hpcprov.data import mapping
from hpcprov.data.assembled import LastChunk, assembled, visible
from hpcprov.data.interface import MAX_CHUNK, Box, Index, lengths, slices
from hpcprov.data.npy import block_reader
from hpcprov.data.values import Values
from hpcprov.data.zarr_codecs import Damaged
from hpcprov.data.zarr_metadata import Layout, Sharding
from hpcprov.data.zarr_place import Blob, Place, joined
from hpcprov.record.errors import UnreadableData

#: An inner chunk that a shard does not hold has this offset and length.
MISSING = (1 << 64) - 1
#: Smaller chunks are sooner copied than mapped.
MAPPED_FROM = 256 << 10


@dataclass(frozen=True)
class Shard:
    """A shard's bytes, and where in them each inner chunk lies: offset and length, in C order."""

    blob: Blob
    places: NDArray[np.uint64]


class Chunks:
    """The chunks of one array, which lies at `path` in its store; of a sharded one the inner chunks."""

    def __init__(self, place: Place, path: str, layout: Layout) -> None:
        self.place, self.path, self.layout = place, path, layout
        self.encoding, self.extents = layout.encoding, layout.encoding.extents
        self.name = path or "root"
        self.last = LastChunk()

    @property
    def divisible(self) -> bool:
        """Whether part of a chunk can be read without the rest."""
        return not self.encoding.steps and self.layout.sharding is None

    def chunk(self, index: Index) -> Values | None:
        """The whole chunk, or None when it is not stored. Raises UnreadableData."""
        found = self._encoded(index)
        return None if found is None else self._decoded(*found)

    def several(self, indices: list[Index]) -> list[Values | None]:
        """Small chunks, each as `chunk` gives it."""
        found = [self._encoded(index) for index in indices]
        there = [one for one in found if one is not None]
        values = self.encoding.decode_together([data for _, data in there])
        each = iter(values if values is not None else [self._decoded(*one) for one in there])
        return [None if one is None else next(each) for one in found]

    def read(self, box: Box) -> Values:
        """Any box, put together from chunks."""
        values = np.empty(lengths(box), self.encoding.dtype)
        return assembled(box, self.layout.shape, self.extents, values, self._part)

    def stored(self) -> Iterator[Box]:
        """The boxes whose chunk, or shard, is there as a file; the file names are read backwards."""
        shape = self.layout.shape
        for key in self.place.below(self.path):
            index = chunk_index(key, len(shape))
            if index is not None:
                box = visible(index, shape, self.layout.grid)
                if all(start < stop for start, stop in box):
                    yield box

    def _part(self, index: Index, within: Box, whole: bool) -> Values:
        if self.divisible and not whole:
            return self._direct(index, within)
        values = self.chunk(index) if whole else self.last.get(index, self.chunk)
        return self.layout.fill if values is None else values[slices(within)]

    def _direct(self, index: Index, within: Box) -> Values:
        """Part of a chunk that lies in its file as it is."""
        folder, name = self._key(index)
        if not self.place.has(folder, name):
            return self.layout.fill
        blob = self.place.open(joined(folder, name), self.encoding.most)
        if blob.fd is None or blob.size != self.encoding.size:
            values = self.last.get(index, self.chunk)
            assert values is not None
            return values[slices(within)]
        reader = block_reader(blob.fd, blob.start, self.encoding.stored_extents, self.encoding.dtype)
        values = reader(tuple(within[axis] for axis in self.encoding.axes))
        return values if self.encoding.places is None else values.transpose(self.encoding.places)

    def _key(self, index: Index) -> tuple[str, str]:
        folder, name = self.layout.key(index)
        return joined(self.path, folder), name

    def _encoded(self, index: Index) -> tuple[str, Any] | None:
        """What is said of a chunk in errors, and its bytes as they are stored; None when it is not."""
        if self.layout.sharding is not None:
            return self._inner_chunk(index, self.layout.sharding)
        folder, name = self._key(index)
        if not self.place.has(folder, name):
            return None
        key = joined(folder, name)
        if not self.encoding.steps and self.encoding.size >= MAPPED_FROM:
            return key, self._mapped(key)
        return key, self.place.load(key, self.encoding.most)

    def _mapped(self, key: str) -> Any:
        blob = self.place.open(key, self.encoding.most)
        if blob.fd is not None and blob.size == self.encoding.size:
            window = mapping.window(blob.fd, blob.start, blob.size)
            if window is not None:
                return window
        return self.place.load(key, self.encoding.most)

    def _decoded(self, key: str, data: Any) -> Values:
        try:
            return self.encoding.decode(data)
        except Damaged as error:
            self._fail(key, str(error))

    def _inner_chunk(self, index: Index, sharding: Sharding) -> tuple[str, bytes] | None:
        outer = tuple(at // count for at, count in zip(index, sharding.counts, strict=True))
        shard = self.place.recent.get((self.path, outer), lambda: self._opened(outer, sharding))
        if shard is None:
            return None
        number = 0
        for at, count in zip(index, sharding.counts, strict=True):
            number = number * count + at % count
        offset, length = shard.places[number].tolist()
        if offset == length == MISSING:
            return None
        key = f"{joined(*self._key(outer))}, chunk {list(index)}"
        if length > self.encoding.most or offset + length > shard.blob.size:
            self._fail(key, f"{length} bytes at byte {offset} of a shard of {shard.blob.size} bytes")
        data = shard.blob.read(offset, length)
        if len(data) != length:
            self._fail(key, "truncated: the shard was cut short while it was read")
        return key, data

    def _opened(self, outer: Index, sharding: Sharding) -> Shard | None:
        folder, name = self._key(outer)
        if not self.place.has(folder, name):
            return None
        key = joined(folder, name)
        most = prod(sharding.counts) * self.encoding.most + sharding.index_size
        blob = self.place.open(key, min(most, MAX_CHUNK))
        if blob.size < sharding.index_size:
            self._fail(key, f"{blob.size} bytes cannot hold the index of {sharding.index_size} bytes")
        at = blob.size - sharding.index_size if sharding.at_end else 0
        return Shard(blob, self._index(blob.read(at, sharding.index_size), sharding, key))

    def _index(self, data: bytes, sharding: Sharding, key: str) -> NDArray[np.uint64]:
        if len(data) != sharding.index_size:
            self._fail(key, "truncated: the shard was cut short while it was read")
        if sharding.checked:
            import google_crc32c

            declared, data = int.from_bytes(data[-4:], "little"), data[:-4]
            found = google_crc32c.value(data)
            if declared != found:
                self._fail(key, f"the crc32c checksum of its index is {found:08x}, and {declared:08x} is stored")
        return np.frombuffer(data, f"{sharding.endian}u8").astype(np.uint64).reshape(-1, 2)

    def _fail(self, key: str, what: str) -> NoReturn:
        raise UnreadableData(f"{self.name}: the chunk {key} cannot be decoded: {what}")

    def close(self) -> None:
        """Nothing is read any more."""
        self.last.held = None


def chunk_index(key: str, rank: int) -> tuple[int, ...] | None:
    """The grid index that a chunk's key names (`1.2`, `1/2`, `c/1/2`, `c.1.2`), or None for other files."""
    parts = re.split(r"[./]", key)
    digits = parts[1:] if parts[0] == "c" else parts
    if rank == 0:
        return () if key in ("0", "c") else None
    if len(digits) != rank or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in digits):
        return None
    return tuple(map(int, digits))
