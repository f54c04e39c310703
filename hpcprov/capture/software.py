"""What really ran: executables, shared libraries, and the Python distributions beside a running interpreter.

`snapshot` looks at one process while it runs, cheaply and as often as wanted; `union` joins what was seen, `finish`
adds the digests when the application has ended. Example of the result (shortened):

    {"executables": [{"path": "/usr/bin/python3.11", "size": 6831736, "build_id": "72ad...", "linking": "dynamic",
      "interpreter": "python", "sha256": "c1ee..."}],
     "libraries": [{"path": "/usr/lib/libc.so.6", "build_id": "5b8d..."}],
     "python": [{"executable": "/venv/bin/python", "version": "3.11", "path": [...], "packages": [["numpy", "2.1.0"]]}]}
"""

from __future__ import annotations

import os

from hpcprov.capture import elf, libraries, python_packages
from hpcprov.capture.code import find_interpreter
from hpcprov.capture.reading import digest_file, explain
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    Snapshot = Mapping[str, Mapping[str, dict[str, Any]]]

MOST_EXECUTABLES = 64
# An executable that we can reach only while it runs (in a container) is hashed at once up to this size (bytes).
AT_ONCE_LIMIT = 64 << 20
KINDS = ("executables", "libraries", "python")
# Shared libraries that make an interpreter of the program that has mapped them.
EMBEDDED = (
    ("libpython3", "python"), ("libR.so", "R"), ("libjulia", "julia"), ("libjvm.so", "java"), ("libperl.so", "perl"),
    ("libruby", "ruby"), ("libmwmcr", "matlab"), ("liboctinterp", "octave"),
)  # fmt: skip

_pythons: dict[tuple[str, ...], dict[str, Any]] = {}


def snapshot(pid: int) -> dict[str, dict[str, dict[str, Any]]]:
    """What a process runs now, by path. Raises OSError when it has ended or belongs to another user."""
    path, root = os.readlink(f"/proc/{pid}/exe"), libraries.file_root(pid)
    mapped = libraries.snapshot(pid, root=root)
    name = libraries.plain_path(path)
    mapped.pop(name, None)
    found = {"executables": {name: executable(pid, path, mapped, root)}, "libraries": mapped, "python": {}}
    if python_packages.is_python(name, mapped):
        found["python"] = python(pid, name, mapped, root)
    return found


def executable(pid: int, path: str, mapped: Iterable[str], root: str) -> dict[str, Any]:
    """Identity of a process's executable, through the kernel's own link: it holds even when its file was replaced."""
    link = f"/proc/{pid}/exe"
    status = os.stat(link)
    facts: dict[str, Any] = {"path": libraries.plain_path(path), "size": status.st_size}
    facts |= inspect(link) | interpreter(path, mapped)
    if root or path.endswith(libraries.DELETED):
        return join(facts, digest(link, AT_ONCE_LIMIT))
    return facts | {"fingerprint": fingerprint(status)}


def inspect(path: str) -> dict[str, str]:
    """Build id and linking of an ELF file, or why not."""
    try:
        return elf.inspect(path)
    except (OSError, HpcprovError) as error:
        return {"reason": explain(error)}


def interpreter(path: str, mapped: Iterable[str]) -> dict[str, str]:
    """The kind of interpreter that an executable is, by its name or its libraries; nothing for compiled programs."""
    if row := find_interpreter(libraries.plain_path(path)):
        return {"interpreter": row[0]}
    loaded = [os.path.basename(library) for library in mapped]
    kinds = (kind for start, kind in EMBEDDED if any(library.startswith(start) for library in loaded))
    found = next(kinds, None)
    return {"interpreter": found} if found else {}


def fingerprint(status: os.stat_result) -> list[int]:
    """Which state of a file this is."""
    return [status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns, status.st_ctime_ns]


def digest(path: str, limit: int | None = None) -> dict[str, str]:
    """SHA-256 of a file, or why there is none."""
    try:
        return {"sha256": digest_file(path, limit)[0]}
    except (OSError, HpcprovError) as error:
        return {"reason": explain(error)}


def python(pid: int, path: str, mapped: Iterable[str], root: str) -> dict[str, dict[str, Any]]:
    """The Python installation behind a process, by its search path; looked up once for the same evidence."""
    try:
        seen = python_packages.evidence(pid, path, mapped)
    except OSError as error:
        return {path: {"executable": path, "reason": explain(error)}}
    folders = tuple(python_packages.search_path(seen, root))
    if folders not in _pythons:
        _pythons[folders] = python_packages.describe(seen, root)
    return {"\0".join(folders): _pythons[folders]}


def union(*snapshots: Snapshot) -> dict[str, dict[str, dict[str, Any]]]:
    """Everything that was seen; of two sightings under one path the first counts, except that a known build id wins."""
    joined: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in KINDS}
    for seen in snapshots:
        for kind in KINDS:
            for path, facts in seen[kind].items():
                known = joined[kind].get(path)
                if known is None or ("build_id" in facts and "build_id" not in known):
                    joined[kind][path] = facts
    return joined


def finish(seen: Snapshot) -> dict[str, Any]:
    """The fact: `seen` as sorted lists, with the digests of the executables."""
    paths = sorted(seen["executables"])
    facts: dict[str, Any] = {
        "executables": [with_digest(seen["executables"][path]) for path in paths[:MOST_EXECUTABLES]]
    }
    facts["libraries"] = [seen["libraries"][path] for path in sorted(seen["libraries"])]
    facts["python"] = [seen["python"][key] for key in sorted(seen["python"])]
    if len(paths) > MOST_EXECUTABLES:
        facts["reason"] = f"{len(paths)} executables ran, the first {MOST_EXECUTABLES} are recorded"
    return facts


def with_digest(facts: Mapping[str, Any]) -> dict[str, Any]:
    """An executable with its digest, when its file is still the one that ran."""
    known = {key: value for key, value in facts.items() if key != "fingerprint"}
    if "fingerprint" not in facts:
        return known
    try:
        same = fingerprint(os.stat(facts["path"])) == facts["fingerprint"]
    except OSError as error:
        return join(known, {"reason": explain(error)})
    return join(known, digest(facts["path"]) if same else {"reason": "the file was replaced after it ran"})


def join(facts: dict[str, Any], more: Mapping[str, str]) -> dict[str, Any]:
    """Both, with both of their reasons."""
    reasons = [part["reason"] for part in (facts, more) if "reason" in part]
    return facts | dict(more) | ({"reason": "; ".join(reasons)} if reasons else {})
