"""A lineage as a Cypher script, for Neo4j and other graph databases that speak it.

    hpcprov export figure3.png --to cypher -o lineage.cypher && cypher-shell -f lineage.cypher

Nodes and relationships are those of `neo4j`. The script may be run twice, and after others: nodes with the same id are
one.
"""

from __future__ import annotations

from hpcprov.export.neo4j import LABELS, ends, relation
from hpcprov.export.properties import edge_values, node_values
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpcprov.catalog.graph import Graph
    from hpcprov.export.properties import Value

HEAD = """// Lineage by hpcprov. Run it with: cypher-shell -f FILE
CREATE CONSTRAINT run_id IF NOT EXISTS FOR (n:Run) REQUIRE n.id IS UNIQUE;
CREATE CONSTRAINT data_id IF NOT EXISTS FOR (n:Data) REQUIRE n.id IS UNIQUE;
"""


def render(graph: Graph) -> str:
    """A Cypher script, one statement for each node and edge."""
    asked = {*graph.start}
    lines = [f"// {printable(note)}".replace("\\", "/") for note in graph.notes]
    for name, node in graph.nodes.items():
        values = node_values(node, asked=name in asked)
        lines.append(f"MERGE (n:{LABELS[node['kind']]} {{id: {literal(name)}}}) SET n += {_map(values)};")
    for edge in graph.edges:
        source, target = ends(edge)
        match = f"MATCH (a:{_label(graph, source)} {{id: {literal(source)}}}), "
        match += f"(b:{_label(graph, target)} {{id: {literal(target)}}})"
        lines.append(f"{match} MERGE (a)-[r:{relation(edge)}]->(b) SET r += {_map(edge_values(edge))};")
    return HEAD + "\n".join(lines) + "\n"


def literal(value: Value) -> str:
    """A value as Cypher writes it.

    A string ends after each backslash and goes on in the next one: some versions of Neo4j look for `\\uXXXX`, a quote
    among them, before they look for strings (https://neo4j.com/developer/kb/protecting-against-cypher-injection/).
    """
    if type(value) is bool:
        return str(value).lower()
    if not isinstance(value, str):
        return repr(value)
    parts = [part.replace("'", "\\'") for part in printable(value).split("\\")]
    return "'" + "\\\\' + '".join(parts) + "'"


def _map(values: Mapping[str, Value]) -> str:
    return "{" + ", ".join(f"{name}: {literal(value)}" for name, value in values.items()) + "}"


def _label(graph: Graph, node: str) -> str:
    return LABELS[graph.nodes[node]["kind"]]
