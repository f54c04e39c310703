"""A lineage graph as it grows: nodes as long as there is room, what had to be left out, and what is to be said of it.

growth = Growth(lookups, most=10_000)
growth.link(made)        ->  True: there was room for the used version, its maker's, and its maker
"""

from __future__ import annotations

from hpcprov.catalog.graph import Graph
from hpcprov.catalog.versions import EXECUTED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.catalog.makers import Made
    from hpcprov.catalog.versions import Lookups, Version

MOST_PATHS = 8  # of one version, told
KNOWN = ("path", "signature", "storage", "format", "size", "fields", "state")


class Growth:
    """`graph`; of `most` nodes there is still `room` for so many."""

    def __init__(self, look: Lookups, most: int) -> None:
        self.look, self.most, self.graph = look, most, Graph()
        self.focused: dict[object, str] = {}  # by version's number: the field of it that is followed
        self.followed: str | None = None  # that field's signature
        self._known: dict[str, dict[str, object]] = {}
        self._refused: set[str] = set()

    @property
    def room(self) -> int:
        return max(0, self.most - len(self.graph.nodes))

    def begin(self, versions: list[Version], runs: list[str], whole: str | None) -> None:
        """The nodes that were asked for; of a whole it, and its parts beside it."""
        self.load([*runs, whole] if whole is not None else runs)
        nodes = [self.add_run(whole)] if whole is not None else []
        parts = [self.add_run(run) for run in runs]
        nodes += [self.add_version(version) for version in versions] + (parts if whole is None else [])
        self.graph.start = list(dict.fromkeys(node for node in nodes if node is not None))

    def load(self, runs: Iterable[str]) -> None:
        """Look up what is told of runs, before their nodes are added."""
        if wanted := [run for run in dict.fromkeys(runs) if run not in self._known]:
            self._known |= self.look.runs(wanted)

    def knows(self, run: str) -> bool:
        return run in self._known

    def add_run(self, run: str) -> str | None:
        """A run's node; None when there is no room."""
        name = f"run:{run}"
        return self.graph.add_run(run, **self._known.get(run, {})) if self._has_room(name) else None

    def add_version(self, version: Version, key: str | None = None) -> str | None:
        """The node of a version, which may be known by the `key` of its maker's; None when there is no room."""
        key = version.key if key is None else key
        name = f"data:{key}"
        node = self.graph.nodes.get(name)
        if node is None:
            if not self._has_room(name):
                return None
            self.graph.add_artifact(key, paths=[version.path], **{what: getattr(version, what) for what in KNOWN})
            node = self.graph.nodes[name]
        if node["signature"] is None and node["storage"] is None and version.digest is not None:
            node.update({what: getattr(version, what) for what in KNOWN if what != "path"})
        if version.number in self.focused:
            node |= {"field": self.focused[version.number], "field_signature": self.followed}
        if version.path not in node["paths"] and len(node["paths"]) < MOST_PATHS:
            node["paths"].append(version.path)
        return name

    def link_made(self, version: Version, **known: object) -> bool:
        """Link a run to what it generated."""
        if self._has_room(f"run:{version.run}", f"data:{version.key}"):
            run, data = self.add_run(version.run), self.add_version(version)
            if run is not None and data is not None:
                known |= self._own(data, version)
                self.graph.link(run, data, role="generated", join="record", path=version.path, **known)
                return True
        return False

    def link_used(self, version: Version, link: Made | None = None) -> None:
        """Link what was used to its run, where that is to be seen."""
        data = self.add_version(version, None if link is None else _key(link))
        run = f"run:{version.run}"
        if data is not None and run in self.graph.nodes:
            join = "record" if link is None or link.relation else link.join
            known = self._own(data, version) | ({"program": True} if version.state == EXECUTED else {})
            self.graph.link(data, run, role="used", join=join, path=version.path, **known)

    def _own(self, node: str, version: Version) -> dict[str, object]:
        """The format and size of the same values in another file, where these are not the node's."""
        facts = {what: getattr(version, what) for what in ("format", "size")}
        return {what: value for what, value in facts.items() if value not in (None, self.graph.nodes[node][what])}

    def link(self, link: Made, *, maker: bool = True) -> bool:
        """Add a used version, its maker's version and, unless that is not wanted, its maker; False when there is no
        room for all."""
        self.link_used(link.used, link)
        if not (self.link_made(link.maker) if maker else self.add_version(link.maker)):
            self.leave_open(link.used, link)
            return False
        source, target = f"data:{link.maker.key}", f"data:{_key(link)}"
        if link.others:
            self.graph.nodes[source]["others"] = max(link.others, self.graph.nodes[source].get("others", 0))
        if source != target and target in self.graph.nodes:
            fields = {"fields": [list(pair) for pair in link.fields]} if link.fields else {}
            self.graph.link(source, target, role=link.relation or "same values", join=link.join, **fields)
        return True

    def leave_open(self, version: Version, link: Made | None = None) -> None:
        """Mark that more may be known of a version than is in the graph."""
        node = self.graph.nodes.get(f"data:{version.key if link is None else _key(link)}")
        if node is not None:
            node["open"] = True

    def note(self, text: str) -> None:
        if text not in self.graph.notes:
            self.graph.notes.append(text)

    def finished(self, notes: Iterable[str]) -> Graph:
        """The graph, with all that is to be said about it."""
        graph = self.graph
        graph.cut += len(self._refused)
        graph.notes[:0] = notes
        if graph.cut:
            was = "was" if graph.cut == 1 else "were"
            self.note(f"cut at {self.most:,} nodes: at least {graph.cut:,} more {was} met (--limit)")
        return graph

    def _has_room(self, *nodes: str) -> bool:
        new = [node for node in nodes if node not in self.graph.nodes]
        if len(new) <= self.room:
            return True
        self._refused |= {*new}
        return False


def _key(link: Made) -> str:
    """The node of a used version: its maker's where both are the same version, else its own."""
    return link.maker.key if link.relation is None else link.used.key
