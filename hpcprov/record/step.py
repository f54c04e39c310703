"""Steps of a run, as a Python program tells them, checked at the border: the entries of `step` events (docs/frames.md,
"Steps"). Any process of the run may have written them.

    step({"id": 1, "name": "smooth", "began": 1795000000000000000, "used": ["/data/a.npy"], "status": 3})
    ->  {"id": 1, "name": "smooth", "began": 1795000000000000000, "used": ["/data/a.npy"]}
"""

from __future__ import annotations

import json

from hpcprov.record.observed import checked, is_count, is_sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Checks = dict[str, Callable[[Any], bool]]

LONGEST = 1000  # characters of a name
LONGEST_PATH = 1 << 14
MOST_PATHS = 256  # of one step in one role
MOST_TAGS = 64
PARAMETERS = 4096  # characters of all parameters of one step, as JSON
STATES = ("running", "completed", "failed")


def is_name(value: Any) -> bool:
    return type(value) is str and len(value) <= LONGEST


def is_paths(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_PATHS and all(map(is_path, value))


def is_path(value: Any) -> bool:
    return type(value) is str and 0 < len(value) <= LONGEST_PATH


def is_state(value: Any) -> bool:
    return value in STATES


def is_tags(value: Any) -> bool:
    return type(value) is dict and len(value) <= MOST_TAGS and all(map(is_name, [*value, *value.values()]))


def is_parameters(value: Any) -> bool:
    """A small object of JSON values."""
    if type(value) is not dict:
        return False
    try:
        return len(json.dumps(value, allow_nan=False)) <= PARAMETERS
    except (ValueError, RecursionError):
        return False


STEP: Checks = (
    dict.fromkeys(("name", "function", "error", "note", "of"), is_name)
    | dict.fromkeys(("id", "parent", "count", "failed", "began", "ended", "duration"), is_count)
    | dict.fromkeys(("used", "generated"), is_paths)
    | {"code": is_sha256, "status": is_state, "parameters": is_parameters, "tags": is_tags}
)


def step(entry: Any) -> dict[str, Any] | None:
    """An entry of a `step` event; None for one without a number or a name."""
    kept = checked(entry, STEP, "id")
    return kept if kept is not None and "name" in kept else None


def in_tree(found: list[dict[str, Any]], most: int) -> list[tuple[dict[str, Any], int]]:
    """The first steps of a record in the order of a tree, with their depths: of many those nearest to the root."""
    depth: dict[int, int] = {}
    for step in found:
        depth[step["id"]] = depth.get(step["parent"], -1) + 1
    chosen = sorted(found, key=lambda step: (depth[step["id"]], step["id"]))[:most]
    below: dict[int | None, list[dict[str, Any]]] = {}
    there = {step["id"] for step in chosen}
    for step in chosen:
        below.setdefault(step["parent"] if step["parent"] in there else None, []).append(step)
    order: list[tuple[dict[str, Any], int]] = []
    waiting = below.get(None, [])[::-1]
    while waiting:
        step = waiting.pop()
        order.append((step, depth[step["id"]]))
        waiting += below.pop(step["id"], [])[::-1]
    return order
