"""NumPy's .npy files, read with pread: never by pickle, never by mmap (a file cut short would be a SIGBUS).

The one field has the empty path. Rows that a box needs only in part are read whole when that costs at most twice the
bytes.
"""

from __future__ import annotations

import ast
import os
from collections.abc import Callable
from itertools import product
from math import prod
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, lengths
from hpcprov.data.values import Values
from hpcprov.record.errors import UnreadableData

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 16


def open_npy(path: str) -> Dataset:
    """The array of a .npy file of format version 1, 2 or 3. Raises UnreadableData or Unsigned."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Dataset("npy", (_field(fd),), lambda: os.close(fd))
    except BaseException:
        os.close(fd)
        raise


def _field(fd: int) -> Field:
    shape, fortran, dtype, start = _header(fd)
    kind = type_of(dtype)
    _check_size(fd, start, prod(shape) * dtype.itemsize)
    read = block_reader(fd, start, shape[::-1] if fortran else shape, dtype)
    return Field(b"", kind, shape, None, dtype.itemsize, _transposed(read) if fortran else read)


def _header(fd: int) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, Fortran order, type and the offset of the values."""
    version = os.pread(fd, 8, 0)[6:]
    width = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}.get(version)
    if width is None:
        raise UnreadableData("not a valid npy header: neither version 1, 2 nor 3")
    length = int.from_bytes(os.pread(fd, width, 8), "little")
    text = os.pread(fd, min(length, MAX_HEADER), 8 + width)
    if len(text) != length:
        raise UnreadableData(f"not a valid npy header: {length} bytes long, {len(text)} could be read")
    try:
        return *_parsed(text.decode("utf-8" if version == b"\3\0" else "latin-1")), 8 + width + length
    except (
        ValueError,
        TypeError,
        SyntaxError,
        KeyError,
        IndexError,
        OverflowError,
        MemoryError,
        RecursionError,
    ) as error:
        raise UnreadableData(f"not a valid npy header: {str(error)[:200]}") from error


def _parsed(text: str) -> tuple[tuple[int, ...], bool, np.dtype[Any]]:
    header = ast.literal_eval(text.strip())
    dtype, shape = np.lib.format.descr_to_dtype(header["descr"]), header["shape"]
    if dtype.subdtype is not None or not isinstance(shape, tuple) or any(type(n) is not int or n < 0 for n in shape):
        raise ValueError(f"shape {shape!r}, type {dtype}")
    return shape, header["fortran_order"] is True, dtype


def _check_size(fd: int, start: int, declared: int) -> None:
    stored = os.fstat(fd).st_size - start
    if declared > stored:
        raise UnreadableData(f"truncated: {declared} bytes of values declared, {stored} stored")


def _transposed(read: Callable[[Box], Values]) -> Callable[[Box], Values]:
    return lambda box: read(box[::-1]).T


def block_reader(fd: int, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[[Box], Values]:
    """A function that reads boxes of a C-ordered array of `shape` that lies at the offset `start` of a file."""

    def read(box: Box) -> Values:
        whole = _whole_rows(box, shape)
        values = _gather(fd, start, shape, dtype, whole)
        if whole == box:
            return values
        return values[tuple(slice(b - w, e - w) for (b, e), (w, _) in zip(box, whole, strict=True))]

    return read


def _whole_rows(box: Box, shape: tuple[int, ...]) -> Box:
    """The box with trailing axes widened to the whole array while at most twice the elements are read."""
    wide = list(box)
    for axis in reversed(range(1, len(box))):
        begin, end = box[axis]
        if 2 * prod(lengths(box)) < prod(lengths(tuple(wide))) // max(1, end - begin) * shape[axis]:
            break
        wide[axis] = (0, shape[axis])
    return tuple(wide)


def _gather(fd: int, start: int, shape: tuple[int, ...], dtype: np.dtype[Any], box: Box) -> Values:
    values = np.zeros(lengths(box), dtype)
    size = dtype.itemsize
    if not values.size or not size:
        return values
    outer = len(box)
    while outer and box[outer - 1] == (0, shape[outer - 1]):
        outer -= 1
    leading = max(0, outer - 1)
    run = prod(lengths(box[leading:])) * size
    target = values.reshape(-1).view(np.uint8).data
    strides = [prod(shape[axis + 1 :]) * size for axis in range(len(shape))]
    first = start + sum(box[axis][0] * strides[axis] for axis in range(leading, len(box)))
    for at, index in enumerate(product(*(range(*span) for span in box[:leading]))):
        offset = first + sum(i * stride for i, stride in zip(index, strides, strict=False))
        _read_exactly(fd, target[at * run : (at + 1) * run], offset)
    return values


def _read_exactly(fd: int, target: memoryview, offset: int) -> None:
    while target:
        count = os.preadv(fd, [target], offset)
        if count == 0:
            raise UnreadableData(f"truncated: the file ended at byte {offset} while it was read")
        target, offset = target[count:], offset + count
