"""The definitions of a dataset's fields, followed from dataset to dataset back to the raw input.

chain = Chain(Sources(catalog, glance, sign), depth=3)
nodes = chain.fields("/data/out.h5", None)
nodes[0]["inputs"][0]["raw"]   ->  "no run made it"

A node is a field, or a dataset as a whole (`field` ""): its `path`, `type` and `shape` where they are known, its
`definition` (hpcprov.quality.definitions) or, without one, `raw`: why there is none. A definition that was told in a
record leads on through that run's inputs, and to who made these, by the rules of lineage; one that only the file knows
leads to the files that it names. What was met before is not followed again.
"""

from __future__ import annotations

import os

from hpcprov.quality.definitions.derived import definition, maker
from hpcprov.record.artifact import is_memory
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.versions import Version
    from hpcprov.commands.field_sources import Sources
    from hpcprov.record.model import Record

    Node = dict[str, Any]
    Definition = dict[str, Any]

MOST = 2000  # nodes that are followed
DEEPEST = 100  # definitions one behind the other
NO_RUN, NO_RECORD = "no run made it", "nothing is recorded of it"
UNDEFINED = "nobody defined it"
ABOVE = "above"


class Chain:
    """`depth`: so many definitions one behind the other; None: all."""

    def __init__(self, sources: Sources, *, depth: int | None) -> None:
        self.sources = sources
        self.depth = DEEPEST if depth is None else min(depth, DEEPEST)
        self.met: set[tuple[str, str, str]] = set()
        self.left = MOST

    def fields(self, path: str, field: str | None) -> list[Node]:
        """All fields of a dataset, or one. Raises HpcprovError when there is no such thing."""
        version, maker = self.sources.newest(path)
        if self.sources.seen(path) is not None and maker is None:
            digest = self.sources.signed(path)
            if version is None and digest is not None:
                version, maker = self.sources.newest(digest)  # moved, copied, or got by mail: found by its values
                self.sources.notes += [f"found by its values, recorded as {version.path}"] if version else []
        place = maker.path if maker is not None else version.path if version is not None else path
        record = self.sources.record(maker.run) if maker is not None else None
        layout = self.sources.layout(path, record, place)
        if layout is None and version is None:
            raise HpcprovError(f"there is nothing at {path!a}, and no record knows of fields there")
        layout = layout or {"": {}}  # a figure, a report: without fields, made as a whole
        names = list(layout) if field is None else [name for name in layout if name.strip("/") == field]
        if field is not None and not names:
            known = ", ".join(layout) or "none: it has no fields"
            raise HpcprovError(f"{path!a} has no field {field!a}", hint=f"its fields are {known[:1000]}")
        why = UNDEFINED if maker is not None else NO_RUN if version is not None else NO_RECORD
        found = {name: self.sources.definition(path, place, record, name) for name in names}
        return [self.node(place, name, found[name], why, record, layout[name]) for name in names]

    def node(
        self,
        path: str,
        field: str,
        definition: Definition | None,
        why: str,
        record: Record | None,
        facts: dict[str, Any] | None = None,
    ) -> Node:
        """One field, with what it was made from as far as that is to be followed."""
        facts = facts or {}
        node: Node = {"path": path, "field": field.strip("/"), "type": facts.get("type"), "shape": facts.get("shape")}
        node |= {"definition": definition, "raw": None if definition is not None else why, "inputs": []}
        if definition is None or self.depth == 0:
            return node
        key = (record["run"]["id"] if record else "", path, node["field"])
        if key in self.met or self.left <= 0:
            return node | {"cut": ABOVE if key in self.met else f"more than {MOST:,} fields"}
        self.met.add(key)
        self.left -= 1
        self.depth -= 1
        node["inputs"] = [self.input(one, path, record) for one in definition["inputs"]]
        self.depth += 1
        return node

    def input(self, one: dict[str, Any], path: str, record: Record | None) -> Node:
        """Where an input of a definition came from."""
        if one["path"] in ("", path):
            found = self.sources.definition(path, path, record, one["field"])
            return self.node(path, one["field"], found, UNDEFINED, record)
        if record is None:
            return self.travelled(one)
        if is_memory(one["path"]) and (made := in_memory(one["path"], record)) is not None:
            return self.node(one["path"], one["field"], made, UNDEFINED, record)
        used = self.sources.used(record["run"]["id"], one["path"])
        return self.travelled(one) if used is None else self.made(one, used)

    def made(self, one: dict[str, Any], version: Version) -> Node:
        """An input that a run used, as its maker left it."""
        links = self.sources.links(version)
        wanted = [link for link in links if one["field"] in {name.strip("/") for _, name in link.fields}]
        link = next(iter(wanted or [link for link in links if not link.fields] or links), None)
        record = self.sources.record(link.maker.run) if link is not None else None
        if link is None or record is None:
            return self.node(one["path"], one["field"], None, NO_RUN, None)
        names = {name.strip("/"): own.strip("/") for own, name in link.fields}
        field, place = names.get(one["field"], one["field"]), link.maker.path
        return self.node(place, field, self.sources.definition(place, place, record, field), UNDEFINED, record)

    def travelled(self, one: dict[str, Any]) -> Node:
        """An input that only its name is known of, and perhaps its signature: records of these values may tell more,
        or the file of that name."""
        path, field = one["path"], one["field"]
        version, maker = self.sources.newest(path) if not is_memory(path) else (None, None)
        if version is None and one.get("dataset"):
            version, maker = self.sources.newest(one["dataset"])
        record = self.sources.record(maker.run) if maker is not None else None
        if maker is not None and record is not None:
            found = self.sources.definition(path, maker.path, record, field)
            return self.node(maker.path, field, found, UNDEFINED, record)
        there = os.path.lexists(path)
        found = self.sources.definition(path, path, None, field) if there else None
        return self.node(path, field, found, NO_RUN if version is not None else NO_RECORD, None)


def in_memory(path: str, record: Record) -> Definition | None:
    """How values in memory were made: as the program told, else by the step that gave them."""
    from hpcprov.quality.definitions import told

    said = told.definitions(record, path).get("")
    return said or (definition(record, path) if maker(record, {path}) is not None else None)
