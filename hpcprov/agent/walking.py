"""A pattern -> the paths that it names, in bounded time: as `glob` with `**`, but never through a link to a directory
for `**`, and never into a directory named `.hpcprov`.

example: find("/data", "**/*.npy", deadline) == ["/data/a.npy", "/data/sub/b.npy"]
"""

from __future__ import annotations

import os
import time
from fnmatch import translate
from glob import has_magic
from re import compile as compiled

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

STORE = ".hpcprov"
MOST_NAMES = 100_000
SECONDS = 5.0  # for all patterns together


class GivenUp(Exception):
    """A pattern names too much; the text says why nothing of it was looked at."""


def find(cwd: str, pattern: str, deadline: float) -> list[str]:
    """Absolute paths, sorted, each once; `deadline` is in `time.monotonic()` seconds. Raises GivenUp."""
    parts = [part for part in pattern.split("/") if part not in ("", ".")]
    found = set()
    for path in expand("/" if os.path.isabs(pattern) else cwd, parts, deadline):
        found.add(os.path.normpath(path))
        if len(found) > MOST_NAMES:
            raise GivenUp(f"more than {MOST_NAMES} names: not looked at")
    return sorted(found)


def expand(folder: str, parts: list[str], deadline: float) -> Iterator[str]:
    """What `parts` name below `folder`."""
    if not parts:
        yield folder
        return
    first, rest = parts[0], parts[1:]
    if first == "**":
        while rest[:1] == ["**"]:
            rest = rest[1:]
        yield from expand_any_depth(folder, rest, deadline)
    elif not has_magic(first):
        path = os.path.join(folder, first)
        if os.path.isdir(path) if rest else os.path.lexists(path):
            yield from expand(path, rest, deadline)
    else:
        fits = compiled(translate(first)).match
        for entry in entries(folder, deadline, hidden=first.startswith(".")):
            if fits(entry.name) and (not rest or is_folder(entry, links=True)):
                yield from expand(entry.path, rest, deadline)


def expand_any_depth(folder: str, rest: list[str], deadline: float) -> Iterator[str]:
    """`rest` in `folder` and in every directory below it, or all that is there when there is no rest."""
    folders = [folder]
    while folders:
        place = folders.pop()
        yield from expand(place, rest, deadline)
        for entry in entries(place, deadline):
            if is_folder(entry):
                folders.append(entry.path)
            elif not rest:
                yield entry.path


def entries(folder: str, deadline: float, *, hidden: bool = False) -> Iterator[os.DirEntry[str]]:
    """What a directory holds, without the tool's own store. Raises GivenUp."""
    try:
        with os.scandir(folder) as found:
            for entry in found:
                if time.monotonic() > deadline:
                    raise GivenUp(f"too long to look for (over {SECONDS:.0f} s): not looked at")
                if entry.name != STORE and (hidden or not entry.name.startswith(".")):
                    yield entry
    except OSError:
        return  # not a directory, gone, or not ours to read: it names nothing


def is_folder(entry: os.DirEntry[str], *, links: bool = False) -> bool:
    try:
        return entry.is_dir(follow_symlinks=links)
    except OSError:
        return False
