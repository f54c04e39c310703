"""The executable and the shared libraries that a running process has mapped, each by path and build id.

    snapshot(4711) == {"/usr/lib/libm.so.6": {"path": "/usr/lib/libm.so.6", "build_id": "5b8d..."}, ...}

A path is the one that the process sees. Where it lives in another mount namespace (a container), files are opened below
/proc/PID/root. Source: proc(5), /proc/PID/maps.
"""

from __future__ import annotations

import os

from hpcprov.capture import elf
from hpcprov.capture.reading import explain, read_text
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

MAPS_LIMIT = 16 << 20
MOST_LIBRARIES = 2000
DELETED = " (deleted)"

Key = tuple[str, str, str]
_inspected: dict[Key, dict[str, str]] = {}


def parse_maps(text: str) -> dict[str, Key]:
    """Files mapped with execute permission: path as written -> (path, device, inode)."""
    found: dict[str, Key] = {}
    for line in text.splitlines():
        fields = line.split(None, 5)
        if len(fields) == 6 and "x" in fields[1] and fields[4] != "0" and fields[5].startswith("/"):
            found.setdefault(fields[5], (fields[5], fields[3], fields[4]))
    return found


def snapshot(pid: int, *, root: str | None = None) -> dict[str, dict[str, Any]]:
    """Libraries of a process by path. `root`: where its files lie, by default found out. Raises OSError."""
    mapped = parse_maps(read_text(f"/proc/{pid}/maps", MAPS_LIMIT))
    top = file_root(pid) if root is None else root
    names = [path for path in mapped if not is_pseudo(path)][:MOST_LIBRARIES]
    return {plain_path(path): library(mapped[path], top) for path in names}


def is_pseudo(path: str) -> bool:
    """Whether a mapping has no file that one could open: shared memory and anonymous files."""
    return path.startswith(("/memfd:", "/dev/zero", "/SYSV", "/dev/shm/"))


def plain_path(path: str) -> str:
    """A path of /proc/PID/maps as the process knows it: newlines are written `\\012` there."""
    return path.removesuffix(DELETED).replace("\\012", "\n")


def library(key: Key, root: str) -> dict[str, Any]:
    """Path and build id of one library; or why there is no build id."""
    if key not in _inspected and len(_inspected) < 4 * MOST_LIBRARIES:
        _inspected[key] = build_id(key[0], root)
    return {"path": plain_path(key[0])} | _inspected.get(key, {"reason": "too many libraries"})


def build_id(path: str, root: str) -> dict[str, str]:
    """The build id of a mapped file, or a reason."""
    if path.endswith(DELETED):
        return {"reason": "the file was deleted or replaced while it ran"}
    try:
        return {key: value for key, value in elf.inspect(root + plain_path(path)).items() if key != "linking"}
    except (OSError, HpcprovError) as error:
        return {"reason": explain(error)}


def file_root(pid: int) -> str:
    """What to put before a path of a process: empty in our mount namespace, /proc/PID/root in another."""
    return "" if namespace(pid) in (namespace("self"), None) else f"/proc/{pid}/root"


def namespace(pid: int | str) -> str | None:
    """The mount namespace of a process, or None when we may not know."""
    try:
        return os.readlink(f"/proc/{pid}/ns/mnt")
    except OSError:
        return None
