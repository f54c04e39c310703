"""ELF files: the build id, the program interpreter and how the file is linked, without reading more than its headers.

    inspect("/usr/bin/env") == {"build_id": "72ad...", "linking": "dynamic"}

Every offset and size is the file's own claim, so each is checked against a bound before it is followed.
Source: System V ABI, "Object Files"; elf(5), "Notes".
"""

from __future__ import annotations

import os
import struct

from hpcprov.capture.reading import open_regular
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MAGIC = b"\x7fELF"
PT_DYNAMIC, PT_INTERP, PT_NOTE = 2, 3, 4
NT_GNU_BUILD_ID = 3
MOST_SEGMENTS = 512
NOTES_LIMIT = 1 << 16
BUILD_ID_LIMIT = 64
# Layouts by class: header after e_ident (to e_phnum), and program header; the order of fields differs between classes.
HEADERS = {1: "HHIIIIIHHH", 2: "HHIQQQIHHH"}
SEGMENTS = {1: "IIIIIIII", 2: "IIQQQQQQ"}
# Place of type, offset, size and alignment in a program header.
FIELDS = {1: (0, 1, 4, 7), 2: (0, 2, 5, 7)}
ORDERS = {1: "<", 2: ">"}


class NotElf(HpcprovError):
    """A file is no ELF file, or its headers contradict themselves."""


def inspect(path: str) -> dict[str, str]:
    """Build id (hexadecimal, or a reason) and linking (`static`, `dynamic`) of an ELF file.

    Raises OSError, NotElf.
    """
    descriptor = open_regular(path)
    try:
        segments = list(read_segments(descriptor))
        identity = find_build_id(descriptor, segments)
    finally:
        os.close(descriptor)
    dynamic = any(kind == PT_INTERP for kind, *_ in segments)
    known = {"build_id": identity} if identity else {"reason": "the file has no build id"}
    return known | {"linking": "dynamic" if dynamic else "static"}


def read_segments(descriptor: int) -> Iterator[tuple[int, int, int, int]]:
    """Type, file offset, size and alignment of each segment. Raises OSError, NotElf."""
    head = os.pread(descriptor, 64, 0)
    kind, order = parse_identity(head)
    header = struct.Struct(order + HEADERS[kind])
    if len(head) < 16 + header.size:
        raise NotElf("the ELF header is cut off")
    _, _, _, _, offset, _, _, _, size, count = header.unpack_from(head, 16)
    segment = struct.Struct(order + SEGMENTS[kind])
    if size < segment.size or count > MOST_SEGMENTS or offset > 1 << 62:
        raise NotElf(f"{count} program headers of {size} bytes are not believable")
    table = os.pread(descriptor, size * count, offset)
    if len(table) < size * count:
        raise NotElf("the program headers are cut off")
    for place in range(count):
        values = segment.unpack_from(table, place * size)
        kind_at, offset_at, size_at, alignment_at = FIELDS[kind]
        yield values[kind_at], values[offset_at], values[size_at], values[alignment_at]


def parse_identity(head: bytes) -> tuple[int, str]:
    """Class (1: 32 bits, 2: 64 bits) and byte order of an ELF file. Raises NotElf."""
    if len(head) < 16 or head[:4] != MAGIC:
        raise NotElf("not an ELF file")
    if head[4] not in HEADERS or head[5] not in ORDERS:
        raise NotElf(f"ELF class {head[4]} with data encoding {head[5]} is not known")
    return head[4], ORDERS[head[5]]


def find_build_id(descriptor: int, segments: list[tuple[int, int, int, int]]) -> str | None:
    """The build id among the note segments. Raises OSError."""
    order = parse_identity(os.pread(descriptor, 16, 0))[1]
    for kind, offset, size, alignment in segments:
        if kind == PT_NOTE and offset <= 1 << 62:
            notes = os.pread(descriptor, min(size, NOTES_LIMIT), offset)
            found = parse_notes(notes, order, 8 if alignment == 8 else 4)
            if found:
                return found
    return None


def parse_notes(notes: bytes, order: str, alignment: int) -> str | None:
    """The GNU build id in a note segment, hexadecimal; None when there is none before the first damage."""
    place = 0
    while place + 12 <= len(notes):
        name_size, size, kind = struct.unpack_from(order + "III", notes, place)
        start = place + 12 + padded(name_size, 4)
        start = place + padded(start - place, alignment)
        if start + size > len(notes):
            return None
        name = notes[place + 12 : place + 12 + name_size]
        if kind == NT_GNU_BUILD_ID and name == b"GNU\0" and 0 < size <= BUILD_ID_LIMIT:
            return notes[start : start + size].hex()
        place = start + padded(size, alignment)
    return None


def padded(size: int, alignment: int) -> int:
    """`size` rounded up to a multiple of `alignment`."""
    return -(-size // alignment) * alignment
