"""A command bare and under `hpcprov exec`, seen from outside byte for byte, and what its record then holds.

    seen = compare(site, ["sh", "-c", "cat in > out"])
    assert used(seen) == {"in"} and generated(seen) == {"out"}

Both runs begin in the same directory with the same files; what the bare one left is cleared away first.
"""

from __future__ import annotations

import os
import shutil
import subprocess
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, NamedTuple

from tests.agent.conftest import Site

from .pattern import prepare

NOTHING: Mapping[str, str] = {}
LIMIT_S = 120


class Seen(NamedTuple):
    """What the parent of a command sees of it."""

    status: int
    out: bytes
    err: bytes


def run(site: Site, argv: Sequence[object], env: Mapping[str, str] = NOTHING) -> Seen:
    """The command as it stands, in the site's directory."""
    words = [str(word) for word in argv]
    done = subprocess.run(
        words, cwd=site.cwd, env=site.env | env, stdin=subprocess.DEVNULL, capture_output=True, timeout=LIMIT_S
    )
    return Seen(done.returncode, done.stdout, done.stderr)


def compare(
    site: Site,
    argv: Sequence[object],
    *,
    before: Sequence[object] = (),
    options: Sequence[str] = (),
    env: Mapping[str, str] = NOTHING,
    make: Callable[[Path], object] = prepare,
) -> dict[str, Any]:
    """The record of the command under hpcprov, which did what it does without; `before` stands before both."""
    refill(site.cwd, make)
    bare = run(site, [*before, *argv], env)
    left = tree(site.cwd)
    refill(site.cwd, make)
    watched = run(site, [*before, site.launcher, "exec", *options, "--", *argv], env)
    assert watched == bare
    assert tree(site.cwd) == left
    return site.record()


def refill(directory: Path, make: Callable[[Path], object]) -> None:
    """Empties a directory, less its store, and fills it."""
    for path in directory.iterdir():
        if path.name == ".hpcprov":
            continue
        shutil.rmtree(path) if path.is_dir() and not path.is_symlink() else path.unlink()
    make(directory)


def tree(directory: Path) -> dict[bytes, tuple[int, bytes]]:
    """Mode and content of every file, less the store."""
    found = {}
    root = os.fsencode(directory)
    for top, names, files in os.walk(root):
        names[:] = [name for name in names if name != b".hpcprov"]
        for name in (os.path.join(top, file) for file in files if len(top) + len(file) < 4095):
            status = os.lstat(name)
            content = b""
            if os.path.isfile(name):
                with open(name, "rb") as file:
                    content = file.read()
            found[os.path.relpath(name, root)] = (status.st_mode, content)
    return found


def below(site: Site, record: dict[str, Any], role: str) -> set[str]:
    """The observed artifacts of a role (`used`, `generated`) below the site's directory, relative to it."""
    top = str(site.cwd) + "/"
    observed = [artifact["path"] for artifact in record["artifacts"][role] if artifact["observed"]]
    return {path.removeprefix(top) for path in observed if path.startswith(top)}


def blind(record: dict[str, Any]) -> dict[str, set[str]]:
    """The programs that could not be seen, by reason, as file names."""
    found: dict[str, set[str]] = {}
    for program in record["observation"]["programs"]:
        if program["blind"]:
            found.setdefault(program["blind"], set()).add(os.path.basename(program["path"]))
    return found


def ran(record: dict[str, Any]) -> dict[str, int]:
    """How often each program ran, by file name."""
    found: dict[str, int] = {}
    for program in record["observation"]["programs"]:
        name = os.path.basename(program["path"])
        found[name] = found.get(name, 0) + program["count"]
    return found
