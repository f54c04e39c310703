"""`hpcprov verify TARGET --upstream`: what led to data, generation by generation, each path once, as what it should be.

    chain("figures/map.png")
    -> [map.png of generation 0, flood.h5 of generation 1 with used_by {"run": "20261121...", "name": "figure"}]

Where a path was used and later written again on the way to the target, what lies there now is the last version of
these; the earlier ones are gone, and are said to be.
"""

from __future__ import annotations

import os

from hpcprov.commands import expected
from hpcprov.commands.choose import Run, tell, tell_unread
from hpcprov.commands.expected import Expected
from hpcprov.record import layout, model
from hpcprov.record.artifact import BLANK, is_memory
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.graph import Graph, Node
    from hpcprov.catalog.query import Catalog


class Ancestor(Expected):
    """An artifact that led to the target: `generation` runs before it; `used_by`, the `run` (id) and `name` of who used
    it, None for the target."""

    def __init__(self, store: layout.Store, run: Run, role: str, facts: dict[str, Any]) -> None:
        super().__init__(store, run, role, facts)
        self.generation = 0
        self.used_by: dict[str, str | None] | None = None


def add_arguments(parser: argparse.ArgumentParser) -> None:
    parser.add_argument("--upstream", action="store_true", help="also all that led to TARGET, as far as it is recorded")


def told(one: Expected) -> dict[str, Any]:
    """What a verdict says of an ancestor beside what it says of every artifact."""
    return {"generation": one.generation, "used_by": one.used_by} if isinstance(one, Ancestor) else {}


def heading(verdict: dict[str, Any], before: list[dict[str, Any]]) -> Iterator[str]:
    """The line above the first artifact that a run used."""
    user = verdict.get("used_by")
    if user is not None and user not in [one.get("used_by") for one in before]:
        name = f"{printable(user['name'])}  " if user["name"] else ""
        yield f"generation {verdict['generation']}: used by {name}{printable(user['run'])}"


def chain(target: str) -> list[Expected]:
    """The target and what led to it, the nearest first. Raises HpcprovError when nothing is known of it."""
    from hpcprov.catalog import open_catalog

    path = os.path.abspath(target)
    stores = expected.stores(os.environ, os.getcwd(), path)
    if not stores:
        raise HpcprovError(f"no .hpcprov of yours is here, above, or above {path!a}")
    with open_catalog([store.root for store in stores]) as catalog:
        tell_unread(catalog.problems)
        start = catalog.start(target)
        start.notes = []  # what lies there is compared, not guessed from size and time
        graph = catalog.lineage(start)
        for note in graph.notes:
            tell(note)
        found = _ancestors(catalog, graph)
    if not found:
        return expected.of_path(stores, path)
    _place(found, path)
    return [*_once(found)]


def _ancestors(catalog: Catalog, graph: Graph) -> list[Ancestor]:
    """All versions on the way, each as the run knows it that used it; those of the target as their makers do."""
    runs: dict[str, Run] = {}
    found: list[Ancestor] = []
    for generation, run, role, path in _links(graph):
        node = graph.nodes[run]
        if run not in runs:
            runs[run] = _run(catalog, node)
        for facts in runs[run].record["artifacts"][role]:
            if path in (None, facts["path"]) and not is_memory(facts["path"]):
                one = Ancestor(layout.Store(node["store"]), runs[run], role, facts)
                one.generation = generation
                one.used_by = {"run": node["run"], "name": node.get("name")} if role == "used" else None
                found.append(one)
    return found


def _run(catalog: Catalog, node: Node) -> Run:
    """A run with its record, from the store that the graph has it from: a store's copy has it, too."""
    row = next(row for row in catalog.by_id([node["run"]]) if row.root == node["store"])
    going_on = row.sealed is None
    path = os.path.join(row.directory, layout.RECORD)
    return Run(row.directory, catalog.record(row.id) if going_on else model.load(path))


def _links(graph: Graph) -> Iterator[tuple[int, str, str, str | None]]:
    """From the start up: generation, run, role and path of what it generated (the start), or used; no path: all."""
    data = [node for node in graph.start if graph.nodes[node]["kind"] == "data"]
    runs = [node for start in graph.start if start not in data for node in _runs_of(graph, start)]
    yield from ((0, run, "generated", None) for run in runs)
    seen = {*data}
    generation = 0
    while data or runs:
        linked = _same(graph, data, seen)
        makers = [edge for node in linked for edge in graph.above(node) if edge["role"] == "generated"]
        told = linked if generation == 0 else linked[len(data) :]  # the others are told as what a run used
        yield from ((generation, edge["from"], "generated", edge["path"]) for edge in makers if edge["to"] in told)
        runs = [run for run in dict.fromkeys([*runs, *(edge["from"] for edge in makers)]) if run not in seen]
        seen |= {*runs}
        generation += 1
        used = [edge for run in runs for edge in graph.above(run) if edge["role"] == "used"]
        used = [edge for edge in used if not edge.get("program")]  # who compiles it again has not changed any data
        yield from ((generation, edge["to"], "used", edge["path"]) for edge in used)
        data = [node for node in dict.fromkeys(edge["from"] for edge in used) if node not in seen]
        seen |= {*data}
        runs = []


def _runs_of(graph: Graph, node: str) -> list[str]:
    """A run, or the parts of a job or workflow."""
    parts = [edge["from"] for edge in graph.above(node) if edge["role"] == "part of"]
    return parts if graph.nodes[node].get("type") in ("job", "workflow") else [node]


def _same(graph: Graph, data: list[str], seen: set[str]) -> list[str]:
    """Data, and what is linked to it without a run between: equal fields, a directory around it, an older version."""
    found = list(data)
    for node in found:
        for edge in graph.above(node):
            if graph.nodes[edge["from"]]["kind"] == "data" and edge["from"] not in seen:
                seen.add(edge["from"])
                found.append(edge["from"])
    return found


def _place(found: list[Ancestor], path: str) -> None:
    """Set where each lies now. When the target was copied together with its store, that goes for all the others."""
    copied = any(one.generation == 0 and one.recorded != path and _copy_of(one) == path for one in found)
    for one in found:
        one.move()
        if copied:
            one.place = _copy_of(one) or one.place


def _copy_of(one: Ancestor) -> str | None:
    return expected.moved(one.recorded, one.cwd, os.path.dirname(one.store.root))


def _once(found: list[Ancestor]) -> Iterator[Ancestor]:
    """Each path once, as the version of the latest run; where other ones were used, it is said that they are gone."""
    latest: dict[str, Ancestor] = {}
    for one in found:
        last = latest.setdefault(one.recorded, one)
        if last.time < one.time and _differ(last.facts, one.facts):
            latest[one.recorded] = one
    done: set[tuple[str, bool]] = set()
    for one in found:
        last = latest[one.recorded]
        gone = _differ(one.facts, last.facts)
        if gone:
            reason = f"gone: {last.run} wrote there again, on the way to the target"
            one.facts = BLANK | {"path": one.recorded, "reason": reason}
        if (one.recorded, gone) not in done:
            done.add((one.recorded, gone))
            yield one


def _differ(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Are these two versions, as far as anybody knows?"""
    for name in ("signature", "storage"):
        if one[name] is not None and other[name] is not None:
            return bool(one[name]["digest"] != other[name]["digest"])
    return False
