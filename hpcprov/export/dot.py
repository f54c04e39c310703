"""A lineage in Graphviz's language (https://graphviz.org/doc/info/lang.html).

    hpcprov lineage figure3.png --format dot | dot -Tsvg > lineage.svg

Boxes are runs, notes are data; what was asked for has a thick line. Dashed links are not known by a record and equal
values of the whole: their label says how.
"""

from __future__ import annotations

from hpcprov.export.drawing import edge_label, is_certain, label, names
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.graph import Edge, Graph, Node

COLOURS = {"completed": "#d9f2df", "running": "#dbe7fb"}
BAD = "#f8dcd8"
HEAD = """digraph lineage {
  rankdir=LR;
  node [fontname="Helvetica", fontsize=10, style=filled, fillcolor="#ffffff"];
  edge [fontname="Helvetica", fontsize=9];
"""


def render(graph: Graph) -> str:
    """The text of a DOT file."""
    short = names(graph)
    lines = [f"  {short[name]} [{_node(node, name in graph.start)}];" for name, node in graph.nodes.items()]
    lines += [f"  {short[edge['from']]} -> {short[edge['to']]} [{_edge(edge)}];" for edge in graph.edges]
    notes = [f"  label={quoted([*map(printable, graph.notes)])};"] if graph.notes else []
    return HEAD + "\n".join([*notes, *lines, "}"]) + "\n"


def quoted(lines: list[str]) -> str:
    """Lines of text as one quoted string. A backslash begins an escape in labels, so it is doubled."""
    return '"' + "\\n".join(line.replace("\\", "\\\\").replace('"', '\\"') for line in lines) + '"'


def _node(node: Node, asked: bool) -> str:
    told = [f"label={quoted(label(node))}"]
    if node["kind"] == "run":
        told += ["shape=box", f'fillcolor="{COLOURS.get(node.get("status") or "", BAD)}"']
    else:
        told += ["shape=note"]
    return ", ".join([*told, "penwidth=2"] if asked else told)


def _edge(edge: Edge) -> str:
    told = [f"label={quoted([text])}"] if (text := edge_label(edge)) else []
    return ", ".join(told if is_certain(edge) else [*told, "style=dashed"])
