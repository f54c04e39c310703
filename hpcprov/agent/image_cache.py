"""What was found out about an image, kept in the store's cache: a file that has not been touched is not read again.

known = cached("/scratch/ada/.hpcprov/cache", look("/data/step.sif"), None)
"""

from __future__ import annotations

import hashlib
import json
import os
import time

from hpcprov.signature import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.signature.snapshot import Snapshot


#: A file server's clock and a node's differ by less, where that cannot be measured (ns).
CLOCKS = 5_000_000_000
#: What is older than this when a run begins needs no measuring.
SURELY = 60_000_000_000
#: File times are taken from a clock that ticks every few milliseconds.
TICK = 10_000_000


def is_newer(seen: Snapshot, began: int, folder: str | None) -> bool:
    """Whether something of an image was changed after `began` (ns by a node's clock), as far as clocks agree."""
    if seen.mtime < began - SURELY:
        return False
    ahead = clock_ahead(folder, seen.entries[0].device)
    return seen.mtime > began + (CLOCKS if ahead is None else ahead)


def clock_ahead(folder: str | None, device: int) -> int | None:
    """How far the clock that gives files their times is ahead of this node's (ns); None when that cannot be seen: it
    shows in a file made in `folder`, if that lies on the same device."""
    if folder is None:
        return None
    place = os.path.join(folder, f".clock.{os.getpid()}.{os.urandom(8).hex()}")
    try:
        os.makedirs(folder, exist_ok=True)
        before = time.time_ns() - TICK
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            status, after = os.fstat(fd), time.time_ns() + TICK
        finally:
            os.close(fd)
            os.unlink(place)
    except OSError:
        return None
    if status.st_dev != device:
        return None
    return max(0, status.st_mtime_ns - after) or min(0, status.st_mtime_ns - before)


def cached(folder: str | None, seen: Snapshot, tag: str | None) -> dict[str, Any] | None:
    """What was found out about an image that looks like this, or None."""
    found = cache.read(folder, key(seen, tag)) if folder is not None else None
    return found | {"how": "cached"} if found is not None else None


def keep(folder: str | None, seen: Snapshot, tag: str | None, found: dict[str, Any], began: int) -> None:
    """Keep what reading that began at `began` (ns) found, when the image had been left alone by then."""
    if folder is not None and seen.settled(began) and seen.settled(cache.server_time(folder, seen, began)):
        cache.write(folder, key(seen, tag), found)


def key(seen: Snapshot, tag: str | None) -> str:
    """Where the cache keeps an image: apart from what is known of it as an artifact."""
    return hashlib.sha256(json.dumps(["image", seen.fingerprint, tag]).encode()).hexdigest()
