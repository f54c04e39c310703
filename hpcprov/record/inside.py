"""Looking into values of any shape: facts hold what a log held, and a record may have been edited. Nothing here raises.

inner({"git": {"commit": "8fd83bf"}}, "git", "commit")           ->  "8fd83bf"
part({"cpu": {"cores": 64}}, "cpu"), part({"cpu": 7}, "cpu")     ->  {"cores": 64}, {}
objects({"loaded": [{"name": "gcc/13.2"}, 7]}, "loaded")         ->  [{"name": "gcc/13.2"}]
text({"name": 7}, "name")                                        ->  None
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


def inner(value: Any, *keys: str) -> Any:
    """What lies within objects; None where one of them is no object or lacks its key. Without keys the value itself."""
    for key in keys:
        value = value.get(key) if type(value) is dict else None
    return value


def part(value: Any, *keys: str) -> dict[str, Any]:
    """The object there, else {}."""
    found = inner(value, *keys)
    return found if type(found) is dict else {}


def items(value: Any, *keys: str) -> list[Any]:
    """The list there, else []."""
    found = inner(value, *keys)
    return found if type(found) is list else []


def objects(value: Any, *keys: str) -> list[dict[str, Any]]:
    """The objects in the list there."""
    return [item for item in items(value, *keys) if type(item) is dict]


def text(value: Any, *keys: str) -> str | None:
    """The text there, else None."""
    found = inner(value, *keys)
    return found if type(found) is str else None
