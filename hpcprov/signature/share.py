"""What nodes tell each other while they share out hashing: one append-only file per node, and claims.

    share-<node>.bin:  b"HPS1", u32 length of head, u64 length of body, head (JSON), body, 16 bytes of BLAKE3 of all
    before

An entry is valid when its checksum fits. A kill leaves at most a torn entry; readers look for the next b"HPS1" after
damage.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from blake3 import blake3

from hpcprov.record.layout import is_share

MAGIC = b"HPS1"
FIXED = 16
CHECK = 16
CLAIMS = "claims"


@dataclass(frozen=True)
class Note:
    """One entry: a JSON object and bytes."""

    head: dict[str, Any]
    body: bytes = b""


def share_path(shared_dir: str, node: str) -> str:
    """The file of a node. Raises ValueError for a name that could leave the directory."""
    if not re.fullmatch(r"[A-Za-z0-9._-]+", node):
        raise ValueError(f"not a node's name: {node!r}")
    return os.path.join(shared_dir, f"share-{node}.bin")


def pack(note: Note) -> bytes:
    """The entry as it lies in the file."""
    head = json.dumps(note.head).encode()
    content = MAGIC + len(head).to_bytes(4, "little") + len(note.body).to_bytes(8, "little") + head + note.body
    return content + blake3(content).digest(CHECK)


def append(path: str, note: Note) -> None:
    """Add an entry to a node's file. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    try:
        rest = memoryview(pack(note))
        while rest:
            rest = rest[os.write(fd, rest) :]
    finally:
        os.close(fd)


def unpack(data: bytes) -> Iterator[Note]:
    """Every intact entry, whatever lies between them."""
    at = data.find(MAGIC)
    while at >= 0:
        note, length = _entry_at(data, at)
        if note is not None:
            yield note
        at = data.find(MAGIC, at + length)


def _entry_at(data: bytes, at: int) -> tuple[Note | None, int]:
    """The entry that begins at `at` and its length; None and 1 when it is not intact."""
    head = int.from_bytes(data[at + 4 : at + 8], "little")
    body = int.from_bytes(data[at + 8 : at + FIXED], "little")
    middle, end = at + FIXED + head, at + FIXED + head + body
    if end + CHECK > len(data) or blake3(memoryview(data)[at:end]).digest(CHECK) != data[end : end + CHECK]:
        return None, 1
    try:
        value = json.loads(data[at + FIXED : middle])
    except ValueError:
        return None, 1
    return (Note(value, data[middle:end]) if isinstance(value, dict) else None), end + CHECK - at


def read_all(shared_dir: str) -> list[Note]:
    """The entries of every node, nodes in the order of their names; a file that cannot be read counts as empty."""
    try:
        names = sorted(name for name in os.listdir(shared_dir) if is_share(name))
    except OSError:
        return []
    return [note for name in names for note in unpack(_content(os.path.join(shared_dir, name)))]


def _content(path: str) -> bytes:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK), "rb") as file:
            return file.read() or b""
    except OSError:
        return b""


def claim(shared_dir: str, name: str) -> bool:
    """Whether this process is the first to claim `name`; also true where claims cannot be made, since work twice done
    is done."""
    try:
        os.makedirs(os.path.join(shared_dir, CLAIMS), exist_ok=True)
        flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
        os.close(os.open(os.path.join(shared_dir, CLAIMS, name), flags, 0o666))
    except FileExistsError:
        return False
    except OSError:
        return True
    return True
