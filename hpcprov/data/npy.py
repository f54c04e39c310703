"""NumPy's .npy files, read with pread (or mapped, where the process was made for it): never by pickle.

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

from hpcprov.data import mapping
from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, lengths
from hpcprov.data.memory import Memory
from hpcprov.data.values import Values, octets_of
from hpcprov.record.errors import UnreadableData

MAGIC = b"\x93NUMPY"
MAX_HEADER = 1 << 16
#: What the kernel maps around a page that is touched.
SHORT_RUN = 1 << 16


def open_npy(path: str) -> Dataset:
    """The array of a .npy file of format version 1, 2 or 3. Raises UnreadableData or Unsigned."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        return Dataset("npy", (_field(fd),), lambda: os.close(fd))
    except BaseException:
        os.close(fd)
        raise


def _field(fd: int) -> Field:
    shape, fortran, dtype, start = read_header(lambda count, offset: os.pread(fd, count, offset))
    kind = type_of(dtype)
    _check_size(fd, start, prod(shape) * dtype.itemsize)
    read = block_reader(fd, start, shape[::-1] if fortran else shape, dtype)
    return Field(b"", kind, shape, None, dtype.itemsize, transposed(read) if fortran else read)


def read_header(pread: Callable[[int, int], bytes]) -> tuple[tuple[int, ...], bool, np.dtype[Any], int]:
    """Shape, Fortran order, type and the offset of the values of an npy file that `pread(count, offset)` reads. Raises
    UnreadableData."""
    version = pread(8, 0)[6:]
    width = {b"\1\0": 2, b"\2\0": 4, b"\3\0": 4}.get(version)
    if width is None:
        raise UnreadableData("not a valid npy header: neither version 1, 2 nor 3")
    length = int.from_bytes(pread(width, 8), "little")
    text = pread(min(length, MAX_HEADER), 8 + width)
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


def transposed(read: Callable[[Box], Values]) -> Callable[[Box], Values]:
    """Boxes of an array in Fortran order, by what reads it with its axes turned round."""
    return lambda box: read(box[::-1]).T


def block_reader(fd: int, start: int, shape: tuple[int, ...], dtype: np.dtype[Any]) -> Callable[[Box], Values]:
    """A function that reads boxes of a C-ordered array of `shape` that lies at the offset `start` of a file.

    Where files may be mapped (`hpcprov.data.mapping`) the values are the file's own pages, else a copy in memory that
    is used again once they are dropped."""
    memory, strides = Memory(), strides_of(shape, dtype.itemsize)
    assert dtype.subdtype is None

    def read(box: Box) -> Values:
        mapped = _mapped(fd, start, strides, shape, dtype, box)
        if mapped is not None:
            return mapped
        whole = _whole_rows(box, shape)
        values = memory.empty(lengths(whole), dtype)
        _gather(fd, start, strides, shape, values, whole)
        if whole == box:
            return values
        return values[tuple(slice(b - w, e - w) for (b, e), (w, _) in zip(box, whole, strict=True))]

    return read


def _mapped(
    fd: int, start: int, strides: tuple[int, ...], shape: tuple[int, ...], dtype: np.dtype[Any], box: Box
) -> Values | None:
    """The box in the file's own pages; None when it cannot be mapped, or lies in runs so short that the kernel would
    map more of what lies between them."""
    extents = lengths(box)
    if dtype.hasobject or not dtype.itemsize or not prod(extents):
        return None
    first = sum(begin * stride for (begin, _), stride in zip(box, strides, strict=True))
    last = sum((end - 1) * stride for (_, end), stride in zip(box, strides, strict=True))
    span, run = last - first + dtype.itemsize, prod(extents[stepped_axes(box, shape) :]) * dtype.itemsize
    if run < min(span, SHORT_RUN):
        return None
    window = mapping.window(fd, start + first, span)
    return None if window is None else np.ndarray(extents, dtype, window, strides=strides)


def stepped_axes(box: Box, shape: tuple[int, ...]) -> int:
    """How many axes are stepped through: along those after them the elements of the box lie together."""
    outer = len(box)
    while outer and box[outer - 1] == (0, shape[outer - 1]):
        outer -= 1
    return max(0, outer - 1)


def strides_of(shape: tuple[int, ...], size: int) -> tuple[int, ...]:
    """How many bytes lie between neighbours along each axis of a C-ordered array of elements of `size` bytes."""
    return tuple(prod(shape[axis + 1 :]) * size for axis in range(len(shape)))


def _whole_rows(box: Box, shape: tuple[int, ...]) -> Box:
    """The box with trailing axes widened to the whole array while at most twice the elements are read."""
    wide = list(box)
    for axis in reversed(range(1, len(box))):
        begin, end = box[axis]
        if 2 * prod(lengths(box)) < prod(lengths(tuple(wide))) // max(1, end - begin) * shape[axis]:
            break
        wide[axis] = (0, shape[axis])
    return tuple(wide)


def _gather(fd: int, start: int, strides: tuple[int, ...], shape: tuple[int, ...], values: Values, box: Box) -> None:
    """Fill `values` with the box, each run of elements that lie together by one read."""
    size = values.dtype.itemsize
    if not values.size or not size:
        return
    leading = stepped_axes(box, shape)
    run = prod(lengths(box[leading:])) * size
    target = octets_of(values)
    first = start + sum(box[axis][0] * strides[axis] for axis in range(leading, len(box)))
    for at, index in enumerate(product(*(range(*span) for span in box[:leading]))):
        offset = first + sum(i * stride for i, stride in zip(index, strides, strict=False))
        _read_exactly(fd, target[at * run : (at + 1) * run], offset)


def _read_exactly(fd: int, target: memoryview, offset: int) -> None:
    while target:
        count = os.preadv(fd, [target], offset)
        if count == 0:
            raise UnreadableData(f"truncated: the file ended at byte {offset} while it was read")
        target, offset = target[count:], offset + count
