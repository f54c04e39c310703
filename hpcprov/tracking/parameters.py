"""Arguments that are no data, as JSON: small, without secrets, and without calling anything of theirs.

parameters({"width": 3, "token": "s3cret", "model": torch_module})
->  {"width": 3, "token": "***", "model": {"type": "torch.nn.Module"}}
"""

from __future__ import annotations

import json
from math import isfinite
from typing import TYPE_CHECKING, Any

from hpcprov.capture import redact

if TYPE_CHECKING:
    from collections.abc import Mapping

LONGEST = 200  # characters of a text
MOST, DEEPEST = 16, 2  # items of a collection; collections in one another
ALL = 2000  # characters of all parameters of a step, as JSON
LARGEST = 1 << 53  # integers that every reader of JSON keeps


def parameters(arguments: Mapping[str, Any]) -> dict[str, Any]:
    """By name. What does not fit any more is told by its type."""
    found: dict[str, Any] = {}
    left = ALL
    for name, value in list(arguments.items())[: 4 * MOST]:
        told = redact.HIDDEN if redact.is_sensitive(name) and value is not None else plain(value)
        if (size := len(json.dumps(told)) + len(name)) > left:
            told = typed(value)
            size = len(json.dumps(told)) + len(name)
        if size <= left:
            found[name[:LONGEST]] = told
            left -= size
    return found


def plain(value: Any, depth: int = 0) -> Any:
    """A value as JSON; of a type that is not known only the name."""
    kind = type(value)
    if value is None or kind is bool:
        return value
    if kind is int:
        return value if abs(value) <= LARGEST else typed(value)
    if kind is float:
        return value if isfinite(value) else str(value)
    if kind is str:
        return text(value)
    if kind in (list, tuple) and len(value) <= MOST and depth < DEEPEST:
        return [plain(item, depth + 1) for item in _words(list(value))]
    if kind is dict and len(value) <= MOST and depth < DEEPEST and all(type(key) is str for key in value):
        return {text(key): hidden(key, item, depth) for key, item in value.items()}
    if kind.__module__ == "numpy" and hasattr(kind, "dtype") and getattr(value, "shape", None) == ():
        return plain(value.item(), depth) if type(value.item()) in (bool, int, float, str) else typed(value)
    return typed(value)


def _words(items: list[Any]) -> list[Any]:
    """A list of texts may be a command: then a secret may be the word after the option that names it."""
    is_command = all(type(item) is str for item in items)
    return redact.scrub_argv([item[: 4 * LONGEST] for item in items]) if is_command else items


def hidden(name: str, value: Any, depth: int) -> Any:
    return redact.HIDDEN if redact.is_sensitive(name) and value is not None else plain(value, depth + 1)


def text(value: str) -> str:
    """A text without secrets, cut."""
    found = redact.scrub(value[: 4 * LONGEST])
    return found if len(found) <= LONGEST else f"{found[: LONGEST - 1]}…"


def typed(value: Any) -> dict[str, str]:
    """What is said of a value that is not told."""
    kind = type(value)
    return {"type": f"{kind.__module__}.{kind.__qualname__}"[:LONGEST]}
