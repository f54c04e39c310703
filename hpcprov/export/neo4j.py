"""A lineage as the CSV files of Neo4j's bulk import (https://neo4j.com/docs/operations-manual/current/import/).

    neo4j-admin database import full --nodes=runs.csv --nodes=data.csv --relationships=links.csv neo4j

Nodes are `:Run` and `:Data`, named by `id`; `(:Run)-[:USED]->(:Data)`, `(:Run)-[:GENERATED]->(:Data)`, and other roles
by their name. Text that a spreadsheet would take for a formula begins with an apostrophe.
"""

from __future__ import annotations

import re

from hpcprov.export.properties import EDGE, NODE, edge_values, node_values
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hpcprov.catalog.graph import Edge, Graph
    from hpcprov.export.properties import Value

LABELS = {"run": "Run", "data": "Data"}
#: What a spreadsheet takes for a formula when a cell begins with it.
FORMULA = ("=", "+", "-", "@")
NUMBER = re.compile(r"-?[0-9]+(\.[0-9]+)?(e[+-]?[0-9]+)?")


def render(graph: Graph) -> dict[str, str]:
    """The files of a bulk import, by name."""
    asked = {*graph.start}
    files = {}
    for kind, label in LABELS.items():
        nodes = [(name, node) for name, node in graph.nodes.items() if node["kind"] == kind]
        rows = [[name, label, *_cells(node_values(node, asked=name in asked), NODE)] for name, node in nodes]
        files[f"{'runs' if kind == 'run' else kind}.csv"] = _table([["id:ID", ":LABEL", *_heads(NODE)], *rows])
    links = [[*ends(edge), relation(edge), *_cells(edge_values(edge), EDGE)] for edge in graph.edges]
    files["links.csv"] = _table([[":START_ID", ":END_ID", ":TYPE", *_heads(EDGE)], *links])
    return files


def _heads(kinds: Mapping[str, str]) -> list[str]:
    return [f"{name}:{kind}" for name, kind in kinds.items()]


def _cells(values: Mapping[str, Value], kinds: Mapping[str, str]) -> Iterator[str | None]:
    for name in kinds:
        value = values.get(name)
        yield str(value).lower() if type(value) is bool else None if value is None else str(value)


def _table(rows: Sequence[Sequence[str | None]]) -> str:
    """Rows as the importer reads them: text in quotes, quotes in it doubled, no line breaks; nothing for null."""
    return "".join(",".join(map(_cell, row)) + "\n" for row in rows)


def _cell(value: str | None) -> str:
    if value is None:
        return ""
    guard = "'" if value.startswith(FORMULA) and not NUMBER.fullmatch(value) else ""
    return '"' + guard + printable(value).replace('"', '""') + '"'


def ends(edge: Edge) -> tuple[str, str]:
    """From where and to where a relationship goes: from the run to what it used, too, as people read it."""
    return (edge["to"], edge["from"]) if edge["role"] == "used" else (edge["from"], edge["to"])


def relation(edge: Edge) -> str:
    return str(edge["role"]).upper().replace(" ", "_")
