"""What the pictures of a lineage have in common: names that need no quoting, and few words for each node and edge.

    names(graph)["run:20261121T093000Z-1f2e3d4c"]   ->  "n0"
    label(node)    ->  ["flood", "completed  2026-11-21 09:30:00 UTC", "python flood.py"]

All text in them is one line that shows no control character; quoting it is left to each format.
"""

from __future__ import annotations

from hpcprov.record.text import printable
from hpcprov.record.wording import size, words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.catalog.graph import Edge, Graph, Node

WIDEST = 60  # characters of a line
SHORT = 12  # hex digits of a digest
#: Joins that say for themselves how a link is known.
PLAIN = ("record", "signature")


def names(graph: Graph) -> dict[str, str]:
    """A short name for each node, by its id."""
    return {node: f"n{number}" for number, node in enumerate(graph.nodes)}


def label(node: Node) -> list[str]:
    """The lines of a node: what it is first."""
    if node["kind"] == "run":
        started = str(node.get("start") or "")[:19].replace("T", " ")
        ended = "  ".join(part for part in (str(node.get("status") or ""), f"{started} UTC" if started else "") if part)
        command = words(node["argv"]) if node.get("argv") else ""
        return [line(str(text)) for text in (node.get("name") or node["run"], ended, command) if text]
    place = str(node.get("path") or node["key"]) + (f"/{node['field']}" if node.get("field") else "")
    known = [str(node.get("format") or ""), size(node["size"]) if type(node.get("size")) is int else "", digest(node)]
    if node.get("field"):
        known = [f"field of {known[0]}".removesuffix(" of "), known[-1]]
    copies = [str(path) for path in node.get("paths") or () if path != node.get("path")]
    more = f" and {len(copies) - 1} more" if len(copies) > 1 else ""
    return [end(place), *(end(f"also {one}{more}") for one in copies[:1]), line("  ".join(filter(None, known)))]


def edge_label(edge: Edge) -> str:
    """Empty for what used and generated say by their direction."""
    told = "" if edge["role"] in ("used", "generated") else edge["role"]
    return line(told if edge["join"] in PLAIN else f"{told} ({edge['join']})".strip())


def is_certain(edge: Edge) -> bool:
    """Is a link known by a record, or by equal values of the whole?"""
    return edge["role"] in ("used", "generated") and edge["join"] in PLAIN


def digest(node: Node) -> str:
    told = node.get("field_signature") or node.get("signature") or node.get("storage")
    kind, _, digits = str(told or "").partition(":")
    return f"{kind}:{digits[:SHORT]}" if digits else "not hashed"


def line(text: str) -> str:
    shown = printable(text)
    return shown if len(shown) <= WIDEST else f"{shown[: WIDEST - 1]}…"


def end(text: str) -> str:
    """Of a long path the end, which tells more."""
    shown = printable(text)
    return shown if len(shown) <= WIDEST else f"…{shown[len(shown) - WIDEST + 1 :]}"
