"""The storage digest: the same bytes, the same digest. For a file it equals `b3sum`; for a directory it is that of a
listing.

The listing has one line per entry below the directory, except directories named `.hpcprov`, in unsigned byte order of
the relative paths, each ended by a NUL:

    dir - results
    file <hex: BLAKE3 of its bytes> results/out.h5
    link <hex: BLAKE3 of the text it points to> latest
    other - socket

    $ b3sum out.h5          ->  blake3:<the same hex>
"""

from __future__ import annotations

import os
from collections.abc import Iterator

from blake3 import blake3

from hpcprov.signature.deadline import check
from hpcprov.signature.snapshot import Entry, Snapshot
from hpcprov.signature.watch import Watch

PREFIX = "blake3:"
BLOCK = 4 << 20


def storage_digest(
    path: str,
    snapshot: Snapshot,
    *,
    threads: int = 1,
    deadline: float | None = None,
    watch: Watch | None = None,
    known: dict[bytes, str] | None = None,
) -> str:
    """`blake3:<hex>` of the artifact that `snapshot` lists. Raises OSError or TimeUp.

    `known` has digests of a directory's files by relative path: those are not read, and the others are added."""
    if not snapshot.is_directory:
        return PREFIX + file_digest(os.fsencode(path), threads=threads, deadline=deadline)
    listing = blake3()
    for line in _lines(os.fsencode(path), snapshot.entries[1:], threads, deadline, {} if known is None else known):
        listing.update(line)
    return PREFIX + listing.hexdigest()


def file_digest(path: bytes, *, threads: int = 1, deadline: float | None = None) -> str:
    """BLAKE3 of a file's bytes, in hexadecimal. Never waits at a pipe. Raises OSError or TimeUp."""
    hasher, block = blake3(max_threads=threads), bytearray(BLOCK)
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        check(deadline)
        while count := os.readv(fd, [block]):
            hasher.update(memoryview(block)[:count])
            check(deadline)
    finally:
        os.close(fd)
    return hasher.hexdigest()


def _lines(
    root: bytes, entries: tuple[Entry, ...], threads: int, deadline: float | None, known: dict[bytes, str]
) -> Iterator[bytes]:
    for entry in entries:
        place = os.path.join(root, entry.path)
        content = "-"
        if entry.kind == "file":
            if entry.path not in known:
                count = threads if entry.size > BLOCK else 1
                known[entry.path] = file_digest(place, threads=count, deadline=deadline)
            content = known[entry.path]
        elif entry.kind == "link":
            content = blake3(os.readlink(place)).hexdigest()
        yield f"{entry.kind} {content} ".encode() + entry.path + b"\0"
