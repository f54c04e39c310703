"""A lineage graph in words: of each node what is known, and its neighbours. Beside a picture, this is its text.

entries(graph, graph.edges, {"run:r1": 0, "data:d1": 1}, {})[0]["ways"][0]
-> {"word": "gave", "nodes": [{"number": 1, "name": "flood.h5", "how": None}], "more": 0}
"""

from __future__ import annotations

from hpcprov.record.wording import words
from hpcprov.report import assets
from hpcprov.report.grouped import title
from hpcprov.report.label import fitted
from hpcprov.report.summary import status
from hpcprov.report.told import bytes_of, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.catalog.graph import Edge, Graph, Node

MOST_TOLD = 30  # neighbours of one kind
#: How an edge is said from its end, and from its beginning.
SAID = {
    "used": ("made from", "used by"),
    "generated": ("made by", "gave"),
    "part of": ("has the part", "part of"),
    "restart of": ("started again after", "started again as"),
    "rerun of": ("runs again", "was run again as"),
    "same values": ("has the values of", "has the same values as"),
    "followed": ("needs", "is needed by"),
    "holds": ("lies in", "holds"),
    "changed": ("was before", "became"),
}
BACKWARD = {backward for backward, _ in SAID.values()}
JOINED = {
    "signature": "by equal values",
    "bytes": "by equal bytes",
    "field": "by a field of equal values",
    "path": "by path and time",
}


def entries(small: Graph, edges: list[Edge], numbers: dict[str, int], links: Mapping[str, str]) -> list[dict[str, Any]]:
    """Of each node what is known, in the picture's order, with the links to its neighbours."""
    near: dict[str, list[tuple[str, str, Edge]]] = {}
    for edge in edges:
        backward, forward = SAID.get(edge["role"], (edge["role"], edge["role"]))
        near.setdefault(edge["to"], []).append((backward, edge["from"], edge))
        near.setdefault(edge["from"], []).append((forward, edge["to"], edge))
    names = {name: title(node) for name, node in small.nodes.items()}
    return [
        {
            "number": numbers[name],
            "kind": "run" if node["kind"] == "run" else "data",
            "name": fitted(names[name], 600),
            "many": node.get("count", 1),
            "tone": tone(node),
            "status": node.get("status") or ("unknown" if node["kind"] == "run" and "count" not in node else None),
            "facts": _facts(node),
            "href": links.get(node.get("run", "")),
            "ways": _ways(near.get(name, []), names, numbers),
        }
        for name, node in sorted(small.nodes.items(), key=lambda item: numbers[item[0]])
    ]


def _ways(found: list[tuple[str, str, Edge]], names: dict[str, str], numbers: dict[str, int]) -> list[dict[str, Any]]:
    said: dict[str, list[tuple[str, Edge]]] = {}
    for word, other, edge in found:
        said.setdefault(word, []).append((other, edge))
    return [
        {
            "word": word,
            "nodes": [
                {"number": numbers[name], "name": fitted(names[name], 260), "how": JOINED.get(edge.get("join", ""))}
                for name, edge in others[:MOST_TOLD]
            ],
            "more": max(0, len(others) - MOST_TOLD),
        }
        for word, others in sorted(said.items(), key=lambda item: item[0] not in BACKWARD)
    ]


def _facts(node: Node) -> list[tuple[str, str]]:
    """Label and value of what is known of a node."""
    if node["kind"] == "run":
        rows: list[tuple[str, Any]] = [
            ("run", node.get("run")),
            ("command", words(_texts(node.get("argv"))) if node.get("argv") else None),
            ("start", _moment(node.get("start"))),
            ("end", _moment(node.get("end"))),
            ("user", node.get("user")),
            ("host", node.get("host")),
            ("image", node.get("image")),
            ("statuses", ", ".join(f"{number:,} {word}" for word, number in node.get("statuses", {}).items())),
            ("store", node.get("store")),
        ]
    else:
        rows = [
            ("path", node.get("path")),
            ("field", node.get("field")),
            ("also at", _others(node)),
            ("format", node.get("format")),
            ("size", _size(node.get("size"))),
            ("signature", node.get("signature")),
            ("bytes", node.get("storage")),
            ("fields", node.get("fields")),
            ("in", node.get("directory")),
        ]
    if "count" in node:
        rows.append(("names", ", ".join(node["names"]) + (" …" if node["count"] > len(node["names"]) else "")))
    return [(label, assets.cut(str(value), 600)) for label, value in rows if value not in (None, "", [])]


def _texts(value: Any) -> list[str]:
    return [str(word) for word in value[:200]] if isinstance(value, list) else [str(value)]


def _others(node: Node) -> str | None:
    paths = node.get("paths")
    others = [str(path) for path in paths if path != node.get("path")] if isinstance(paths, list) else []
    return ", ".join(others[:5]) + (f" and {len(others) - 5:,} more" if len(others) > 5 else "") or None


def _moment(text: Any) -> str | None:
    return assets.utc(text) if isinstance(text, str) else None


def tone(node: Node) -> str:
    """How a node looks: `good`, `busy`, `warn`, `bad`; data have no tone."""
    if node["kind"] != "run":
        return ""
    return together(node.get("statuses") or [node.get("status") or "no record"])


def together(statuses: Iterable[str]) -> str:
    """How several statuses look together: as they do when they agree."""
    looks = {status(str(name))["look"] for name in statuses}
    return looks.pop() if len(looks) == 1 else "busy" if looks == {"good", "busy"} else "warn"


def second_line(node: Node) -> str:
    """What stands below its name: status and time, format and size."""
    if node["kind"] == "data":
        parts = [node.get("format"), _size(node.get("size"))]
        return " · ".join(str(part) for part in parts if part) or str(node.get("directory") or "")
    if "statuses" in node:
        well, all_of_them = node["statuses"].get("completed", 0), sum(node["statuses"].values())
        return f"{well:,} of {all_of_them:,} completed" if well < all_of_them else f"{well:,} completed"
    return " · ".join(part for part in (str(node.get("status") or "unknown"), _minute(node.get("start"))) if part)


def _minute(moment: Any) -> str:
    return f"{moment[5:10]} {moment[11:16]}" if isinstance(moment, str) else ""


def _size(value: Any) -> str | None:
    return None if number(value) is None else bytes_of(value)
