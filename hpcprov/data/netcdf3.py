"""NetCDF-3 files: classic, 64-bit offsets and 64-bit data (CDF-1, 2 and 5), read with pread.

scipy reads the first two of them, but takes a variable whole into memory, or maps the file (where a file that is cut
short ends the process); so the header is read here, and scipy and the NetCDF library are what the tests compare with.

A variable is a field. Characters are text of one byte, as NetCDF-4 stores them. A dimension without a variable is none.

    open_netcdf3("run.nc").fields[0].read(((0, 10), (0, 20)))
"""

from __future__ import annotations

import os
from collections.abc import Callable
from math import prod
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, lengths, ordered
from hpcprov.data.netcdf3_header import TYPES, Variable, read_header
from hpcprov.data.npy import block_reader, strides_of
from hpcprov.data.types import check_distinct
from hpcprov.data.values import Values

#: Records are read together with what lies between them while that is at most so many bytes for each, or half.
NEAR = 4096
#: How many bytes are read at once that way.
SPAN = 4 << 20


def open_netcdf3(path: str) -> Dataset:
    """All variables of the file. Raises UnreadableData, or Unsigned when two have one name."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        header = read_header(lambda count, offset: os.pread(fd, count, offset), size)
        names = (item.name.decode("utf-8", "surrogateescape") for item in header.variables)
        check_distinct(names, "two variables have this name")
        return Dataset(
            "netcdf3", ordered([_field(fd, item, header.step) for item in header.variables]), lambda: os.close(fd)
        )
    except BaseException:
        os.close(fd)
        raise


def _field(fd: int, item: Variable, step: int) -> Field:
    dtype = np.dtype(TYPES[item.code])
    kind = type_of(dtype)
    if not item.is_record or item.slab == step:
        return Field(item.name, kind, item.shape, None, dtype.itemsize, block_reader(fd, item.begin, item.shape, dtype))
    chunks = (1, *(max(1, extent) for extent in item.shape[1:]))
    return Field(item.name, kind, item.shape, chunks, dtype.itemsize, _record_reader(fd, item, step, dtype))


def _record_reader(fd: int, item: Variable, step: int, dtype: np.dtype[Any]) -> Callable[[Box], Values]:
    """Reads boxes of a variable whose records lie `step` bytes apart."""
    inner = item.shape[1:]

    def each(box: Box) -> Values:
        values = np.empty(lengths(box), dtype)
        for at, record in enumerate(range(*box[0])):
            values[at] = block_reader(fd, item.begin + record * step, inner, dtype)(box[1:])
        return values

    def together(box: Box) -> Values:
        values = np.empty(lengths(box), dtype)
        first, stop = box[0]
        many = max(1, SPAN // step)
        for start in range(first, stop, many):
            count = min(many, stop - start)
            span = (count - 1) * step + item.slab
            octets = block_reader(fd, item.begin + start * step, (span,), np.dtype("u1"))(((0, span),))
            rows = np.ndarray((count, *inner), dtype, octets.data, 0, (step, *strides_of(inner, dtype.itemsize)))
            values[start - first : start - first + count] = rows[(slice(None), *(slice(*span) for span in box[1:]))]
        return values

    def read(box: Box) -> Values:
        wanted = prod(lengths(box[1:])) * dtype.itemsize
        return together(box) if step <= min(SPAN, 2 * wanted + NEAR) else each(box)

    return read
