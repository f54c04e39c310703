"""A lineage graph as a picture: values for the macro of graph.html, which draws them as SVG and tells them as a list.

Runs are rectangles with the colour and sign of their status, data are rounded; time goes from left to right. Each node
is a link to its entry in the list, which is what screen readers get and what remains without scripts.

    compose("many.html", picture=picture(graph), styles=["graph.css"], scripts=["graph.js"], ...)
"""

from __future__ import annotations

from itertools import pairwise

from hpcprov.record.wording import count, words
from hpcprov.report import assets
from hpcprov.report.grouped import grouped, title
from hpcprov.report.label import fitted
from hpcprov.report.layered import HEIGHT, WIDTH, Drawing, place
from hpcprov.report.summary import status
from hpcprov.report.told import bytes_of, number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.catalog.graph import Edge, Graph, Node
    from hpcprov.report.layered import Point

MOST_NODES = 500
# An entry of the list names so many neighbours.
MOST_TOLD = 30
MOST_ASKED = 3  # more are not marked
DIP = 44.0  # of an edge against time
LABEL = {"run": WIDTH - 42, "data": WIDTH - 30}
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
PLAIN = ("used", "generated", "followed", "part of", "holds")
JOINED = {
    "signature": "by equal values",
    "bytes": "by equal bytes",
    "field": "by a field of equal values",
    "path": "by path and time",
}


def picture(graph: Graph, *, links: Mapping[str, str] | None = None, most: int = MOST_NODES) -> dict[str, Any]:
    """Values for the macro `picture`; `links`: of run ids the addresses of their own reports, relative to the page."""
    small = grouped(graph, most=most)
    known = [edge for edge in small.edges if edge["from"] in small.nodes and edge["to"] in small.nodes]
    drawing = place(_in_time(small), [(edge["from"], edge["to"]) for edge in known])
    order = sorted(small.nodes, key=lambda name: drawing.at[name])
    asked = small.start if len(small.start) <= MOST_ASKED else []
    numbers = {name: k for k, name in enumerate(order)}
    entries = _entries(small, known, numbers, links or {})
    return {
        "width": round(drawing.width),
        "height": round(drawing.height),
        "box": (round(WIDTH), round(HEIGHT)),
        "kinds": {node["kind"] for node in small.nodes.values()},
        "nodes": [_box(small.nodes[name], numbers[name], drawing.at[name], name in asked) for name in order],
        "edges": [_way(edge, k, drawing, numbers) for k, edge in enumerate(known)],
        "entries": entries,
        "summary": _summary(graph),
        "told": [*small.notes, *_left_out(graph)],
        "middle": numbers[small.start[0]] if small.start and small.start[0] in numbers else 0,
    }


def _in_time(graph: Graph) -> list[str]:
    """Nodes, runs in order of time first: values that a run read and left as they were are drawn after it."""
    return sorted(
        graph.nodes, key=lambda name: (graph.nodes[name]["kind"] != "run", str(graph.nodes[name].get("start")))
    )


def _summary(graph: Graph) -> str:
    runs = sum(node["kind"] == "run" for node in graph.nodes.values())
    data = len(graph.nodes) - runs
    versions = [f"{count(data, 'version')} of data"] if data else []
    return ", ".join([count(runs, "run" if data else "step"), *versions, count(len(graph.edges), "link")])


def _left_out(graph: Graph) -> list[str]:
    return [f"{count(graph.cut, 'node')} beyond these left out"] if graph.cut else []


def _box(node: Node, number: int, at: Point, asked: bool) -> dict[str, Any]:
    name = title(node)
    many = node.get("count", 1)
    first = fitted(name, LABEL[node["kind"]] - (34 if many > 1 else 0), font=13.2)
    return {
        "number": number,
        "kind": node["kind"],
        "asked": asked,
        "many": f"×{many:,}" if many > 1 else "",
        "tone": _tone(node),
        "x": round(at[0] - WIDTH / 2, 1),
        "y": round(at[1] - HEIGHT / 2, 1),
        "name": first,
        "below": fitted(_second_line(node), LABEL[node["kind"]], font=11),
        "title": _whole(node, name),
    }


def _tone(node: Node) -> str:
    if node["kind"] != "run":
        return ""
    return together(node.get("statuses") or [node.get("status") or "no record"])


def together(statuses: Iterable[str]) -> str:
    """How several statuses look together: as they do when they agree."""
    looks = {status(str(name))["look"] for name in statuses}
    return looks.pop() if len(looks) == 1 else "busy" if looks == {"good", "busy"} else "warn"


def _second_line(node: Node) -> str:
    if node["kind"] == "data":
        parts = [node.get("format"), _size(node.get("size"))]
        return " · ".join(str(part) for part in parts if part) or str(node.get("directory") or "")
    if "statuses" in node:
        well, all_of_them = node["statuses"].get("completed", 0), sum(node["statuses"].values())
        return f"{well:,} of {all_of_them:,} completed" if well < all_of_them else f"{well:,} completed"
    return " · ".join(part for part in (str(node.get("status") or "unknown"), _minute(node.get("start"))) if part)


def _whole(node: Node, name: str) -> str:
    """Everything that its box may have cut, for a pointer that rests on it and for a screen reader."""
    if node["kind"] == "data":
        many = f"{node['count']:,} versions of data: " if "count" in node else "data "
        return f"{many}{node.get('path') or name}"
    if "count" in node:
        return f"{node['count']:,} runs: {name}, {_second_line(node)}"
    return f"run {name}, {_second_line(node)}"


def _minute(moment: Any) -> str:
    return f"{moment[5:10]} {moment[11:16]}" if isinstance(moment, str) else ""


def _size(value: Any) -> str | None:
    return None if number(value) is None else bytes_of(value)


def _way(edge: Edge, k: int, drawing: Drawing, numbers: dict[str, int]) -> dict[str, Any]:
    return {
        "from": numbers[edge["from"]],
        "to": numbers[edge["to"]],
        "sure": edge.get("join") in ("record", "signature", "bytes") and edge.get("role") in PLAIN,
        "line": _curve(drawing.lines[k]),
    }


def _curve(points: list[Point]) -> str:
    """A path that leaves and enters boxes level, and runs straight where a bend takes it through a layer. One against
    time hangs below the boxes."""
    (x, y), (to_x, to_y) = points[0], points[-1]
    text = f"M{x:.0f} {y:.0f}"
    if to_x <= x:
        low = max(y, to_y) + DIP
        return f"{text}C{x:.0f} {low:.0f} {to_x:.0f} {low:.0f} {to_x:.0f} {to_y:.0f}"
    for (x, y), (to_x, to_y) in pairwise(points):
        reach = max(28.0, (to_x - x) / 2)
        level = f"H{to_x:.0f}"
        curve = f"C{x + reach:.0f} {y:.0f} {to_x - reach:.0f} {to_y:.0f} {to_x:.0f} {to_y:.0f}"
        text += level if y == to_y else curve
    return text


def _entries(
    small: Graph, edges: list[Edge], numbers: dict[str, int], links: Mapping[str, str]
) -> list[dict[str, Any]]:
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
            "tone": _tone(node),
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
    return [str(word) for word in value] if isinstance(value, list) else [str(value)]


def _others(node: Node) -> str | None:
    paths = node.get("paths")
    others = [str(path) for path in paths if path != node.get("path")] if isinstance(paths, list) else []
    return ", ".join(others[:5]) + (f" and {len(others) - 5:,} more" if len(others) > 5 else "") or None


def _moment(text: Any) -> str | None:
    return assets.utc(text) if isinstance(text, str) else None
