"""Attributes written into the copy of a NetCDF-3 file: its header is written anew, and the values move where it grows.

Some room is left behind a header that grew, so that the next change moves nothing. Numbers are int or double.
"""

from __future__ import annotations

import os
import struct

from hpcprov.data.attributes import Value
from hpcprov.data.embed import Changes
from hpcprov.data.embed_hdf5 import encoded
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.data.netcdf3_header import ATTRIBUTES, Attributes, Header, Span, read_header
from hpcprov.record.errors import UnreadableData

TEXT, INT, DOUBLE = 2, 4, 6
#: Bytes that are left for changes to come, and that values are moved in.
ROOM, STEP = 8192, 4 << 20


def edit(draft: str, changes: Changes) -> None:
    """Change a file that is nobody else's. Raises NotEmbedded, UnreadableData."""
    fd = os.open(draft, os.O_RDWR | os.O_CLOEXEC)
    try:
        size = os.fstat(fd).st_size
        header = read_header(lambda count, offset: os.pread(fd, count, offset), size)
        old = os.pread(fd, header.size, 0)
        edits = _edits(old, header, changes)
        start = min((item.begin for item in header.variables), default=size)
        growth = sum(len(new) - (end - begin) for (begin, end), new in edits)
        missing = header.size + growth - start
        step = -(-(missing + ROOM) // 4) * 4 if missing > 0 else 0
        if step:
            _move(fd, start, size, step)
        new = _spliced(old, edits + _places(header, step))
        _write(fd, new + bytes(start + step - len(new)), 0)
    finally:
        os.close(fd)


def _edits(old: bytes, header: Header, changes: Changes) -> list[tuple[Span, bytes]]:
    """Parts of the header, and what takes their place."""
    named = {item.name.decode("utf-8", "surrogateescape"): item.attributes for item in header.variables}
    for name in changes.fields:
        if name not in named:
            raise UnreadableData(f"it has no field {name!a}")
    lists = [(header.attributes, changes.dataset), *((named[name], values) for name, values in changes.fields.items())]
    return [(own.span, _list(old, own, values, header.wide)) for own, values in lists if values]


def _list(old: bytes, own: Attributes, values: dict[str, Value | None], wide: int) -> bytes:
    """A list of attributes with some of them changed; new ones are the last."""
    texts = {item.name.decode("utf-8", "surrogateescape"): old[slice(*item.span)] for item in own.items}
    for name, value in values.items():
        if value is None:
            texts.pop(name, None)
        else:
            texts[name] = _attribute(name, value, wide)
    head = (ATTRIBUTES if texts else 0).to_bytes(4, "big") + len(texts).to_bytes(wide, "big")
    return b"".join([head, *texts.values()])


def _attribute(name: str, value: Value, wide: int) -> bytes:
    code, count, octets = _values(name, value)
    return _sized(encoded(name), wide) + code.to_bytes(4, "big") + count.to_bytes(wide, "big") + _padded(octets)


def _values(name: str, value: Value) -> tuple[int, int, bytes]:
    """Type, number and bytes of an attribute's values."""
    if isinstance(value, str):
        octets = encoded(value)
        return TEXT, len(octets), octets
    items = value if isinstance(value, list) else [value]
    if not all(isinstance(item, bool | int | float) for item in items):
        raise NotEmbedded(f"{name}: NetCDF-3 has no lists of texts")
    if all(isinstance(item, int) and -(1 << 31) <= item < 1 << 31 for item in items):
        return INT, len(items), struct.pack(f">{len(items)}i", *items)
    return DOUBLE, len(items), struct.pack(f">{len(items)}d", *items)


def _places(header: Header, step: int) -> list[tuple[Span, bytes]]:
    """Where the values begin once they have moved."""
    width = 4 if header.version == 1 else 8
    if width == 4 and any(item.begin + step >= 1 << 31 for item in header.variables):
        raise NotEmbedded("its values would begin beyond 2 GiB, which the classic format cannot say")
    return [
        ((item.begin_at, item.begin_at + width), (item.begin + step).to_bytes(width, "big"))
        for item in header.variables
        if step
    ]


def _spliced(old: bytes, edits: list[tuple[Span, bytes]]) -> bytes:
    parts, last = [], 0
    for (begin, end), new in sorted(edits):
        parts += [old[last:begin], new]
        last = end
    return b"".join([*parts, old[last:]])


def _move(fd: int, start: int, size: int, step: int) -> None:
    """Move everything from `start` on by `step` bytes, the last bytes first."""
    at = size
    while at > start:
        first = max(start, at - STEP)
        _write(fd, os.pread(fd, at - first, first), first + step)
        at = first


def _write(fd: int, octets: bytes, at: int) -> None:
    view = memoryview(octets)
    while view:
        count = os.pwrite(fd, view, at)
        view, at = view[count:], at + count


def _sized(octets: bytes, wide: int) -> bytes:
    return len(octets).to_bytes(wide, "big") + _padded(octets)


def _padded(octets: bytes) -> bytes:
    return octets + bytes(-len(octets) % 4)
