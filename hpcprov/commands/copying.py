"""What an export may take in of data: files and stores whose bytes, or at least values, are still what a record says.

    as_recorded(runs, most=10**9)  ->  {("/scratch/out.nc", "blake3:..."): {"": Copied("/scratch/out.nc", 4711)}}

Everything is read again before; what is changed, gone or too large is told and stays out. A file that changes while it
is copied afterwards stops the export.
"""

from __future__ import annotations

import os
import stat
from hashlib import sha256

from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import listed, tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.expected import moved
from hpcprov.commands.reading import reader
from hpcprov.export.formats import Copied
from hpcprov.record import model
from hpcprov.record.wording import size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.export.formats import Run
    from hpcprov.signature.isolated import Isolated

    Copies = dict[tuple[str, str], dict[str, Copied]]

MOST_FILES = 100_000
LARGEST_SCRIPT = 1 << 20


def as_recorded(runs: list[Run], *, most: int) -> Copies:
    """The data of runs that is as recorded, together at most `most` bytes; the rest is told."""
    found: Copies = {}
    left: list[str] = []
    looked_at: dict[str, set[str]] = {}
    with tidy(), reader({"threads": None, "tiles_dir": None, "durable": False}, Bar()) as reading:
        for path, place, artifact in _wanted(runs):
            if path in looked_at and artifact["storage"]["digest"] in looked_at[path]:
                continue
            looked_at.setdefault(path, set()).add(artifact["storage"]["digest"])
            files = _files(place)
            bytes_ = sum(one.size for one in files.values())
            if bytes_ > most:
                left.append(f"{path} ({size(bytes_)}: more than is left of --most)")
                continue
            digest, reason = _same(reading, place, artifact) if files else (None, "it is gone")
            if digest is not None:
                found[path, digest] = files
                most -= bytes_
            else:
                left.append(f"{path} ({reason})")
    if left:
        tell(f"not copied: {listed(left)}")
    return found


def snakefiles(runs: list[Run]) -> Copies:
    """The main files of workflows that are still what was recorded; the others are told."""
    found: Copies = {}
    for run in runs:
        known = model.fact(run.record, "workflow").get("snakefile")
        path, digest = (known.get("path"), known.get("sha256")) if type(known) is dict else (None, None)
        if type(path) is str and path.startswith("/"):
            copied = _script(path, digest)
            if copied is not None:
                found[path, f"sha256:{digest}"] = {"": copied}
            else:
                tell(f"not in the crate: {listed([path])}, which is not what it was; Workflow RO-Crate wants it there")
    return found


def _wanted(runs: list[Run]) -> Iterator[tuple[str, str, dict[str, Any]]]:
    """Path, where it lies now and facts of what runs made and used and was hashed, outputs first."""
    for role in ("generated", "used"):
        for run in runs:
            home, cwd = _home(run.directory), run.record["run"]["cwd"] or "/"
            for artifact in run.record["artifacts"][role]:
                path = artifact["path"]
                if artifact["storage"] is not None and path.startswith("/"):
                    there = path if os.path.lexists(path) else moved(path, cwd, home)
                    yield path, there or path, artifact


def _home(directory: str) -> str:
    """The directory that holds the store of a record's directory: records/YYYY/MM/DD/<id> below `.hpcprov`."""
    return os.path.abspath(os.path.join(directory, *[os.pardir] * 6))


def _files(place: str) -> dict[str, Copied]:
    """The regular files of a file or directory, by name in it; empty when there is anything else in it."""
    try:
        facts = os.stat(place, follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode):
            return {"": Copied(place, facts.st_size, facts.st_mtime_ns)}
        found: dict[str, Copied] = {}
        for folder, _, names in os.walk(place) if stat.S_ISDIR(facts.st_mode) else ():
            for name in names:
                path = os.path.join(folder, name)
                facts = os.stat(path, follow_symlinks=False)
                if not stat.S_ISREG(facts.st_mode) or len(found) >= MOST_FILES:
                    return {}
                found[os.path.relpath(path, place)] = Copied(path, facts.st_size, facts.st_mtime_ns)
        return found
    except OSError:
        return {}


def _same(reading: Isolated, place: str, artifact: dict[str, Any]) -> tuple[str | None, str]:
    """The recorded digest that a place still has: of its bytes, else of its values, as where a workflow system put a
    file of its own beside them; or None and the reason."""
    reason = "it cannot be read"
    for member in ("storage", "signature"):
        recorded = artifact[member]
        if recorded is not None:
            follow = bool(recorded.get("followed"))
            reading.configure(cache_dir=None, follow=follow, values=member == "signature", same_as=None)
            found = reading.describe(place).result
            if found[member] is not None and found[member]["digest"] == recorded["digest"]:
                return str(recorded["digest"]), ""
            reason = str(found["reason"] or reason) if found[member] is None else "it has changed"
    return None, reason


def _script(path: str, digest: Any) -> Copied | None:
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            facts = os.fstat(file.fileno())
            data = file.read(LARGEST_SCRIPT + 1) if stat.S_ISREG(facts.st_mode) else b""
    except OSError:
        return None
    same = len(data) == facts.st_size and sha256(data).hexdigest() == digest
    return Copied(os.path.realpath(path), facts.st_size, facts.st_mtime_ns) if same else None
