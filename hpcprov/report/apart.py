"""A run that copies an input uses and makes the same values: in a lineage graph one node that leads to the run and
comes from it. A picture shows two: what was there before, by the path at which nobody made it, and what runs made.

    apart(graph).nodes  ->  {"run:r": ..., "data:hpcprov1:84b8...": ..., "data:hpcprov1:84b8...@/data/raw.npz": ...}
"""

from __future__ import annotations

from hpcprov.catalog.graph import Graph


def apart(graph: Graph) -> Graph:
    """The same graph, but for the sources of copies; itself where there are none."""
    made: dict[str, set[str]] = {}
    for edge in graph.edges:
        if edge["role"] == "generated" and edge.get("path"):
            made.setdefault(edge["to"], set()).add(edge["path"])
    makers = {(edge["to"], edge["from"]) for edge in graph.edges if edge["role"] == "generated"}
    both = makers & {(edge["from"], edge["to"]) for edge in graph.edges if edge["role"] == "used"}
    copied = {name for name, _ in both if name in made}
    if not copied:
        return graph
    drawn = Graph(graph.start)
    drawn.nodes, drawn.cut, drawn.notes = {name: {**node} for name, node in graph.nodes.items()}, graph.cut, graph.notes
    for edge in graph.edges:
        name, path = edge["from"], edge.get("path")
        if name in copied and edge["role"] == "used" and path and path not in made[name]:
            edge = edge | {"from": _source(drawn, name, path, made[name])}
        known = {key: value for key, value in edge.items() if key not in ("from", "to")}
        drawn.link(edge["from"], edge["to"], **known)
    return drawn


def _source(drawn: Graph, name: str, path: str, made: set[str]) -> str:
    """The node of what was there before, at a path of its own; the other one keeps the paths where it was made."""
    node, source = drawn.nodes[name], f"{name}@{path}"
    drawn.nodes.setdefault(source, {**node, "id": source, "path": path, "paths": [path]})
    others = [other for other in node.get("paths") or [node["path"]] if other != path]
    drawn.nodes[name] |= {"paths": others, "path": node["path"] if node["path"] in made else min(made)}
    return source
