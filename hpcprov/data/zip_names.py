"""What a ZIP file is, by the names in its directory: an npz archive, a Zarr store, or just an archive.

    npz    there are entries, and the names of all end in .npy
    Zarr   the root has zarr.json, or .zgroup, .zarray or .zmetadata

Only names are looked at, in the directory's own bytes, so that asking costs little for any archive.

    zip_format(fd, {"zarr.json": "zarr3"})      # "npz", "zarr3" or "file"
"""

from __future__ import annotations

import os
from collections.abc import Iterator, Mapping
from struct import Struct

MAGICS = (b"PK\x03\x04", b"PK\x05\x06")
#: A larger directory is not looked at: the archive is a plain file. That of a million chunks takes some 80 MB.
MAX_DIRECTORY = 128 << 20
#: The end record with the longest comment, and the ZIP64 locator before it.
TAIL = 22 + 65535 + 20
END, LOCATOR, END64, ENTRY = b"PK\x05\x06", b"PK\x06\x07", b"PK\x06\x06", b"PK\x01\x02"
#: The fixed part of an entry; in it the lengths of its name, extra field and comment.
FIXED = 46
SIZES = Struct("<3H")


def zip_format(fd: int, roots: Mapping[str, str]) -> str:
    """`npz`, the format that `roots` gives for a name in the archive's root, or `file`."""
    found, count, arrays = set(), 0, 0
    for name in names(fd):
        count += 1
        arrays += name.endswith(b".npy")
        if b"/" not in name and name.decode("latin-1") in roots:
            found.add(name.decode("latin-1"))
    store = next((form for name, form in roots.items() if name in found), None)
    return store or ("npz" if 0 < count == arrays else "file")


def names(fd: int) -> Iterator[bytes]:
    """The entries' names, up to the first damage."""
    directory = _directory(fd)
    at = 0
    while directory[at : at + 4] == ENTRY and at + FIXED <= len(directory):
        name, extra, comment = SIZES.unpack_from(directory, at + 28)
        yield directory[at + FIXED : at + FIXED + name]
        at += FIXED + name + extra + comment


def _directory(fd: int) -> bytes:
    size = os.fstat(fd).st_size
    first = max(0, size - TAIL)
    tail = os.pread(fd, TAIL, first)
    end = tail.rfind(END)
    if end < 0 or end + 22 > len(tail):
        return b""
    length = _number(tail, end + 12, 4)
    before = first + end
    locator = tail[max(0, end - 20) : end]
    if locator[:4] == LOCATOR:
        before = _number(locator, 8, 8)
        wide = os.pread(fd, 56, before) if before < size else b""
        if wide[:4] != END64 or len(wide) < 56:
            return b""
        length = _number(wide, 40, 8)
    # The directory ends where its end record begins, also when something was put in front of the archive.
    start = before - length
    if length > MAX_DIRECTORY or start < 0 or start + length > size:
        return b""
    return os.pread(fd, length, start)


def _number(data: bytes, at: int, width: int) -> int:
    return int.from_bytes(data[at : at + width], "little")
