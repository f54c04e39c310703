"""What other programs are told of a lineage's nodes and edges: names and kinds of properties, the same in all formats.

    values(node, NODE)  ->  {"kind": "run", "run": "20261121T093000Z-1f2e3d4c", "status": "completed", ...}

Text is one line without control characters: lone surrogates and the like are shown as escapes.
"""

from __future__ import annotations

import math

from hpcprov.record.text import printable
from hpcprov.record.wording import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any, TypeAlias

    Value: TypeAlias = str | int | float | bool

LARGEST = 2**63 - 1
#: Name -> kind: of nodes and of edges. `long` has 64 bits.
NODE = {
    "kind": "string",
    "run": "string",
    "name": "string",
    "type": "string",
    "status": "string",
    "start": "string",
    "end": "string",
    "duration_s": "double",
    "user": "string",
    "host": "string",
    "cwd": "string",
    "command": "string",
    "image": "string",
    "path": "string",
    "field": "string",
    "field_signature": "string",
    "format": "string",
    "size": "long",
    "signature": "string",
    "storage": "string",
    "others": "long",
    "asked": "boolean",
}
EDGE = {"role": "string", "join": "string", "path": "string", "fields": "string"}


def node_values(node: Mapping[str, Any], *, asked: bool) -> dict[str, Value]:
    """The known properties of a node; `asked`: the lineage is about it."""
    command = {"command": words(node["argv"])} if node.get("argv") else {}
    return _fitting({**node, **command, **({"asked": True} if asked else {})}, NODE)


def edge_values(edge: Mapping[str, Any]) -> dict[str, Value]:
    """The known properties of an edge."""
    fields = {"fields": ", ".join(f"{a or '(the array)'} = {b or '(the array)'}" for a, b in edge.get("fields") or ())}
    return _fitting({**edge, **(fields if edge.get("fields") else {})}, EDGE)


def _fitting(values: Mapping[str, Any], kinds: Mapping[str, str]) -> dict[str, Value]:
    told = {name: _value(values.get(name), kind) for name, kind in kinds.items()}
    return {name: value for name, value in told.items() if value is not None}


def _value(value: Any, kind: str) -> Value | None:
    """A value of this kind, or None where it is none."""
    if kind == "string":
        return printable(value) if type(value) is str else None
    if kind == "boolean":
        return value if type(value) is bool else None
    if type(value) is int and abs(value) <= LARGEST:
        return value if kind == "long" else float(value)
    return value if kind == "double" and type(value) is float and math.isfinite(value) else None
