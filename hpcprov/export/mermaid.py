"""A lineage as a Mermaid flowchart, for Markdown pages that draw one (https://mermaid.js.org/syntax/flowchart.html).

    hpcprov lineage figure3.png --format mermaid

Boxes are runs, cylinders are data; what was asked for has a thick line. Dotted links are not known by a record and
equal values of the whole: their label says how. Pages draw 500 links, unless their `maxEdges` is set higher.
"""

from __future__ import annotations

from hpcprov.export.drawing import edge_label, is_certain, label, names

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.graph import Edge, Graph, Node

#: Beside letters and digits of any script these stand for themselves in quoted text; everything else is a code.
PLAIN = " ,=:/_"
#: So do these within a word: before a blank they may begin a list.
INNER = ".-"


def render(graph: Graph) -> str:
    """The text of a flowchart."""
    short = names(graph)
    lines = ["flowchart LR"]
    lines += [f"  %% {escaped(note)}" for note in graph.notes]
    lines += [f"  {short[name]}{_node(node)}" for name, node in graph.nodes.items()]
    lines += [f"  {short[edge['from']]} {_arrow(edge)} {short[edge['to']]}" for edge in graph.edges]
    asked = [short[name] for name in graph.start]
    lines += [f"  style {','.join(asked)} stroke-width:3px"] if asked else []
    return "\n".join(lines) + "\n"


def escaped(text: str) -> str:
    """Text in which nothing has a meaning for Mermaid, Markdown or HTML: character codes as Mermaid writes them."""
    following = f"{text[1:]} "
    return (
        "".join(
            one if one.isalnum() or one in PLAIN or (one in INNER and after != " ") else f"#{ord(one)};"
            for one, after in zip(text, following, strict=True)
        )
        if text
        else ""
    )


def _node(node: Node) -> str:
    text = "<br/>".join(map(escaped, label(node)))
    return f'["{text}"]' if node["kind"] == "run" else f'[("{text}")]'


def _arrow(edge: Edge) -> str:
    arrow, text = "-->" if is_certain(edge) else "-.->", edge_label(edge)
    return f'{arrow}|"{escaped(text)}"|' if text else arrow
