"""What was found out about artifacts, so that a file that has not been touched is not read again.

    <cache>/3f/3fa9...json      {"version": ..., "key": ..., "result": {...}, "check": "<BLAKE3 of result>"}

A result is kept under the artifact's fingerprint. One that comes from here says `cached`, never `full`. Anything
damaged is a miss. The directory can be deleted at any time; of its 256 folders each keeps its newest entries only.
"""

from __future__ import annotations

import json
import os
import stat
import time
from typing import Any

from blake3 import blake3

from hpcprov import __version__
from hpcprov.signature.snapshot import Snapshot

MAX_ENTRY = 256 << 20
#: What one of the 256 folders may hold before its oldest entries go: 32,768 entries and 4 GiB altogether.
FOLDER_ENTRIES = 128
FOLDER_BYTES = 16 << 20


def load(folder: str | None, snapshot: Snapshot, *, statistics: bool = False) -> dict[str, Any] | None:
    """What was stored for an artifact that looks like this, labelled `cached`; None when there is nothing sound, or no
    `statistics` where they are asked for. Where they are not, they are left out."""
    if folder is None:
        return None
    result = read(folder, snapshot.fingerprint)
    try:
        if result is None or result["state"] != "ok" or not _counted(result, statistics):
            return None
        return _labelled(result)
    except (KeyError, TypeError, AttributeError):
        return None


def store(folder: str | None, snapshot: Snapshot, result: dict[str, Any], began: int, *, ours: bool = False) -> None:
    """Keep a result whose reading began at `began` (ns), when every file had been left alone by then; `ours` as
    `Snapshot.settled` takes it."""
    if folder is None or not snapshot.settled(began, ours=ours):
        return
    if snapshot.settled(server_time(folder, snapshot, began), ours=ours):
        write(folder, snapshot.fingerprint, result)


def read(folder: str, key: str) -> dict[str, Any] | None:
    """What lies under a key (64 hexadecimal digits); None when there is nothing sound."""
    try:
        fd = os.open(_place(folder, key), os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            facts = os.fstat(fd)
            found = json.loads(file.read(MAX_ENTRY)) if _is_fit(facts) else None
        result: dict[str, Any] | None = found["result"] if found is not None and _is_sound(found, key) else None
        return result
    except (OSError, ValueError, KeyError, TypeError, RecursionError, MemoryError):
        return None


def write(folder: str, key: str, result: dict[str, Any]) -> None:
    """Keep something under a key; silently nothing when the directory cannot be written."""
    place = _place(folder, key)
    content = {"version": __version__, "key": key, "result": result, "check": _check(result)}
    draft = f"{place}.{os.getpid()}.{os.urandom(8).hex()}"
    try:
        os.makedirs(os.path.dirname(place), exist_ok=True)
        _write(draft, json.dumps(content).encode())
        os.rename(draft, place)
        _forget_oldest(os.path.dirname(place), place)
    except OSError:
        _discard(draft)


def server_time(folder: str, snapshot: Snapshot, moment: int) -> int:
    """`moment` (ns by this machine's clock) by the clock that gives the artifact's files their times, when that one is
    behind: a file server's. It shows in a file that is made in `folder`, if that lies on the same file system."""
    place = os.path.join(folder, f".clock.{os.getpid()}.{os.urandom(8).hex()}")
    try:
        os.makedirs(folder, exist_ok=True)
        fd = os.open(place, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
        try:
            facts, now = os.fstat(fd), time.time_ns()
        finally:
            os.close(fd)
            _discard(place)
    except OSError:
        return moment
    return moment + min(0, facts.st_mtime_ns - now) if facts.st_dev == snapshot.entries[0].device else moment


def _place(folder: str, key: str) -> str:
    return os.path.join(folder, key[:2], f"{key}.json")


def _is_fit(facts: os.stat_result) -> bool:
    return stat.S_ISREG(facts.st_mode) and facts.st_size <= MAX_ENTRY


def _is_sound(found: Any, key: str) -> bool:
    return bool(
        found["version"] == __version__
        and found["key"] == key
        and isinstance(found["result"], dict)
        and found["check"] == _check(found["result"])
    )


def _counted(result: dict[str, Any], wanted: bool) -> bool:
    """Whether a result has the statistics of its fields, where they are `wanted`; where not, it has none from here."""
    fields = result["signature"]["fields"] if result["signature"] is not None else []
    if wanted:
        return all("statistics" in field for field in fields)
    for field in fields:
        field.pop("statistics", None)
    return True


def _labelled(result: dict[str, Any]) -> dict[str, Any]:
    for digest in ("storage", "signature"):
        if result[digest] is not None:
            result[digest]["how"] = "cached"
            result[digest].pop("parts", None)
    return result


def _check(result: dict[str, Any]) -> str:
    return blake3(json.dumps(result, sort_keys=True).encode()).hexdigest()


def _write(path: str, content: bytes) -> None:
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with os.fdopen(fd, "wb") as file:
        file.write(content)


def _forget_oldest(folder: str, newest: str) -> None:
    """Keep a folder in its bounds; `newest` stays in any case. What killed processes left behind grows old and goes."""
    with os.scandir(folder) as found:
        entries = [(item.stat(follow_symlinks=False), item.path) for item in found if item.path != newest]
    entries.sort(key=lambda entry: entry[0].st_mtime_ns, reverse=True)
    room = FOLDER_BYTES
    for at, (facts, path) in enumerate(entries, start=1):
        room -= facts.st_size
        if at >= FOLDER_ENTRIES or room < 0:
            _discard(path)


def _discard(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
