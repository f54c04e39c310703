"""Results by fingerprint, so that a file that has not been touched is not read again.

    <cache>/3f/3fa9...json      {"version": ..., "fingerprint": ..., "result": {...}, "check": "<BLAKE3 of result>"}

A result that comes from here says `cached`, never `full`. Anything damaged is a miss. The directory can be deleted at
any time.
"""

from __future__ import annotations

import json
import os
from typing import Any

from blake3 import blake3

from hpcprov import __version__
from hpcprov.signature.snapshot import Snapshot

MAX_ENTRY = 256 << 20


def load(folder: str | None, snapshot: Snapshot) -> dict[str, Any] | None:
    """What was stored for an artifact that looks like this, labelled `cached`; None when there is nothing sound."""
    if folder is None:
        return None
    key = snapshot.fingerprint
    try:
        with open(_place(folder, key), "rb") as file:
            found = json.loads(file.read(MAX_ENTRY))
        return _labelled(found["result"]) if _is_sound(found, key) else None
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return None


def store(folder: str | None, snapshot: Snapshot, result: dict[str, Any]) -> None:
    """Keep a result; silently nothing when the directory cannot be written."""
    if folder is None:
        return
    key = snapshot.fingerprint
    place = _place(folder, key)
    content = {"version": __version__, "fingerprint": key, "result": result, "check": _check(result)}
    draft = f"{place}.{os.getpid()}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _write(draft, json.dumps(content).encode())
        os.rename(draft, place)
    except OSError:
        _discard(draft)


def _place(folder: str, key: str) -> str:
    return os.path.join(folder, key[:2], f"{key}.json")


def _is_sound(found: Any, key: str) -> bool:
    return bool(
        found["version"] == __version__
        and found["fingerprint"] == key
        and found["result"]["state"] == "ok"
        and found["check"] == _check(found["result"])
    )


def _labelled(result: dict[str, Any]) -> dict[str, Any]:
    for digest in ("storage", "signature"):
        if result[digest] is not None:
            result[digest]["how"] = "cached"
    return result


def _check(result: dict[str, Any]) -> str:
    return blake3(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
