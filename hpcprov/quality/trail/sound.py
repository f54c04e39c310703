"""The form of what the process that reads untrusted files answers of a trail. Only the standard library is used.

>>> is_trail({"audit": None, "history": "2026-11-21T10:00:00Z ./model", "problems": [], "format": "hdf5", "real": "/a"})
True
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

TRAIL: dict[str, tuple[type, ...]] = {
    "audit": (str, type(None)), "history": (str, type(None)), "problems": (list,), "format": (str,), "real": (str,)
}  # fmt: skip
STAMP: dict[str, tuple[type, ...]] = {
    "status": (str,), "entries": (int,), "history": (bool,), "format": (str,), "result": (dict, type(None))
}  # fmt: skip


def is_trail(one: Any) -> bool:
    """What `stamping.trail` gives."""
    return _has(one, TRAIL) and all(type(text) is str for text in one["problems"])


def is_stamp(one: Any) -> bool:
    """What `stamping.stamp` gives; its `result` is looked at as that of any artifact."""
    return _has(one, STAMP)


def _has(one: Any, keys: dict[str, tuple[type, ...]]) -> bool:
    return isinstance(one, dict) and all(type(one.get(name)) in kinds for name, kinds in keys.items())
