"""Fields and their definitions for a terminal. Pure: nodes (`field_chain`) and screen in, lines out.

    depth  f8  3 x 4
      = h * (h > 0.01)   [in flood.h5 @ hpcprov1:e7c56628…]
      map  20261121T174714Z-696ccf47  2026-11-21 17:47:14

Fields that stand one behind the other and have the same definition share its lines. Followed, they are a tree:

    out.h5/depth  f8  3 x 4
    │ = h * (h > 0.01)   [in flood.h5 @ hpcprov1:e7c56628…]
    └─ flood.h5/h
       = 3 * z
       └─ terrain.npz/z  raw: no run made it
"""

from __future__ import annotations

import textwrap
from itertools import groupby

from hpcprov.commands.screen import cut, when
from hpcprov.quality.definitions.context import base_name
from hpcprov.record.artifact import MEMORY, is_memory
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hpcprov.commands.screen import Screen

    Node = dict[str, Any]

NARROWEST = 40  # columns that are left to a line, however far right it begins
MOST_BRANCHES = 16
#: Languages of what makes a dataset as a whole, and is no expression of a field.
WHOLE = ("command", "snakemake")
MOST_LINES = 6  # of one expression


def render(nodes: Sequence[Node], screen: Screen, cwd: str, notes: Sequence[str] = (), *, follows: bool) -> list[str]:
    """The lines; paths below `cwd` are told from there."""
    page = _Page(screen, cwd)
    lines: list[str] = []
    if follows:
        for _, alike in groupby(nodes, key=lambda node: (node["definition"], node["raw"], node.get("cut"))):
            lines += ["", *page.followed(list(alike))]
        lines = lines[1:]
    else:
        lines = list(page.listed(nodes))
    return [*lines, *(screen.paint(f"note: {printable(note)}", "yellow") for note in notes)]


class _Page:
    def __init__(self, screen: Screen, cwd: str) -> None:
        self.screen, self.cwd = screen, cwd.rstrip("/") + "/"

    def listed(self, nodes: Sequence[Node]) -> Iterator[str]:
        """One after the other; names, types and shapes in columns."""
        names = max((len(printable(node["field"])) for node in nodes), default=0)
        types = max((len(node["type"] or "") for node in nodes), default=0)
        for place, node in enumerate(nodes):
            whole = "(the array)" if node["type"] else base_name(node["path"])
            name = cut(node["field"] or whole, self.screen.width)
            head = [
                f"{name:<{min(names, 40)}}",
                f"{printable(node['type'] or ''):<{min(types, 24)}}",
                extents(node["shape"]),
            ]
            yield self.screen.paint(head[0], "bold") + f"  {'  '.join(head[1:])}".rstrip()
            after = nodes[place + 1] if place + 1 < len(nodes) else None
            if after is None or (after["definition"], after["raw"]) != (node["definition"], node["raw"]):
                yield from (f"  {line}" for line in self.made(node, self.screen.width - 2))

    def followed(self, nodes: Sequence[Node]) -> Iterator[str]:
        """Fields that were made in one way, one below the other, and what they were made from. The first of them has
        met it; for the others it is `above`."""
        for node in nodes[:-1]:
            yield from self.tree(node) if node["definition"] is None or "cut" in node else [self.head(node)]
        yield from self.tree(nodes[-1] | {"inputs": nodes[0]["inputs"]})

    def tree(self, node: Node, first: str = "", rest: str = "") -> Iterator[str]:
        """A field and all that it was made from."""
        width = max(NARROWEST, self.screen.width - len(rest) - 2)
        raw = [self.screen.paint(f"raw: {node['raw']}", "dim")] if node["definition"] is None else []
        known = [self.screen.paint(f"({node['cut']})", "dim")] if "cut" in node else []
        yield first + "  ".join([self.head(node, width), *raw, *known])
        if node["definition"] is None or "cut" in node:
            return
        branches = node["inputs"]
        bar = "│ " if branches else "  "
        yield from (f"{rest}{bar}{line}" for line in self.made(node, width))
        for number, branch in enumerate(branches[:MOST_BRANCHES]):
            ends = number == len(branches) - 1
            yield from self.tree(branch, rest + ("└─ " if ends else "├─ "), rest + ("   " if ends else "│  "))
        if len(branches) > MOST_BRANCHES:
            more = f"... and {len(branches) - MOST_BRANCHES:,} more (--json has all)"
            yield f"{rest}└─ {self.screen.paint(more, 'dim')}"

    def head(self, node: Node, width: int | None = None) -> str:
        """Name, type and shape."""
        facts = [printable(node["type"])] if node["type"] else []
        facts += [extents(node["shape"])] if node["shape"] else []
        return "  ".join([self.screen.paint(self.name(node, width or self.screen.width), "bold"), *facts])

    def made(self, node: Node, width: int) -> Iterator[str]:
        """Its definition, its context, and who said so."""
        definition = node["definition"]
        if definition is None:
            yield self.screen.paint(node["raw"], "dim")
            return
        text = printable(definition["expression"])
        context = printable(definition["context"] or "")
        if definition["context"] and definition["context"].startswith(definition["expression"]):
            text, context = context, ""  # "count by id [in trans.zarr]" has the expression in it
        sign = "made by" if definition["language"] in WHOLE else "="
        both = f"{sign} {text}" + (f"   {context}" if context else "")
        lines = [both] if len(both) <= width else [f"{sign} {text}", *([f"  {context}"] if context else [])]
        for line in lines:
            yield from folded(line, width)
        yield self.screen.paint(cut(said(definition), width), "dim")

    def name(self, node: Node, width: int) -> str:
        """`flood.h5/h`, from the working directory where it is below that."""
        path = node["path"]
        if is_memory(path):
            path = f"{path.removeprefix(MEMORY)} (in memory)"
        elif path.startswith(self.cwd):
            path = path[len(self.cwd) :]
        text = f"{path}/{node['field']}" if node["field"] else path
        return cut(text if len(text) <= width else f"{base_name(path)}/{node['field']}".rstrip("/"), width)


def folded(text: str, width: int) -> list[str]:
    """A long line as several; of a very long one the beginning."""
    lines = textwrap.wrap(text, width, subsequent_indent="    ", break_on_hyphens=False, drop_whitespace=True)
    return lines if len(lines) <= MOST_LINES else [*lines[: MOST_LINES - 1], "    …"]


def extents(shape: Sequence[int] | None) -> str:
    if shape is None:
        return ""
    return " x ".join(f"{extent:,}" for extent in shape) if shape else "scalar"


def said(definition: dict[str, Any]) -> str:
    """Who says so: the run, or the person, and when."""
    words = [definition["name"] or "", definition["by"] or "", when(definition["when"]) if definition["when"] else ""]
    words = list(dict.fromkeys(word for word in words if word))
    before = {"attribute": "the file says so:", "written": "written by"}.get(definition["how"], "")
    after = ["equal values"] if definition["how"] == "kept" else []
    return "  ".join([" ".join(filter(None, [before, *words[:1]])), *words[1:], *after]) or "the file says so"
