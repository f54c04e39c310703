"""NumPy's .npz files: a ZIP file whose entries are npy files, stored as they are or deflated.

An entry is a field; its name without `.npy` is the path. Entries that are stored are read in place; deflated ones are
inflated from the last point before a box (`hpcprov.data.inflate`), so that memory is bounded however long they are.
Either way the entry's CRC-32 is checked before the first box is given.

    open_npz("fields.npz").fields[0].read(((0, 10),))
"""

from __future__ import annotations

import os
import zipfile
import zlib
from collections.abc import Callable
from dataclasses import dataclass
from itertools import product
from math import prod
from threading import Lock
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.inflate import Inflated
from hpcprov.data.interface import Box, Dataset, Field, lengths, ordered
from hpcprov.data.npy import block_reader, read_header, stepped_axes, strides_of, transposed
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values
from hpcprov.data.zarr_zip import Archive
from hpcprov.record.errors import UnreadableData

SUFFIX = ".npy"
PIECE = 1 << 20


def open_npz(path: str) -> Dataset:
    """All arrays of the file. Raises UnreadableData or Unsigned."""
    archive = Archive(path)
    try:
        return Dataset("npz", ordered([_field(archive, key) for key in archive.entries]), archive.close)
    except BaseException:
        archive.close()
        raise


def _field(archive: Archive, key: str) -> Field:
    name = key.removesuffix(SUFFIX)
    try:
        source = _source(archive, key)
        shape, fortran, dtype, start = read_header(source.pread)
        kind = type_of(dtype)
        if start + prod(shape) * dtype.itemsize > source.size:
            raise UnreadableData(
                f"truncated: {prod(shape) * dtype.itemsize} bytes of values declared, {source.size - start} stored"
            )
    except Unsigned as refusal:
        raise Unsigned(f"{name}: {refusal}") from refusal
    except UnreadableData as error:
        raise UnreadableData(f"{name}: {error}") from error
    stored = shape[::-1] if fortran else shape
    read = _named(name, source.reader(start, stored, dtype))
    chunks = None if isinstance(source, _Stored) or not shape or fortran else _slab(shape, dtype.itemsize)
    octets = name.encode("utf-8", "surrogatepass")
    return Field(octets, kind, shape, chunks, dtype.itemsize, transposed(read) if fortran else read)


def _slab(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """What is inflated together: whole rows, as far as they are about as long as a piece."""
    row = max(1, prod(shape[1:]) * size)
    return (max(1, min(shape[0], PIECE // row)), *(max(1, extent) for extent in shape[1:]))


def _named(name: str, read: Callable[[Box], Values]) -> Callable[[Box], Values]:
    def named(box: Box) -> Values:
        try:
            return read(box)
        except UnreadableData as error:
            raise UnreadableData(f"{name}: {error}") from error

    return named


def _source(archive: Archive, key: str) -> _Stored | _Deflated:
    entry = archive.entries[key]
    start = archive.start(key, entry)
    if entry.method == zipfile.ZIP_STORED:
        return _Stored(archive.fd, start, entry.size, entry.checksum)
    return _Deflated(Inflated(archive.fd, start, entry.packed, entry.size, entry.checksum))


@dataclass
class _Stored:
    """An entry whose bytes lie in the archive as they are."""

    fd: int
    start: int
    size: int
    checksum: int

    def pread(self, count: int, offset: int) -> bytes:
        return os.pread(self.fd, max(0, min(count, self.size - offset)), self.start + offset)

    def reader(self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[[Box], Values]:
        read, checked = block_reader(self.fd, self.start + start, shape, dtype), _Once(self.check)

        def checked_read(box: Box) -> Values:
            checked()
            return read(box)

        return checked_read

    def check(self) -> None:
        checksum = 0
        for at in range(0, self.size, PIECE):
            checksum = zlib.crc32(self.pread(PIECE, at), checksum)
        if checksum != self.checksum:
            raise UnreadableData("its bytes do not match the CRC-32 in the archive")


@dataclass
class _Deflated:
    """An entry that is inflated while it is read."""

    stream: Inflated

    @property
    def size(self) -> int:
        return self.stream.size

    def pread(self, count: int, offset: int) -> bytes:
        """For the header: from the beginning on."""
        target = bytearray(max(0, min(count, self.size - offset)))
        self.stream.start_cursor().read_into(memoryview(target), offset)
        return bytes(target)

    def reader(self, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[[Box], Values]:
        strides = strides_of(shape, dtype.itemsize)

        def read(box: Box) -> Values:
            self.stream.check()
            values = np.empty(lengths(box), dtype)
            if not values.size or not dtype.itemsize:
                return values
            leading = stepped_axes(box, shape)
            run = prod(lengths(box[leading:])) * dtype.itemsize
            target = values.reshape(-1).view(np.uint8).data
            first = start + sum(begin * stride for (begin, _), stride in zip(box, strides, strict=True))
            cursor = self.stream.cursor(first)
            for at, index in enumerate(product(*(range(stop - begin) for begin, stop in box[:leading]))):
                offset = first + sum(i * stride for i, stride in zip(index, strides, strict=False))
                cursor.read_into(target[at * run : (at + 1) * run], offset)
            return values

        return read


class _Once:
    """Calls a function once, whichever thread comes first; what it raised is raised for all."""

    def __init__(self, call: Callable[[], None]) -> None:
        self.call, self.done, self.lock = call, False, Lock()

    def __call__(self) -> None:
        with self.lock:
            if not self.done:
                self.call()
                self.done = True
