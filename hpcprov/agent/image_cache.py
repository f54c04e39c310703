"""What was found out about an image, kept in the store's cache: a file that has not been touched is not read again.

known = cached("/scratch/ada/.hpcprov/cache", look("/data/step.sif"), None)
"""

from __future__ import annotations

import hashlib
import json

from hpcprov.signature import cache

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.signature.snapshot import Snapshot


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
