"""What the launch line declared: patterns of inputs and outputs -> the artifacts that they name.

A pattern is looked up once. What it named is told by a `declared` event, which everybody after that goes by: inputs
when the run starts, before it makes files of its own that the pattern fits; outputs when it has ended.

example: resolve([start], role="generated") == [{"role": "generated", "path": "/data/a.zarr", "declared": ["*.zarr"]}]
"""

from __future__ import annotations

import os
import stat
import time
from glob import has_magic

from hpcprov.agent import walking

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

    Key = tuple[str, str, str]  # role, working directory, pattern
    Named = tuple[list[str], str | None]  # the paths, or why there are none

ROLES = (("inputs", "used"), ("outputs", "generated"))
EVENTS = ("start", "declared")  # the events that `resolve` goes by


def patterns(events: Iterable[Mapping[str, Any]]) -> dict[Key, None]:
    """(role, working directory, pattern) in the order in which ranks declared them, each once: with their start, or a
    program of the run by a `declared` event of its own."""
    found: dict[Key, None] = {}
    for start in events:
        if start.get("event") == "declared" and start.get("role") in ("used", "generated"):
            found[str(start["role"]), str(start.get("cwd")), str(start.get("pattern"))] = None
        for key, role in ROLES:
            for pattern in start.get(key) or []:
                if isinstance(pattern, str):
                    found[role, str(start.get("cwd") or "/"), pattern] = None
    return found


def told(events: Iterable[Mapping[str, Any]]) -> dict[Key, Named]:
    """What `declared` events say; of several of one pattern the first by time."""
    found: dict[Key, Named] = {}
    for event in sorted((e for e in events if e.get("event") == "declared"), key=lambda e: e.get("time") or 0):
        key = (str(event.get("role")), str(event.get("cwd")), str(event.get("pattern")))
        found.setdefault(key, ([p for p in event.get("paths") or [] if isinstance(p, str)], event.get("reason")))
    return found


def resolve(
    events: Iterable[Mapping[str, Any]], *, role: str | None = None, tell: Callable[..., object] | None = None
) -> list[dict[str, Any]]:
    """Artifacts with `role`, `path` (absolute) and `declared`, sorted; a pattern that matches nothing stands for
    itself.

    One that names too much stands for itself, too, with the `reason`. `role` leaves out the other one's. Patterns that
    no `declared` event is about are looked up now, and `tell` (a journal's `write`) is told of them.
    """
    events = list(events)
    known = told(events)
    deadline = time.monotonic() + walking.SECONDS
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for key in patterns(events):
        if role not in (None, key[0]):
            continue
        if key not in known:
            known[key] = look_up(key[1], key[2], deadline)
            if tell is not None:
                paths, reason = known[key]
                links = real_names(paths)
                words = {"role": key[0], "cwd": key[1], "pattern": key[2], "paths": paths, "reason": reason}
                tell("declared", **(words | ({"real": links} if links else {})))
        add(found, key, known[key])
    return [found[key] for key in sorted(found)]


def add(found: dict[tuple[str, str], dict[str, Any]], key: Key, named: Named) -> None:
    (role, cwd, pattern), (paths, reason) = key, named
    for path in paths if reason is None else [os.path.normpath(os.path.join(cwd, pattern))]:
        artifact = found.setdefault((role, path), {"role": role, "path": path, "declared": []})
        if pattern not in artifact["declared"]:
            artifact["declared"].append(pattern)
        if reason is not None:
            artifact["reason"] = reason


def look_up(cwd: str, pattern: str, deadline: float) -> Named:
    try:
        return matches(cwd, pattern, deadline), None
    except walking.GivenUp as error:
        return [], str(error)


def matches(cwd: str, pattern: str, deadline: float = float("inf")) -> list[str]:
    """The paths that a pattern names now, or it itself. Raises walking.GivenUp."""
    whole = os.path.normpath(os.path.join(cwd, pattern))
    if os.path.lexists(whole) or not has_magic(pattern):  # a name may hold brackets and mean them
        return [whole]
    return walking.find(cwd, pattern, deadline) or [whole]


def real_names(paths: Iterable[str]) -> dict[str, str]:
    """The other names of those that are reached through symbolic links: programs may be seen to use these."""
    folders: dict[str, str] = {}
    found = {}
    for path in paths:
        folder, name = os.path.split(path)
        if folder not in folders:
            folders[folder] = os.path.realpath(folder)
        real = os.path.realpath(path) if os.path.islink(path) else os.path.join(folders[folder], name)
        if real != path:
            found[path] = real
    return found


def stamps(artifacts: Iterable[Mapping[str, Any]]) -> dict[str, tuple[int, int, int]]:
    """State of each input that is a file: inode, size, modification time (ns).

    Inputs are hashed when the run has ended; this tells whether the run, or somebody else, changed them meanwhile.
    """
    found = {}
    for artifact in artifacts:
        status = regular(artifact["path"]) if artifact["role"] == "used" else None
        if status is not None:
            found[artifact["path"]] = (status.st_ino, status.st_size, status.st_mtime_ns)
    return found


def regular(path: str) -> os.stat_result | None:
    try:
        status = os.stat(path)
    except (OSError, ValueError):
        return None
    return status if stat.S_ISREG(status.st_mode) else None


def changes(before: Mapping[str, tuple[int, int, int]], after: Mapping[str, tuple[int, int, int]]) -> list[str]:
    """One line for every input that is not what it was."""
    words = {path: "changed" if path in after else "was removed" for path in before if after.get(path) != before[path]}
    return [f"the input {path} {word} while the run was going on" for path, word in sorted(words.items())]
