"""Tile manifests: a field's leaves, kept by the name of the root that they add up to, so that a later change can be
located without the old data.

    <tiles>/7d/7d32...      b"hpcprov tiles 1\n", then the message of rule 8: s(token), rank, shape, tile extents,
                            leaves

So a manifest proves itself: the digest of what follows its first line is its name. Whatever does not is refused.

    keep(store.tiles, signed)
    load(store.tiles, "7d32...", most=4096).leaves
"""

from __future__ import annotations

import os
import re
import stat
import time
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from math import prod

from hpcprov.data.open import reason
from hpcprov.record import layout
from hpcprov.signature import tree
from hpcprov.signature.deadline import TimeUp, check
from hpcprov.signature.field import Signed
from hpcprov.signature.tiles import grid_of

HEAD = b"hpcprov tiles 1\n"
#: A header longer than this is nobody's: type tokens of nested structs are the longest part of it.
MAX_HEADER = 1 << 20
MAX_RANK = 1 << 10
DRAFT = ".draft-"
#: Syncing a file is mostly waiting: file systems put many at once into one commit.
WRITERS = 16
#: Drafts of killed processes are removed when they are that old, seconds.
STALE = 3600.0


@dataclass(frozen=True)
class Manifest:
    """A field's type token, shape, tile extents and leaves (32 bytes each, in C order of the grid)."""

    token: bytes
    shape: tuple[int, ...]
    tile: tuple[int, ...]
    leaves: bytes


def keep_all(
    folder: str, signed: Iterable[Signed], *, durable: bool = True, deadline: float | None = None
) -> str | None:
    """Keep the manifests of several fields; None, or why some could not be kept: a full disk costs nothing else.

    What need not outlive a crash of the machine is not synced (`durable`)."""

    def work(field: Signed) -> None:
        check(deadline)
        keep(folder, field, durable=durable)

    several = [field for field in signed if field.shape is not None and len(field.leaves) >= 2 * tree.DIGEST]
    try:
        _sweep(folder)
        with ThreadPoolExecutor(max(1, min(WRITERS, len(several)))) as pool:
            for _ in pool.map(work, several):
                pass
    except (OSError, TimeUp) as error:
        return f"tile digests were not kept: {reason(error)}"
    return None


def keep(folder: str, signed: Signed, *, durable: bool = True) -> None:
    """Write the manifest of a field that has a shape, all or nothing; one that is there and sound stays. Raises
    OSError."""
    assert signed.shape is not None
    head = HEAD + tree.field_message(signed.type.token, signed.shape, signed.tile)
    place = layout.manifest(folder, signed.root.hex())
    if _holds(place, head, signed.leaves):
        _touch(place)
    else:
        _write(folder, place, head, signed.leaves, durable)


def load(folder: str, root: str, *, most: int) -> Manifest | None:
    """The manifest of the field root `root` (hexadecimal); None when there is none with at most `most` tiles, or it is
    not what its name says."""
    if not re.fullmatch(r"[0-9a-f]{64}", root):
        return None
    try:
        fd = os.open(layout.manifest(folder, root), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
    except OSError:
        return None
    try:
        with open(fd, "rb", buffering=0) as file:
            facts = os.fstat(fd)
            if not stat.S_ISREG(facts.st_mode) or facts.st_size > MAX_HEADER + most * tree.DIGEST:
                return None
            found = _parsed(file.readall(), root)
        return found if found is not None and len(found.leaves) <= most * tree.DIGEST else None
    except (OSError, MemoryError):
        return None


def _parsed(content: bytes, root: str) -> Manifest | None:
    body = memoryview(content)[len(HEAD) :]
    if not content.startswith(HEAD) or tree.hasher("field").update(body).hexdigest() != root:
        return None
    token, at = _token(body)
    rank = int.from_bytes(body[at : at + 8], "little")
    at += 8
    if rank > MAX_RANK or len(body) < at + 16 * rank:
        return None
    numbers = [int.from_bytes(body[at + 8 * k : at + 8 * k + 8], "little") for k in range(2 * rank)]
    shape, tile, leaves = tuple(numbers[:rank]), tuple(numbers[rank:]), bytes(body[at + 16 * rank :])
    if not all(tile) or len(leaves) != tree.DIGEST * prod(grid_of(shape, tile)):
        return None
    return Manifest(token, shape, tile, leaves)


def _token(body: memoryview) -> tuple[bytes, int]:
    """The type token, and where what follows it begins."""
    length = int.from_bytes(body[:8], "little")
    token = bytes(body[8 : 8 + min(length, MAX_HEADER)])
    return token, 8 + min(length, len(body))


def _write(folder: str, place: str, head: bytes, leaves: bytes | bytearray, durable: bool) -> None:
    os.makedirs(os.path.dirname(place), exist_ok=True)
    draft = os.path.join(folder, f"{DRAFT}{os.getpid()}-{os.urandom(8).hex()}")
    try:
        fd = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o444)
        with open(fd, "wb") as file:
            file.write(head)
            file.write(leaves)
            file.flush()
            if durable:
                os.fsync(fd)
        os.rename(draft, place)
    except OSError:
        _discard(draft)
        raise


def _sweep(folder: str) -> None:
    """Remove the drafts of processes that were killed while they wrote."""
    if not os.path.isdir(folder):
        return
    with os.scandir(folder) as found:
        for item in found:
            if item.name.startswith(DRAFT) and item.stat(follow_symlinks=False).st_mtime < time.time() - STALE:
                _discard(item.path)


def _touch(path: str) -> None:
    """Let a manifest look as young as its latest use: `hpcprov prune` drops old ones."""
    try:
        os.utime(path, follow_symlinks=False)
    except OSError:
        pass  # another user's


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def _holds(path: str, head: bytes, leaves: bytes | bytearray) -> bool:
    """Whether a regular file has just this content: one that was damaged is written again."""
    try:
        facts = os.lstat(path)
        if not stat.S_ISREG(facts.st_mode) or facts.st_size != len(head) + len(leaves):
            return False
        with open(path, "rb", buffering=0) as file:
            return file.read(len(head)) == head and file.readall() == leaves
    except OSError:
        return False
