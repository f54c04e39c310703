"""Digests of the programs that ran and of the user's own code, within limits of time and size.

A file that was changed after it had been used is not what ran: it has no digest.

    identify([{"path": "/usr/bin/cp", "sha256": None, "began": 17}], Budget())  fills in "sha256"
"""

from __future__ import annotations

import os
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

LARGEST = 512 << 20  # bytes of one file


class Budget:
    """What may be spent on hashing until `until` (monotonic time), and what is known already."""

    def __init__(self) -> None:
        self.until = 0.0
        self.known: dict[tuple[str, int, int], str | None] = {}

    def allow(self, seconds: float) -> None:
        self.until = time.monotonic() + seconds

    def digest(self, path: str, used: int | None) -> str | None:
        """SHA-256 of the file as it was at `used` (ns since the epoch); None when that cannot be told any more."""
        try:
            status = os.stat(path)
        except (OSError, ValueError):
            return None
        if used is not None and status.st_mtime_ns > used:
            return None
        key = (path, status.st_size, status.st_mtime_ns)
        if key not in self.known:
            if time.monotonic() > self.until:
                return None
            self.known[key] = sha256(path)
        return self.known[key]


def sha256(path: str) -> str | None:
    from hpcprov.capture import software

    return software.digest(path, LARGEST).get("sha256")


def identify(entries: Iterable[dict[str, Any]], budget: Budget) -> None:
    """Fill in `sha256` where it is missing; blind programs first, since little else is known of them."""
    for entry in sorted(entries, key=lambda entry: not entry.get("blind")):
        if entry.get("sha256") is None:
            used = entry.get("ended") or entry.get("began")
            entry["sha256"] = budget.digest(entry["path"], used)
