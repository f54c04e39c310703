"""What an artifact looked like at one moment: every file's device, inode, size and times.

Two equal snapshots, one from before reading and one from after, say that nothing was changed in between. The
`fingerprint` names results in the cache; the `stamp` leaves out what differs between nodes of a cluster (device
numbers, inodes).

Directories named `.hpcprov` are left out: a run whose output is its own working directory would sign its own log.
"""

from __future__ import annotations

import json
import os
import stat
from collections.abc import Iterator
from dataclasses import dataclass
from itertools import islice
from operator import itemgetter
from typing import NamedTuple

from blake3 import blake3

from hpcprov.record.errors import UnreadableData

#: File times are that coarse on some file systems: younger files may change without a trace.
SETTLED_NS = 2_000_000_000
CHANGED = "changed while it was read"
#: The tool's own store, as in record/layout.py.
STORE = b".hpcprov"


class Entry(NamedTuple):
    """A file, directory, link or other thing; `path` is relative to the artifact, empty for the artifact itself."""

    path: bytes
    kind: str
    device: int
    inode: int
    size: int
    mtime: int
    ctime: int


@dataclass(frozen=True)
class Snapshot:
    """All entries in unsigned byte order of their paths; the first one is the artifact itself."""

    entries: tuple[Entry, ...]

    @property
    def is_directory(self) -> bool:
        return self.entries[0].kind == "dir"

    @property
    def size(self) -> int:
        """Bytes of all regular files."""
        return sum(entry.size for entry in self.entries if entry.kind == "file")

    @property
    def files(self) -> int | None:
        """How many regular files a directory holds; None for a file."""
        return sum(entry.kind == "file" for entry in self.entries) if self.is_directory else None

    @property
    def mtime(self) -> int:
        """The latest modification, nanoseconds since the epoch."""
        return max(entry.mtime for entry in self.entries)

    @property
    def fingerprint(self) -> str:
        """Digest of everything that is known of the entries: the key of the cache."""
        return _digest([(_text(e), e.kind, e.device, e.inode, e.size, e.mtime, e.ctime) for e in self.entries])

    @property
    def stamp(self) -> str:
        """Digest of what every node of a cluster sees alike."""
        return _digest([(_text(e), e.kind, e.size, e.mtime) for e in self.entries if e.kind != "dir"])

    def settled(self, now: int, *, ours: bool = False) -> bool:
        """Whether every file was last changed well before `now` (ns), so that a later change must show in its times;
        `ours`: its ctime is young because this process has just given it its name, and only its mtime counts."""
        return max(entry.mtime if ours else max(entry.mtime, entry.ctime) for entry in self.entries) < now - SETTLED_NS


def look(path: str, *, most: int | None = None) -> Snapshot:
    """The artifact as it is now. Raises OSError, or UnreadableData for what is neither a file nor a directory, for a
    directory out of which something is taken at this moment, and for one with more than `most` entries."""
    top = os.stat(path)
    if stat.S_ISREG(top.st_mode):
        return Snapshot((_entry(b"", top),))
    if not stat.S_ISDIR(top.st_mode):
        raise UnreadableData("neither a file nor a directory")
    found = list(islice(_walk(os.fsencode(path)), None if most is None else most + 1))
    if most is not None and len(found) > most:
        raise UnreadableData(f"a directory with more than {most} entries")
    inner = sorted(found, key=itemgetter(0))
    return Snapshot((_entry(b"", top), *inner))


def _walk(root: bytes) -> Iterator[Entry]:
    """All entries of the directory. Raises OSError, UnreadableData."""
    try:
        yield from _entries(root)
    except (FileNotFoundError, NotADirectoryError) as error:  # it was listed: only what is in it has gone
        raise UnreadableData(CHANGED) from error


def _entries(root: bytes) -> Iterator[Entry]:
    folders = [b""]
    while folders:
        folder = folders.pop()
        before = folder + b"/" if folder else b""
        with os.scandir(os.path.join(root, folder)) as found:
            for item in found:
                entry = _entry(before + item.name, item.stat(follow_symlinks=False))
                if entry.kind == "dir":
                    if item.name == STORE:
                        continue
                    folders.append(entry.path)
                yield entry


def _entry(path: bytes, info: os.stat_result) -> Entry:
    kind = KINDS.get(stat.S_IFMT(info.st_mode), "other")
    return Entry(path, kind, info.st_dev, info.st_ino, info.st_size, info.st_mtime_ns, info.st_ctime_ns)


KINDS = {stat.S_IFREG: "file", stat.S_IFDIR: "dir", stat.S_IFLNK: "link"}


def _text(entry: Entry) -> str:
    return entry.path.decode("latin-1")


def _digest(rows: list[tuple[str | int, ...]]) -> str:
    return blake3(json.dumps(rows, separators=(",", ":")).encode()).hexdigest()
