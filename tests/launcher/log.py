"""Where a test finds what the launcher wrote: the logs of a world's store, as events.

start, env, end = events(world)
"""

from __future__ import annotations

import json
from binascii import crc32
from collections.abc import Iterable
from hashlib import sha256
from pathlib import Path
from typing import Any

from .observe import World

# Read by hand from docs/frames.md, not with the project's own reader: two readings of one specification must agree.
FRAME_LIMIT = 4096


def log_paths(world: World, suffix: str = "log") -> list[Path]:
    """Every node log (or `.out` file) below the store, running and finished."""
    return sorted(world.cwd.glob(f".hpcprov/**/*.{suffix}"))


def frames(data: bytes) -> list[dict[str, Any]]:
    """The JSON objects of a log in which everything must be intact. Raises AssertionError for anything that is not."""
    assert data.startswith(b"\n") and data.endswith(b"\n")
    found = []
    for line in data[1:-1].split(b"\n\n"):
        assert len(line) + 2 <= FRAME_LIMIT, f"a frame of {len(line) + 2} bytes"
        assert b"\n" not in line and line.isascii()
        checksum, body = line[:8], line[9:]
        assert line[8:9] == b" " and checksum == b"%08x" % crc32(body)
        frame = json.loads(body)
        assert frame["v"] == 1
        found.append(frame)
    return found


def joined(found: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Frames as events: parts are joined, in the place of the last."""
    events: list[dict[str, Any]] = []
    parts: dict[str, dict[int, str]] = {}
    for frame in found:
        if "blob" not in frame:
            events.append(frame)
            continue
        pieces = parts.setdefault(frame["blob"], {})
        pieces[frame["part"]] = frame["text"]
        if len(pieces) == frame["parts"]:
            text = "".join(pieces[part] for part in range(frame["parts"]))
            assert sha256(text.encode()).hexdigest() == frame["blob"]
            events.append(json.loads(text))
    return events


def events(world: World, suffix: str = "log") -> list[dict[str, Any]]:
    """Every event of every log, log by log."""
    return [event for path in log_paths(world, suffix) for event in joined(frames(path.read_bytes()))]


def of_kind(found: list[dict[str, Any]], kind: str) -> list[dict[str, Any]]:
    return [event for event in found if event["event"] == kind]


def only(found: list[dict[str, Any]], kind: str) -> dict[str, Any]:
    """The one event of a kind."""
    (event,) = of_kind(found, kind)
    return event


def wrapped_events(world: World, *command: Any, **more: Any) -> list[dict[str, Any]]:
    """The events of one run of `command` (as for `World.wrapped`)."""
    world.wrapped(*command, **more)
    return events(world)
