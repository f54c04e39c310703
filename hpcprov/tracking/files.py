"""What a step did with the files that it was given by path, from how they were before and after.

before = stamp("/data/out.npy")      # None: there was none
...
change(before, stamp("/data/out.npy"))   ->  "generated"
"""

from __future__ import annotations

import os
import stat

USED, GENERATED = "used", "generated"
ZARR = ("zarr.json", ".zgroup", ".zarray")

Stamp = tuple[int, int, int, bool]  # inode, size, modification time (ns), is it a directory?


def stamp(path: str) -> Stamp | None:
    """How a regular file or directory is now; None where there is none."""
    try:
        facts = os.stat(path)
    except (OSError, ValueError):
        return None
    if not (stat.S_ISREG(facts.st_mode) or stat.S_ISDIR(facts.st_mode)):
        return None
    return facts.st_ino, facts.st_size, facts.st_mtime_ns, stat.S_ISDIR(facts.st_mode)


def change(before: Stamp | None, after: Stamp | None) -> str | None:
    """The role that it had: what is as it was may have been read; what is new or changed was written."""
    if after is None:
        return None if before is None else USED
    return USED if before == after else GENERATED


def is_store(path: str) -> bool:
    """Is this directory a Zarr store?"""
    return any(os.path.lexists(os.path.join(path, name)) for name in ZARR)


class Touched:
    """What this process did with one path, as the entry of an `access` event (docs/frames.md)."""

    def __init__(self, path: str) -> None:
        self.path = path
        self.read = self.written = self.overwritten = False
        self.began: Stamp | None = None
        self.first = self.last = 0

    def add(self, role: str, before: Stamp | None, now: int) -> None:
        """It was read, being as `before` says, or it was written."""
        self.first = self.first or now
        self.last = now
        if role == USED and not self.written:
            self.began = self.began or before
            self.read = True
        if role == GENERATED:
            self.overwritten = self.overwritten or (self.read and not self.written)
            self.written = True

    def entry(self, rank: int) -> dict[str, object]:
        after = stamp(self.path)
        directory = (after or self.began or (0, 0, 0, False))[3]
        return {
            "path": self.path,
            "read": self.read,
            "written": self.written,
            "overwritten": self.overwritten,
            "gone": after is None,
            "first": self.first,
            "last": self.last,
            "ranks": [[rank, rank]],
            "began": None if self.began is None or directory else list(self.began[1:3]),
            "ended": None if after is None or directory else list(after[1:3]),
            "store": "zarr" if directory and is_store(self.path) else None,
        }
