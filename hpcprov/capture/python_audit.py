"""What Python programs said of their own code: lines that launcher/python/sitecustomize.py wrote (docs/observing.md).

Any process of the job may write into that file: a line that is not what the hook writes is left out.

    entries([b'{"path":"/home/ada/solve.py","as":"script","size":812,"mtime":1763712000000000000}\\n'])
    -> [{"path": "/home/ada/solve.py", "as": "script", "size": 812, "mtime": 1763712000000000000}]
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import IO, Any

LOG = "python.jsonl"
# In order of what they say of a file that has been seen as several.
KINDS = ("script", "notebook", "module", "archive")
MOST_BYTES, MOST_LINES, MOST_LINE = 16 << 20, 100000, 32 << 10
MOST_FILES = 2000
LATEST = 1 << 63


def read(spool: str) -> list[dict[str, Any]]:
    """The entries in a spool directory; none where no hook wrote any."""
    try:
        fd = os.open(os.path.join(spool, LOG), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        with open(fd, "rb") as file:
            return entries(_lines(file))
    except OSError:
        return []


def _lines(file: IO[bytes]) -> Iterator[bytes]:
    """The first lines; what is longer than any that the hook writes comes in pieces."""
    left = MOST_BYTES
    for _ in range(MOST_LINES):
        line = file.readline(MOST_LINE)
        left -= len(line)
        if not line or left < 0:
            break
        yield line


def entries(lines: Iterable[bytes]) -> list[dict[str, Any]]:
    """Each file once, in order of the paths: of its states the latest, of its kinds the first of KINDS."""
    found: dict[str, dict[str, Any]] = {}
    for line in lines:
        entry = _entry(line)
        if entry is None or (entry["path"] not in found and len(found) >= MOST_FILES):
            continue
        found[entry["path"]] = _joined(found.get(entry["path"], entry), entry)
    return [found[path] for path in sorted(found)]


def joined(
    code: Iterable[dict[str, Any]], told: Iterable[dict[str, Any]], digest: Callable[[str], str | None]
) -> list[dict[str, Any]]:
    """The user's own code as it was seen (`path`, `sha256`, `size`), and what programs told of theirs, by path.

    A file that is not any more what was run has no digest.
    """
    found = {one["path"]: one for one in code}
    for entry in told:
        if entry["path"] not in found:
            sha256 = digest(entry["path"]) if _is_unchanged(entry) else None
            found[entry["path"]] = {"path": entry["path"], "sha256": sha256, "size": entry["size"]}
    return [found[path] for path in sorted(found)]


def _is_unchanged(entry: dict[str, Any]) -> bool:
    try:
        now = os.stat(entry["path"])
    except (OSError, ValueError):
        return False
    return (now.st_size, now.st_mtime_ns) == (entry["size"], entry["mtime"])


def _entry(line: bytes) -> dict[str, Any] | None:
    import json  # only where a program was audited

    try:
        told = json.loads(line)
    except (ValueError, RecursionError):
        return None
    if type(told) is not dict or type(told.get("path")) is not str or told.get("as") not in KINDS:
        return None
    path = told["path"]
    numbers = told.get("size"), told.get("mtime")
    if not path.startswith("/") or "\0" in path or any(type(n) is not int or not 0 <= n < LATEST for n in numbers):
        return None
    return {"path": os.path.normpath(path), "as": told["as"], "size": numbers[0], "mtime": numbers[1]}


def _joined(one: dict[str, Any], other: dict[str, Any]) -> dict[str, Any]:
    latest = max(one, other, key=lambda entry: (entry["mtime"], entry["size"]))
    return latest | {"as": min(one["as"], other["as"], key=KINDS.index)}
