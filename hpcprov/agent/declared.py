"""What the launch line declared: patterns of inputs and outputs -> the artifacts that they name.

example: resolve([start], "outputs") == [{"role": "generated", "path": "/data/a.zarr", "declared": ["*.zarr"]}]
"""

from __future__ import annotations

import glob
import os

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
