"""A lineage graph as a picture has room for it: what is alike becomes one node with a count.

    small = grouped(graph, most=500)
    small.nodes["group:3"]  ->  {"kind": "run", "name": "simulate", "count": 1200, "statuses": {"completed": 1199, ...}}

Files that differ in numbers of their names only, and that the same runs made and used, are always one node: a file for
each time step. Where that is not enough, each step of HOW groups more than the one before it.
"""

from __future__ import annotations

import os
import re
from collections import Counter

from hpcprov.catalog.graph import Graph
from hpcprov.record.wording import count
from hpcprov.report.layers import layers_of
from hpcprov.report.told import number

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from hpcprov.catalog.graph import Node

    Key: TypeAlias = tuple[Any, ...]

ALIKE = 4
MOST_NAMES = 24
DIGITS, ENDING = re.compile(r"[0-9]+"), re.compile(r"[.][A-Za-z][A-Za-z0-9]{0,5}$")


def grouped(graph: Graph, *, most: int) -> Graph:
    """A graph of at most `most` nodes, whose `notes` say what was grouped; the same one when nothing was."""
    keys = _siblings(graph)
    groups = len(set(keys.values()))
    if groups == len(graph.nodes) <= most:
        return graph
    if groups <= most:
        told = "Files of one name but for numbers, which the same runs made and used, are drawn as one"
    else:
        said, keys = _small_enough(graph, most)
        told = f"{count(len(graph.nodes), 'node')} are too many for a picture: {said}"
    small = _joined(graph, keys)
    small.notes = [told, *graph.notes]
    small.cut = graph.cut
    return small


def _siblings(graph: Graph) -> dict[str, Key]:
    """Of each node its group: what is alike and has the same neighbours, when there are at least ALIKE of them."""
    near: dict[str, set[Key]] = {name: set() for name in graph.nodes}
    for edge in graph.edges:
        near[edge["from"]].add(("to", edge["to"], edge["role"], edge["join"]))
        near[edge["to"]].add(("from", edge["from"], edge["role"], edge["join"]))
    asked = set(graph.start)
    keys: dict[str, Key] = {name: (name,) for name in graph.nodes}
    for name, node in graph.nodes.items():
        if node["kind"] == "data" and "count" not in node and name not in asked:
            keys[name] = (pattern(title(node)), os.path.dirname(str(node.get("path") or "")), frozenset(near[name]))
    numbers = Counter(keys.values())
    return {name: key if numbers[key] >= ALIKE else (name,) for name, key in keys.items()}


def _small_enough(graph: Graph, most: int) -> tuple[str, dict[str, Key]]:
    """The first way of grouping that leaves at most `most`: in words, and of each node its group."""
    layers = layers_of(list(graph.nodes), [(edge["from"], edge["to"]) for edge in graph.edges])
    for said, key in HOW[:-1]:
        keys = {name: key(node, layers[name]) for name, node in graph.nodes.items()}
        if len(set(keys.values())) <= most:
            return said, keys
    said, key = HOW[-1]
    return said, {name: key(node, layers[name]) for name, node in graph.nodes.items()}


def _joined(graph: Graph, keys: dict[str, Key]) -> Graph:
    small = Graph()
    names: dict[Key, str] = {}
    members: dict[str, list[Node]] = {}
    group_of: dict[str, str] = {}
    for name, key in keys.items():
        group = group_of[name] = names.setdefault(key, f"group:{len(names)}")
        members.setdefault(group, []).append(graph.nodes[name])
    for group, nodes in members.items():
        small.nodes[group] = dict(nodes[0]) | {"id": group} if len(nodes) == 1 else _group(group, nodes)
    small.start = [group_of[name] for name in graph.start if name in group_of]
    for edge in graph.edges:
        source, target = group_of[edge["from"]], group_of[edge["to"]]
        if source != target:
            small.link(source, target, role=edge["role"], join=edge["join"])
    return small


def _group(name: str, nodes: list[Node]) -> Node:
    kind = nodes[0]["kind"]
    called = Counter(title(node) for node in nodes).most_common(1)[0][0]
    places = {os.path.dirname(str(node.get("path") or "")) for node in nodes}
    formats, sizes = {node.get("format") for node in nodes}, [number(node.get("size")) for node in nodes]
    return {
        "id": name,
        "kind": kind,
        "count": len(nodes),
        "name": called if kind == "run" else pattern(called),
        "names": sorted({title(node) for node in nodes})[:MOST_NAMES],
        "statuses": dict(Counter(str(node.get("status") or "unknown") for node in nodes)) if kind == "run" else {},
        "format": next(iter(formats)) if len(formats) == 1 else None,
        "size": sum(size or 0 for size in sizes) if any(sizes) else None,
        "directory": next(iter(places)) if len(places) == 1 else None,
        "start": min((str(node["start"]) for node in nodes if node.get("start")), default=None),
        "end": max((str(node["end"]) for node in nodes if node.get("end")), default=None),
    }


def title(node: Node) -> str:
    """What a node is called: a run's name or program, the last part of a path."""
    if node["kind"] == "run" or "count" in node:
        return str(node.get("name") or program(node.get("argv")) or node.get("run") or "run")
    return str(
        node.get("field") or os.path.basename(str(node.get("path") or "").rstrip("/")) or node.get("key") or "data"
    )


def program(argv: Any) -> str | None:
    """The program of a command, with the script that an interpreter was given: `python solve.py`."""
    if not isinstance(argv, list) or not argv:
        return None
    words = [os.path.basename(str(word)) for word in argv[:4]]
    script = next((word for word in words[1:] if word.endswith(SCRIPTS)), None)
    return f"{words[0]} {script}" if script else words[0]


def pattern(name: str) -> str:
    """A name with its numbers left open, but for those of its ending: `out_0042.h5` -> `out_#.h5`."""
    ending = ENDING.search(name)
    stem = name[: ending.start()] if ending else name
    return DIGITS.sub("#", stem) + name[len(stem) :]


def _by_name(node: Node, layer: int) -> Key:
    return node["kind"], pattern(title(node)), layer


def _by_name_anywhere(node: Node, layer: int) -> Key:
    return node["kind"], pattern(title(node))


def _by_place(node: Node, layer: int) -> Key:
    name = title(node)
    return node["kind"], os.path.splitext(name)[1] if node["kind"] == "data" else name.partition(" ")[0], layer


def _by_layer(node: Node, layer: int) -> Key:
    return node["kind"], layer


def _by_kind(node: Node, layer: int) -> Key:
    return (node["kind"],)


SCRIPTS = (".py", ".sh", ".R", ".r", ".jl", ".pl", ".m", ".nf", ".smk")
HOW: tuple[tuple[str, Callable[[Node, int], Key]], ...] = (
    ("those of the same name and the same distance from the first inputs are drawn as one", _by_name),
    ("those of the same name are drawn as one", _by_name_anywhere),
    ("those of one program or file type and the same distance from the first inputs are drawn as one", _by_place),
    ("those at the same distance from the first inputs are drawn as one", _by_layer),
    ("all runs are drawn as one, and all data", _by_kind),
)
