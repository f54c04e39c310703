"""The lineage graph of chosen runs, from their records alone: for runs that no catalog holds.

graph = graph_of(records)      # an output that another of these runs used joins them: by values, by bytes, or by path

The catalog knows more (`catalog.lineage`): runs that were not chosen, fields, directories around files.
"""

from __future__ import annotations

from hpcprov.catalog.graph import Graph
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.record.model import Record

MOST_ARTIFACTS = 50_000


class Gathering:
    """Runs are added one after the other; `graph` joins them at the end."""

    def __init__(self) -> None:
        self._graph = Graph()
        self._made: dict[str, list[tuple[str, str]]] = {}
        self._used: list[tuple[str, str, dict[str, Any]]] = []
        self._left = MOST_ARTIFACTS

    def add(self, record: Record) -> None:
        """A run with its inputs and outputs; jobs and workflows consist of others, and have none of their own."""
        run = record["run"]
        if run["kind"] != "command":
            return
        node = self._graph.add_run(run["id"], **_about(record))
        for role in ("generated", "used"):
            for artifact in record["artifacts"][role]:
                if self._left <= 0:
                    self._graph.cut += 1
                    continue
                self._left -= 1
                if role == "used":
                    self._used.append((node, run["start"] or "", artifact))
                else:
                    self._add_output(node, run, artifact)

    def _add_output(self, node: str, run: dict[str, Any], artifact: dict[str, Any]) -> None:
        name = self._add(_digest(artifact) or f"{artifact['path']}@{run['id']}", artifact)
        self._graph.link(node, name, role="generated", join="record")
        self._made.setdefault(artifact["path"], []).append((run["start"] or "", name))

    def graph(self) -> Graph:
        """All that was added, joined."""
        for node, start, artifact in sorted(self._used, key=lambda used: used[1]):
            name, join = self._input(start, artifact)
            self._graph.link(name, node, role="used", join=join)
        return self._graph

    def _input(self, start: str, artifact: dict[str, Any]) -> tuple[str, str]:
        digest = _digest(artifact)
        if digest is not None:
            return self._add(digest, artifact), "record"
        before = [made for made in self._made.get(artifact["path"], ()) if made[0] < start]
        if before:
            return max(before)[1], "path"
        return self._add(artifact["path"], artifact), "record"

    def _add(self, key: str, artifact: dict[str, Any]) -> str:
        known = self._graph.nodes.get(f"data:{key}")
        if known is not None:
            if artifact["path"] not in known["paths"]:
                known["paths"].append(artifact["path"])
            return f"data:{key}"
        signature = artifact["signature"] or {}
        return self._graph.add_artifact(
            key,
            path=artifact["path"],
            paths=[artifact["path"]],
            signature=signature.get("digest"),
            storage=(artifact["storage"] or {}).get("digest"),
            format=artifact["format"],
            size=artifact["size"],
            fields=len(signature.get("fields") or ()) or None,
        )


def graph_of(records: Iterable[Record]) -> Graph:
    """The graph of all these runs."""
    gathering = Gathering()
    for record in records:
        gathering.add(record)
    return gathering.graph()


def _about(record: Record) -> dict[str, Any]:
    run, nodes = record["run"], record["nodes"]
    known = {key: run[key] for key in ("name", "status", "start", "end", "argv")} | {"type": run["kind"]}
    host = printable(nodes[0]["host"]) if nodes and isinstance(nodes[0]["host"], str) else None
    return known | {"user": run["user"]["name"], "host": host}


def _digest(artifact: dict[str, Any]) -> str | None:
    for kind in ("signature", "storage"):
        if artifact[kind] is not None:
            return str(artifact[kind]["digest"])
    return None
