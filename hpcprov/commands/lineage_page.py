"""A lineage as a tree for a terminal. Pure: graph and screen in, lines out.

    stats.csv  csv  48 B  hpcprov1:230d4d016bb7
    │ made by stats  20261121T142202Z-fbc23895  completed  2026-11-21 14:22:02
    │   python stats.py deep.npy
    deep.npy  npy  1.11 MB  hpcprov1:52dc31b15f01

What has one origin stands below it, at the same place: only where ways part the tree goes to the right. What was shown
already is named again, and not followed again.
"""

from __future__ import annotations

from hpcprov.commands.artifact_page import end_of, short
from hpcprov.commands.lineage_words import ENDS, JOINED, NOTHING, OPEN, PROGRAM, RELATIONS, TITLES, fields_of
from hpcprov.commands.screen import count, cut, size, when, words
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.catalog.graph import Edge, Graph, Node
    from hpcprov.commands.screen import Screen

MOST_BRANCHES = 12
BAR = "│ "  # before a run from which the tree goes on
REPEATS = ("restart of", "rerun of")
NARROWEST = 32  # columns that are left to a line, however far right it begins


def render(graph: Graph, screen: Screen, cwd: str, *, up: bool, down: bool) -> list[str]:
    """The lines; `cwd`: paths below it are told from there. `up` and `down`: what was asked for."""
    page = _Page(graph, screen, cwd)
    lines: list[str] = []
    for start in graph.start:
        node = graph.nodes[start]
        whole = node["kind"] == "run" and node.get("type") in ("job", "workflow")
        lines += ["", *(page.whole(node, up, down) if whole else page.from_start(node, up, down))]
    notes = [screen.paint(f"note: {printable(note)}", "yellow") for note in graph.notes]
    return [*lines[1:], *([""] if notes else []), *notes]


class _Page:
    def __init__(self, graph: Graph, screen: Screen, cwd: str) -> None:
        self.graph, self.screen = graph, screen
        self.cwd = cwd.rstrip("/") + "/"
        self.seen: set[tuple[str, str]] = set()  # nodes by id and path: equal values at another path have other makers
        self.first: dict[str, str] = {}  # the path that a node was shown with first

    def from_start(self, node: Node, up: bool, down: bool) -> Iterator[str]:
        """What led to a node, and what came of it."""
        if up and not down:
            yield from self.tree(node, None, "up")
            return
        if node["kind"] == "data" and not up:
            yield from self.tree(node, None, "down")
            return
        yield from self._head(node)
        for way, wanted in (("up", up), ("down", down)):
            if wanted:
                yield from ["", self.screen.paint(TITLES[node["kind"], way], "dim")]
                yield from self._branches(node, way)

    def whole(self, node: Node, up: bool, down: bool) -> Iterator[str]:
        """A job or workflow: what its runs have made of what; and who went on from there."""
        yield from self._head(node)
        parts = {edge["from"] for edge in self.graph.above(node["id"]) if edge["role"] == "part of"}
        made = [edge for part in self.graph.nodes if part in parts for edge in self.graph.below(part)]
        made = [edge for edge in made if edge["role"] == "generated"]
        uses = {edge["to"]: self._users(edge["to"]) for edge in made}
        last = {edge["to"]: edge for edge in made if not uses[edge["to"]] & parts}
        yield f"  {count(len(parts), 'run')}, {count(len(uses), 'artifact')}, {count(len(last), 'result')}"
        for edge in last.values() if up else ():
            yield ""
            yield from self.tree(self.graph.nodes[edge["to"]], edge, "up")
        onwards = [edge for edge in made if uses[edge["to"]] - parts] if down else []
        for edge in onwards:
            self.seen.discard((edge["to"], self._path(self.graph.nodes[edge["to"]], edge)))
            yield ""
            yield from self.tree(self.graph.nodes[edge["to"]], edge, "down")

    def tree(self, start: Node, via: Edge | None, way: str) -> Iterator[str]:
        """A node and everything on one way from it. `via`: the edge by which it was reached."""
        waiting = [(start, via, "", "", "")]
        while waiting:
            node, edge, first, rest, beside = waiting.pop()
            here = (node["id"], self._path(node, edge))
            branches = self._next(node, edge, way) if here not in self.seen else []
            lines = [*self._lines(node, edge, way, bool(branches), len(rest), beside)]
            yield f"{first}{lines[0] if first == rest else lines[0].removeprefix(BAR)}"
            yield from (f"{rest}{line}" for line in lines[1:])
            self.seen.add(here)
            self.first.setdefault(*here)
            if len(branches) == 1:
                waiting.append((self._other(branches[0], way), branches[0], rest, rest, here[1]))
                continue
            shown = self._chosen(branches, way)
            for number, one in reversed([*enumerate(shown)]):
                ends = number == len(branches) - 1
                marks = ("└─ ", "   ") if ends else ("├─ ", "│  ")
                waiting.append((self._other(one, way), one, rest + marks[0], rest + marks[1], here[1]))
            if len(shown) < len(branches):
                more = {"id": "", "kind": "more", "number": len(branches) - len(shown)}
                waiting.insert(len(waiting) - len(shown), (more, None, f"{rest}└─ ", rest, ""))

    def _branches(self, node: Node, way: str) -> Iterator[str]:
        """The trees of all that is next to a start."""
        self.seen.add((node["id"], self._path(node, None)))
        branches = self._next(node, None, way)
        for edge in branches:
            yield from (f"  {line}" for line in self.tree(self._other(edge, way), edge, way))
        if not branches:
            yield f"  {NOTHING[node['kind'], way] if not node.get('open') else OPEN}"

    def _next(self, node: Node, via: Edge | None, way: str) -> list[Edge]:
        """The edges that lead on from a node."""
        if node["kind"] == "more":
            return []
        edges = self.graph.above(node["id"]) if way == "up" else self.graph.below(node["id"])
        if node["kind"] == "run":
            return [edge for edge in edges if edge["role"] == ("used" if way == "up" else "generated")]
        if way == "up" and via is not None and via["role"] == "used" and via["join"] == "record":
            edges = [edge for edge in edges if edge["role"] != "generated"]  # equal values that others made later
        edges = [edge for edge in edges if self._other(edge, way)["id"] != (via or {}).get(ENDS[way])]
        return self._here(edges, self._path(node, via), way)

    def _here(self, edges: list[Edge], path: str, way: str) -> list[Edge]:
        """Of equal values at several paths what concerns this one: its makers, unless they made it elsewhere only; its
        users, and those of a path where no run has made it."""
        made = {edge["path"] for edge in edges if edge["role"] == "generated"}
        if way == "up":
            return [edge for edge in edges if edge["role"] != "generated" or path not in made or edge["path"] == path]
        made = {
            edge["path"] for user in edges for edge in self.graph.above(user["from"]) if edge["role"] == "generated"
        }
        return [edge for edge in edges if edge["role"] != "used" or edge["path"] == path or edge["path"] not in made]

    def _chosen(self, branches: list[Edge], way: str) -> list[Edge]:
        """Of many branches those that lead further; those that end soon are shown first."""
        deep = {id(edge): bool(self._next(self._other(edge, way), edge, way)) for edge in branches}
        chosen = branches
        if len(branches) > MOST_BRANCHES:
            chosen = sorted(branches, key=lambda edge: not deep[id(edge)])[:MOST_BRANCHES]
        return sorted(chosen, key=lambda edge: deep[id(edge)])

    def _other(self, edge: Edge, way: str) -> Node:
        return self.graph.nodes[edge["from" if way == "up" else "to"]]

    def _users(self, data: str) -> set[str]:
        return {edge["to"] for edge in self.graph.below(data) if edge["role"] == "used"}

    def _lines(self, node: Node, via: Edge | None, way: str, goes_on: bool, column: int, beside: str) -> Iterator[str]:
        width = max(NARROWEST, self.screen.width - column)
        if node["kind"] == "more":
            yield self.screen.paint(f"... and {node['number']:,} more (--format json has all)", "dim")
        elif node["kind"] == "run":
            bar = BAR if goes_on else " " * len(BAR)
            known = (node["id"], self._path(node, via)) in self.seen
            yield from (f"{bar}{line}" for line in self._run(node, via, way, known, width - 2, beside))
        else:
            yield from self._data(node, via, way, width)

    def _head(self, node: Node) -> Iterator[str]:
        if node["kind"] == "run":
            yield from self._run(node, None, "", False, self.screen.width, "")
            yield from self._beside(node)
        else:
            yield self._artifact(node, node["path"], "", self.screen.width)

    def _beside(self, node: Node) -> Iterator[str]:
        """What a run belongs to and repeats, which is not followed."""
        edges = [(edge, edge["to"]) for edge in self.graph.below(node["id"]) if edge["role"] == "part of"]
        edges += [(edge, edge["from"]) for edge in self.graph.above(node["id"]) if edge["role"] in REPEATS]
        for edge, other in edges[:MOST_BRANCHES]:
            run = self.graph.nodes[other]
            told = " ".join(printable(str(run[key])) for key in ("type", "name", "run") if run.get(key))
            yield f"  {edge['role']} {told.removeprefix('command ')}"

    def _run(self, node: Node, via: Edge | None, way: str, known: bool, width: int, beside: str) -> Iterator[str]:
        """`made by stats  20261121T142202Z-fbc23895  completed  2026-11-21 14:22:02`, and its command below.
        `beside`: the path of the data that it stands beside."""
        name = cut(node["name"], 24) if node.get("name") else ""
        verb = {"up": "made by ", "down": "used by ", "": ""}[way]
        verb = "executed by " if way == "down" and (via or {}).get("program") else verb
        told = [verb + name if name else f"{verb}{printable(node['run'])}", printable(node["run"]) if name else ""]
        if known:
            yield "  ".join([*filter(None, told), self.screen.paint("(above)", "dim")])
            return
        told += [self.screen.status(printable(str(node.get("status") or "?"))), when(node.get("start"))]
        yield "  ".join(filter(None, told))
        path = (via or {}).get("path")
        if path is not None and beside not in ("", path):
            yield self.screen.paint(f"  as {end_of(self._below(path), width - 5)}", "dim")
        yield self.screen.paint(f"  {cut(words(node.get('argv') or None), width - 2)}", "dim")
        if node.get("image"):
            yield self.screen.paint(f"  in {end_of(str(node['image']), width - 5)}", "dim")

    def _data(self, node: Node, via: Edge | None, way: str, width: int) -> Iterator[str]:
        path = self._path(node, via)
        relation = RELATIONS.get(((via or {}).get("role", ""), way))
        if relation is not None:
            yield self.screen.paint(f"{relation}{fields_of(via or {}, way)}", "dim")
        known, first = (node["id"], path) in self.seen, self.first.get(node["id"], path)
        tail = JOINED.get((via or {}).get("join", ""), "") if (via or {}).get("role") == "used" else ""
        tail = PROGRAM if (via or {}).get("program") else tail
        own = {what: via[what] for what in ("format", "size") if via is not None and what in via}
        yield self._artifact(node | own, path, "(above)" if known else tail, width)
        if known:
            return
        if first != path:
            yield self.screen.paint(f"  the same values as {end_of(self._below(first), width - 21)}", "dim")
        if node.get("others"):
            yield self.screen.paint(f"  {count(node['others'], 'other run')} made the same", "dim")
        if not self._next(node, via, way):
            yield self.screen.paint(f"  {OPEN if node.get('open') else NOTHING['data', way]}", "dim")

    def _artifact(self, node: Node, path: str, tail: str, width: int) -> str:
        """`deep.npy  npy  1.11 MB  hpcprov1:52dc31b15f01`, on one line; of a field its own signature."""
        field = f"/{printable(node['field']).strip('/')}" if node.get("field") else ""
        digest = node.get("field_signature") or node.get("signature") or node.get("storage")
        facts = [printable(node.get("format") or ""), size(node["size"]) if node.get("size") is not None else ""]
        if node.get("field"):
            facts = [f"field of {facts[0]}".removesuffix(" of ")]
        facts += [short(digest) if digest else "not hashed", tail]
        told = "  ".join(fact for fact in facts if fact)
        name = end_of(self._below(path) + field, max(16, width - len(told) - 2))
        return f"{self.screen.paint(name, 'bold')}  {self.screen.paint(told, 'dim')}"

    def _path(self, node: Node, via: Edge | None) -> str:
        """Where data lies that was reached by an edge; a run has none."""
        return "" if node["kind"] != "data" else str((via or {}).get("path") or node.get("path") or "")

    def _below(self, path: str) -> str:
        return path.removeprefix(self.cwd) or path
