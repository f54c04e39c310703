"""Attributes of NetCDF-3 files, from their header.

attributes("run.nc").fields["depth"]["units"]
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from hpcprov.data.attributes import MOST_OCTETS, Attributes, Storage
from hpcprov.data.netcdf3_header import SIZES, TYPES, Attribute, Header, read_header

TEXT = 2


def attributes(path: str) -> Attributes:
    """Of the file and of each variable. Raises UnreadableData."""
    found = Attributes()
    with opened(path) as (header, pread):
        _gather(header.attributes.items, found, None, pread)
        for item in header.variables:
            name = _text(item.name)
            found.fields[name] = {}
            _gather(item.attributes.items, found, name, pread)
    return found


def storage(path: str) -> dict[str, Storage]:
    """Of each variable: it lies as it is, and its axes have names."""
    with opened(path) as (header, _):
        return {
            _text(item.name): Storage(dimensions=[_text(name) for name in item.dimensions] or None)
            for item in header.variables
        }


@contextmanager
def opened(path: str) -> Iterator[tuple[Header, Callable[[int, int], bytes]]]:
    """The header of a file, and what reads its bytes."""
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    try:

        def pread(count: int, offset: int) -> bytes:
            return os.pread(fd, count, offset)

        yield read_header(pread, os.fstat(fd).st_size), pread
    finally:
        os.close(fd)


def _gather(
    items: tuple[Attribute, ...], found: Attributes, where: str | None, pread: Callable[[int, int], bytes]
) -> None:
    for item in items:
        size = item.count * SIZES[item.code]
        if size > MOST_OCTETS:
            found.skip(where, _text(item.name), f"{size} bytes, and at most {MOST_OCTETS} are taken")
        else:
            found.add(where, _text(item.name), _value(item, pread(size, item.begin)))


def _value(item: Attribute, raw: bytes) -> Any:
    return raw.rstrip(b"\0") if item.code == TEXT else np.frombuffer(raw, TYPES[item.code])


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
