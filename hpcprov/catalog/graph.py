"""A lineage graph: runs, the artifacts between them, and how each link is known. Pure values, no catalog needed.

    graph = Graph()
    graph.add_run("20261121T093000Z-1f2e3d4c", name="flood", status="completed")
    graph.add_artifact("hpcprov1:cce8105d...", path="/scratch/ada/flood.h5")
    graph.link("run:20261121T093000Z-1f2e3d4c", "data:hpcprov1:cce8105d...", role="generated", join="record")

An artifact's node is one *version*: its key is the signature of its values, else its storage digest, else its path and
the run that left it there. So an artifact that was updated in place is two nodes, and a copy is none of its own.
Edges run as time does: from what was there first (an input, the run that made an output) to what came of it.
"""

from __future__ import annotations

from collections import deque

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeAlias

    #: `id`, `kind` ("run" or "data"), and what is known of it: see add_run and add_artifact.
    Node: TypeAlias = dict[str, Any]
    #: `from`, `to` (ids), `role` and `join`: see link.
    Edge: TypeAlias = dict[str, Any]


class Graph:
    """`nodes` by id, `edges`, the ids in `start` that were asked for, how many nodes were `cut` off, and `notes`."""

    def __init__(self, start: Iterable[str] = ()) -> None:
        self.nodes: dict[str, Node] = {}
        self.edges: list[Edge] = []
        self.start = list(start)
        self.cut = 0
        self.notes: list[str] = []
        self._linked: dict[tuple[str, str, str], Edge] = {}
        self._above: dict[str, list[Edge]] = {}
        self._below: dict[str, list[Edge]] = {}

    def add_run(self, run_id: str, **known: Any) -> str:
        """A run's node: `run`, `store` (root), `name`, `status`, `start`, `end`, `duration_s`, `cwd`, `argv`, `user`,
        `host`, `image`, `type` (command, job, workflow), `part_of` (ids), `previous`. The id."""
        return self._add(f"run:{run_id}", {"kind": "run", "run": run_id} | known)

    def add_artifact(self, key: str, **known: Any) -> str:
        """An artifact's node: `key`, `path` (where it was met first), `paths` (all, but not too many), `signature`,
        `storage`, `format`, `size`, `state`, `field` and `field_signature` (when one field of it is followed: its path
        and its values), `fields` (number), `others` (how many other runs made the same), `open` (true where --depth or
        --limit ended the way). The id."""
        return self._add(f"data:{key}", {"kind": "data", "key": key} | known)

    def link(self, source: str, target: str, *, role: str, join: str, **known: Any) -> None:
        """An edge between two ids, once: of several the one that is known by more than one record.

        `role`: `used`; `generated`; `part of`, a run of a job or workflow, a file of a directory that was used as a
        whole; `holds`, a directory that was generated as a whole, of a file in it; `restart of`; `rerun of`;
        `same values`, of all, or of the edge's `fields` (pairs of paths); `changed`, the same path, which no run is
        known to have changed. `join`, how that is known: `record`, one record says it; `signature`, equal values;
        `bytes`, equal storage digests; `field`, one field of both has equal values; `path`, the same path, and the
        last run that wrote there before. `program`: true where what was used is the run's own program."""
        edge = {"from": source, "to": target, "role": role, "join": join} | known
        before = self._linked.setdefault((source, target, role), edge)
        if before is edge:
            self.edges.append(edge)
            self._above.setdefault(target, []).append(edge)
            self._below.setdefault(source, []).append(edge)
        elif before["join"] == "record" != join:
            before.update(edge)

    def above(self, node: str) -> list[Edge]:
        """The edges that end in a node."""
        return self._above.get(node, [])

    def below(self, node: str) -> list[Edge]:
        """The edges that begin in a node."""
        return self._below.get(node, [])

    def layers(self) -> dict[str, int]:
        """Of each node the longest way to it from a node that nothing leads to. A cycle, which equal values of an input
        and an output make, is entered where it was met first."""
        return _longest(self.nodes, self.edges)

    def as_json(self) -> dict[str, Any]:
        """`{"start", "nodes", "edges", "cut", "notes"}`, for --json and for other programs."""
        nodes = list(self.nodes.values())
        return {"start": self.start, "nodes": nodes, "edges": self.edges, "cut": self.cut, "notes": self.notes}

    def _add(self, name: str, known: Node) -> str:
        node = self.nodes.setdefault(name, {"id": name})
        node.update(known)
        return name


def _longest(nodes: Iterable[str], edges: list[Edge]) -> dict[str, int]:
    waiting = dict.fromkeys(nodes, 0)
    below: dict[str, list[str]] = {}
    for edge in edges:
        if edge["from"] != edge["to"]:
            waiting[edge["to"]] += 1
            below.setdefault(edge["from"], []).append(edge["to"])
    layers = dict.fromkeys(waiting, 0)
    ready = deque(name for name, number in waiting.items() if not number)
    left = dict.fromkeys(name for name, number in waiting.items() if number)
    while ready or left:
        if not ready:  # what is left has a cycle in it
            name = next(iter(left))
            del left[name]
            ready.append(name)
        name = ready.popleft()
        for target in below.get(name, ()):
            if target in left:
                layers[target] = max(layers[target], layers[name] + 1)
                waiting[target] -= 1
                if not waiting[target]:
                    del left[target]
                    ready.append(target)
    return layers
