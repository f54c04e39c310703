"""What the launch line declared: patterns of inputs and outputs -> the artifacts that they name.

example: resolve([start], "outputs") == [{"role": "generated", "path": "/data/a.zarr", "declared": ["*.zarr"]}]
"""

from __future__ import annotations

import glob
import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

ROLES = (("inputs", "used"), ("outputs", "generated"))


def patterns(starts: Iterable[Mapping[str, Any]]) -> dict[tuple[str, str, str], None]:
    """(role, working directory, pattern) in the order in which ranks declared them, each once."""
    found: dict[tuple[str, str, str], None] = {}
    for start in starts:
        for key, role in ROLES:
            for pattern in start.get(key) or []:
                if isinstance(pattern, str):
                    found[role, str(start.get("cwd") or "/"), pattern] = None
    return found


def resolve(starts: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """Artifacts with `role`, `path` (absolute) and `declared`, sorted; a pattern that matches nothing stands for
    itself."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for role, cwd, pattern in patterns(starts):
        for path in matches(cwd, pattern):
            artifact = found.setdefault((role, path), {"role": role, "path": path, "declared": []})
            if pattern not in artifact["declared"]:
                artifact["declared"].append(pattern)
    return [found[key] for key in sorted(found)]


def matches(cwd: str, pattern: str) -> list[str]:
    whole = os.path.normpath(os.path.join(cwd, pattern))
    if os.path.lexists(whole) or not glob.has_magic(pattern):  # a name may hold brackets and mean them
        return [whole]
    found = glob.glob(os.path.join(glob.escape(cwd), pattern), recursive=True)
    return sorted(os.path.normpath(path) for path in found) or [whole]


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
