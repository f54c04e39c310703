"""A lineage graph as a picture: values for the macro of graph.html, which draws them as SVG and tells them as a list.

Runs are rectangles with the colour and sign of their status, data are rounded; time goes from left to right. Each node
is a link to its entry in the list, which is what screen readers get and what remains without scripts.

    compose("many.html", picture=picture(graph), styles=["graph.css"], scripts=["graph.js"], ...)
"""

from __future__ import annotations

from itertools import pairwise

from hpcprov.record.wording import count
from hpcprov.report.apart import apart
from hpcprov.report.entries import entries, second_line, tone
from hpcprov.report.grouped import grouped, title
from hpcprov.report.label import fitted
from hpcprov.report.layered import HEIGHT, WIDTH, Drawing, place

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.catalog.graph import Edge, Graph, Node
    from hpcprov.report.layered import Point

MOST_NODES = 500
MOST_ASKED = 3  # more are not marked
DIP = 44.0  # of an edge against time
LABEL = {"run": WIDTH - 42, "data": WIDTH - 30}
PLAIN = ("used", "generated", "followed", "part of", "holds")


def picture(graph: Graph, *, links: Mapping[str, str] | None = None, most: int = MOST_NODES) -> dict[str, Any]:
    """Values for the macro `picture`; `links`: of run ids the addresses of their own reports, relative to the page."""
    graph = apart(graph)
    small = grouped(graph, most=most)
    known = [edge for edge in small.edges if edge["from"] in small.nodes and edge["to"] in small.nodes]
    drawing = place(_in_time(small), [(edge["from"], edge["to"]) for edge in known])
    order = sorted(small.nodes, key=lambda name: drawing.at[name])
    asked = small.start if len(small.start) <= MOST_ASKED else []
    numbers = {name: k for k, name in enumerate(order)}
    return {
        "width": round(drawing.width),
        "height": round(drawing.height),
        "box": (round(WIDTH), round(HEIGHT)),
        "kinds": {node["kind"] for node in small.nodes.values()},
        "nodes": [_box(small.nodes[name], numbers[name], drawing.at[name], name in asked) for name in order],
        "edges": [_way(edge, k, drawing, numbers) for k, edge in enumerate(known)],
        "entries": entries(small, known, numbers, links or {}),
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
        "tone": tone(node),
        "x": round(at[0] - WIDTH / 2, 1),
        "y": round(at[1] - HEIGHT / 2, 1),
        "name": first,
        "below": fitted(second_line(node), LABEL[node["kind"]], font=11),
        "title": _whole(node, name),
    }


def _whole(node: Node, name: str) -> str:
    """Everything that its box may have cut, for a pointer that rests on it and for a screen reader."""
    if node["kind"] == "data":
        many = f"{count(node['count'], 'version')} of data: " if "count" in node else "data "
        return f"{many}{node.get('path') or name}"
    if "count" in node:
        return f"{count(node['count'], 'run')}: {name}, {second_line(node)}"
    return f"run {name}, {second_line(node)}"


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
