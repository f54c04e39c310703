"""The rules of a workflow as a graph: runs of one name are one box, data between them are arrows.

graph = rules(lineage)
graph.nodes["group:0"]  ->  {"kind": "run", "name": "simulate", "count": 12, "statuses": {"completed": 12}, ...}
"""

from __future__ import annotations

from collections import Counter, deque

from hpcprov.catalog.graph import Graph
from hpcprov.report.grouped import pattern, title

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.graph import Node


def rules(lineage: Graph) -> Graph:
    """The graph of names. An arrow: what one run of the first name made, one of the second used."""
    small = Graph()
    members: dict[str, list[Node]] = {}
    for node in sorted(lineage.nodes.values(), key=lambda node: str(node.get("start"))):
        if node["kind"] == "run" and node.get("type", "command") == "command":
            members.setdefault(pattern(title(node)), []).append(node)
    box = {name: f"group:{k}" for k, name in enumerate(members)}
    for name, nodes in members.items():
        small.nodes[box[name]] = _box(box[name], name, nodes)
    box_of = {node["id"]: box[name] for name, nodes in members.items() for node in nodes}
    for user, makers in _makers(lineage, box_of).items():
        for maker in sorted(makers - {box_of[user]}):
            small.link(maker, box_of[user], role="followed", join="record")
    return small


def _makers(lineage: Graph, box_of: dict[str, str]) -> dict[str, set[str]]:
    """Of each run the boxes of the runs that made what it used; data of equal values may lie between."""
    found: dict[str, set[str]] = {name: set() for name in lineage.nodes}
    waiting: deque[str] = deque()
    after: dict[str, list[str]] = {}
    for edge in lineage.edges:
        if edge["from"] in box_of and edge["to"] not in box_of and edge["to"] in found:
            found[edge["to"]].add(box_of[edge["from"]])
            waiting.append(edge["to"])
        elif edge["from"] not in box_of and edge["to"] in found:
            after.setdefault(edge["from"], []).append(edge["to"])
    while waiting:
        name = waiting.popleft()
        for target in after.get(name, ()):
            if not found[name] <= found[target]:
                found[target] |= found[name]
                if target not in box_of:
                    waiting.append(target)
    return {name: boxes for name, boxes in found.items() if name in box_of}


def _box(name: str, called: str, nodes: list[Node]) -> Node:
    starts = [str(node["start"]) for node in nodes if node.get("start")]
    return {
        "id": name,
        "kind": "run",
        "name": called,
        "count": len(nodes),
        "names": sorted({title(node) for node in nodes})[:12],
        "statuses": dict(Counter(str(node.get("status") or "unknown") for node in nodes)),
        "start": min(starts, default=None),
    }
