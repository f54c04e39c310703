"""A lineage as GraphML (http://graphml.graphdrawing.org), which Gephi, yEd, Cytoscape and networkx read.

    networkx.read_graphml("lineage.graphml").nodes["n0"]["path"]

Edges run as time does: from an input to the run that used it, from a run to what it generated.
"""

from __future__ import annotations

from xml.sax.saxutils import escape, quoteattr

from hpcprov.export.drawing import names
from hpcprov.export.properties import EDGE, NODE, edge_values, node_values

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    from hpcprov.catalog.graph import Graph
    from hpcprov.export.properties import Value

HEAD = """<?xml version="1.0" encoding="UTF-8"?>
<graphml xmlns="http://graphml.graphdrawing.org/xmlns"
         xmlns:xsi="http://www.w3.org/2001/XMLSchema-instance"
         xsi:schemaLocation="http://graphml.graphdrawing.org/xmlns http://graphml.graphdrawing.org/xmlns/1.0/graphml.xsd">
"""


def render(graph: Graph) -> str:
    """The text of a GraphML file."""
    return HEAD + "\n".join([*_keys("node", NODE), *_keys("edge", EDGE), *_content(graph), "</graphml>"]) + "\n"


def _keys(owner: str, kinds: Mapping[str, str]) -> Iterator[str]:
    for name, kind in kinds.items():
        yield f'  <key id="{owner}-{name}" for="{owner}" attr.name="{name}" attr.type="{kind}"/>'


def _content(graph: Graph) -> Iterator[str]:
    short, asked = names(graph), {*graph.start}
    yield '  <graph id="lineage" edgedefault="directed">'
    for name, node in graph.nodes.items():
        yield f'    <node id="{short[name]}">'
        yield from _data("node", node_values(node, asked=name in asked))
        yield "    </node>"
    for number, edge in enumerate(graph.edges):
        ends = f"source={quoteattr(short[edge['from']])} target={quoteattr(short[edge['to']])}"
        yield f'    <edge id="e{number}" {ends}>'
        yield from _data("edge", edge_values(edge))
        yield "    </edge>"
    yield "  </graph>"


def _data(owner: str, values: Mapping[str, Value]) -> Iterator[str]:
    for name, value in values.items():
        text = str(value).lower() if type(value) is bool else str(value)
        yield f'      <data key="{owner}-{name}">{escape(text)}</data>'
