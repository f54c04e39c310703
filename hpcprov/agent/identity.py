"""Digests of the programs that ran and of the user's own code, within limits of time and size.

A file that was changed after it had been used is not what ran: it has no digest.

    digests = Digests()
    digests.allow(5.0, 16 << 20)
    digests.of("/usr/bin/cp")  ->  "52f0..."
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

SLACK = 50_000_000  # ns: the clock that stamps events is coarse


class Digests:
    """What is known, and until when more may be read."""

    def __init__(self) -> None:
        self.until, self.largest = 0.0, 0
        self.known: dict[tuple[str, int, int], str | None] = {}

    def allow(self, seconds: float, largest: int) -> None:
        """Read files of up to `largest` bytes for so long from now on."""
        self.until, self.largest = time.monotonic() + seconds, largest

    def of(self, path: str) -> str | None:
        """SHA-256 of a file as it is now; None when there is none, or no time."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self.known:
            if time.monotonic() > self.until or status.st_size > self.largest:
                return None
            self.known[key] = read(path, self.largest)
        return self.known[key]


def read(path: str, largest: int) -> str | None:
    from hpcprov.capture import software

    return software.digest(path, largest).get("sha256")


def drop_changed(entries: Iterable[dict[str, Any]]) -> None:
    """Take the digest from programs whose file was written after they had begun: a build runs what it replaces."""
    for entry in entries:
        used = entry.get("ended") or entry.get("began")
        if entry.get("sha256") is not None and used is not None and modified(entry["path"]) > used + SLACK:
            entry["sha256"] = None


def modified(path: str) -> int:
    """ns since the epoch; 0 when it is not there any more."""
    try:
        return os.stat(path).st_mtime_ns
    except (OSError, ValueError):
        return 0
