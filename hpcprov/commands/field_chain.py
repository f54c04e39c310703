"""The definitions of a dataset's fields, followed from dataset to dataset back to the raw input.

chain = Chain(catalog, glance, depth=3)
nodes = chain.fields("/data/out.h5", None)
nodes[0]["inputs"][0]["raw"]   ->  "no run made it"

A node is a field, or a dataset as a whole (`field` ""): its `path`, `type` and `shape` where they are known, its
`definition` (hpcprov.quality.definitions) or, without one, `raw`: why there is none. A definition that was told in a
record leads on through that run's inputs, and to who made these, by the rules of lineage; one that only the file knows
leads to the files that it names. What was met before is not followed again.
"""

from __future__ import annotations

import os

from hpcprov.quality.definitions import definitions_of, written
from hpcprov.record.artifact import is_memory
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import stores_above

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.catalog.query import Catalog
    from hpcprov.catalog.versions import Version
    from hpcprov.record.model import Record

    Node = dict[str, Any]
    Definition = dict[str, Any]

MOST = 2000  # nodes
DEEPEST = 100  # definitions one behind the other
MOST_RECORDS = 256  # that are held
NO_RUN, NO_RECORD = "no run made it", "nothing is recorded of it"
UNDEFINED = "nobody defined it"
ABOVE = "above"


class Chain:
    """`glance(path)` tells of a file what `Comparing.glance` does, or None; `sign(path)` its signature, or None.
    `depth`: so many definitions one behind the other; `notes`: what is to be said about how data was found."""

    def __init__(
        self,
        catalog: Catalog | None,
        glance: Callable[[str], dict[str, Any] | None],
        sign: Callable[[str], str | None],
        *,
        depth: int | None,
    ) -> None:
        self.sign = sign
        self.catalog, self.glance, self.depth = catalog, glance, DEEPEST if depth is None else min(depth, DEEPEST)
        self.look = catalog.lookups() if catalog is not None else None
        self.notes: list[str] = []
        self.seen: set[tuple[str, str, str]] = set()
        self.records: dict[str, Record] = {}
        self.glances: dict[str, dict[str, Any] | None] = {}
        self.signatures: dict[str, str | None] = {}
        self.left = MOST

    def fields(self, path: str, field: str | None) -> list[Node]:
        """All fields of a dataset, or one. Raises HpcprovError when there is no such thing."""
        version, maker = self.newest(path)
        seen = self.seen_at(path)
        if seen is not None and (version is None or maker is None):
            self.signatures[path] = self.sign(path)
        if version is None and (digest := self.signatures.get(path)) is not None:
            version, maker = self.newest(digest)  # moved, copied, or got by mail: found by its values
            self.notes += [f"found by its values: recorded as {version.path}"] if version is not None else []
        place = maker.path if maker is not None else version.path if version is not None else path
        record = self.record(maker.run) if maker is not None else None
        layout = self.layout(path, record, place)
        if layout is None:
            raise HpcprovError(f"there is nothing at {path!a}, and no record of fields that were")
        definitions = self.definitions(path, place, record, list(layout))
        names = list(layout) if field is None else [name for name in layout if name.strip("/") == field]
        if not names and not (field is None and not layout):
            known = ", ".join(layout) or "none"
            raise HpcprovError(f"{path!a} has no field {field!a}", hint=f"its fields are {known[:1000]}")
        why = self.why(version, maker)
        return [self.node(place, name, definitions.get(name.strip("/")), layout[name], why, record) for name in names]

    def newest(self, path: str) -> tuple[Version | None, Version | None]:
        """The recorded version that lies at a path, and the one that its maker left."""
        if self.catalog is None or self.look is None:
            return None, None
        try:
            start = self.catalog.start(path)
        except HpcprovError:
            return None, None
        self.notes += start.notes
        version = next(iter(start.versions), None)
        if version is None or version.role == "generated":
            return version, version
        return version, self.maker(version)

    def maker(self, version: Version) -> Version | None:
        from hpcprov.catalog.makers import find_makers

        assert self.look is not None
        return next((link.maker for link in find_makers(self.look, [version])), None)

    def why(self, version: Version | None, maker: Version | None) -> str:
        """Why there may be no definition."""
        return UNDEFINED if maker is not None else NO_RUN if version is not None else NO_RECORD

    def record(self, run: str) -> Record | None:
        if run not in self.records:
            if self.catalog is None or len(self.records) >= MOST_RECORDS:
                self.records.clear()
            try:
                self.records[run] = self.catalog.record(run) if self.catalog is not None else {}
            except (HpcprovError, OSError):
                self.records[run] = {}
        return self.records[run] or None

    def layout(self, path: str, record: Record | None, place: str) -> dict[str, Any] | None:
        """The fields by name, with type and shape: of the file itself, else as they were recorded."""
        seen = self.seen_at(path)
        if seen is not None:
            return {one["path"]: one for one in seen["layout"]["fields"]}
        for role in ("generated", "used") if record is not None else ():
            for one in record["artifacts"][role] if record is not None else ():
                if one["path"] == place and one["signature"]:
                    return {field["path"]: field for field in one["signature"]["fields"]}
        return None

    def seen_at(self, path: str) -> dict[str, Any] | None:
        if path not in self.glances:
            self.glances[path] = self.glance(path) if os.path.lexists(path) else None
        return self.glances[path]

    def definitions(self, path: str, place: str, record: Record | None, names: list[str]) -> dict[str, Definition]:
        """What is known of the fields of one dataset: what a person wrote, what was told or embedded, what made it."""
        seen = self.seen_at(path)
        attributes = seen["attributes"]["fields"] if seen is not None else {}
        return definitions_of(place, record, attributes, names) | self.annotated(path, seen)

    def annotated(self, path: str, seen: dict[str, Any] | None) -> dict[str, Definition]:
        from hpcprov.quality.dictionary.annotations import load

        store = next(iter(stores_above(os.environ, path)), None)
        if store is None:
            return {}
        signature = ((seen or {}).get("known") or {}).get("signature")
        digest = signature.get("digest") if type(signature) is dict else None
        return written.definitions(load(store, path, digest or self.signatures.get(path)))

    def node(
        self,
        path: str,
        field: str,
        definition: Definition | None,
        facts: dict[str, Any] | None,
        why: str,
        record: Record | None,
    ) -> Node:
        """One field, with what it was made from as far as that is to be followed."""
        facts = facts or {}
        node: Node = {"path": path, "field": field.strip("/"), "type": facts.get("type"), "shape": facts.get("shape")}
        node |= {"definition": definition, "raw": None if definition is not None else why, "inputs": []}
        if definition is not None and self.depth > 0:
            key = (record["run"]["id"] if record else "", path, node["field"])
            if key in self.seen or self.left <= 0:
                return node | {"cut": ABOVE if key in self.seen else f"more than {MOST} fields"}
            self.seen.add(key)
            self.left -= 1
            self.depth -= 1
            node["inputs"] = [self.input(one, path, record) for one in definition["inputs"]]
            self.depth += 1
        return node

    def input(self, one: dict[str, Any], path: str, record: Record | None) -> Node:
        """Where an input of a definition came from."""
        if one["path"] in ("", path):
            found = self.definitions(path, path, record, [one["field"]]).get(one["field"])
            return self.node(path, one["field"], found, None, UNDEFINED, record)
        if record is None or self.look is None:
            return self.travelled(one)
        if is_memory(one["path"]):
            made = definitions_of(one["path"], record).get(one["field"]) or whole(one, record)
            if made is not None:
                return self.node(one["path"], one["field"], made, None, UNDEFINED, record)
        used = [version for version in self.used(record["run"]["id"]) if version.path == one["path"]]
        if not used:
            return self.travelled(one)
        return self.made(one, used[0])

    def used(self, run: str) -> list[Version]:
        assert self.look is not None
        return self.look.artifacts([run], "used")

    def made(self, one: dict[str, Any], version: Version) -> Node:
        """An input that a run used, as its maker left it."""
        from hpcprov.catalog.makers import find_makers

        assert self.look is not None
        links = find_makers(self.look, [version])
        wanted = [link for link in links if one["field"] in {name.strip("/") for _, name in link.fields}]
        link = next(iter(wanted or [link for link in links if not link.fields] or links), None)
        record = self.record(link.maker.run) if link is not None else None
        if link is None or record is None:
            return self.node(one["path"], one["field"], None, None, NO_RUN, None)
        names = {name.strip("/"): own.strip("/") for own, name in link.fields}
        field = names.get(one["field"], one["field"])
        place = link.maker.path
        found = self.definitions(place, place, record, [field])
        return self.node(place, field, found.get(field) or found.get(""), None, UNDEFINED, record)

    def travelled(self, one: dict[str, Any]) -> Node:
        """An input that only its name is known of: the file of that name, if there is one, may tell more."""
        path = one["path"]
        version, maker = self.newest(path) if not is_memory(path) else (None, None)
        if version is None and one.get("dataset"):
            version, maker = self.newest(one["dataset"])  # wherever these values lay
        if maker is not None:
            record = self.record(maker.run)
            found = self.definitions(path, maker.path, record, [one["field"]])
            return self.node(maker.path, one["field"], found.get(one["field"]), None, UNDEFINED, record)
        found = self.definitions(path, path, None, []) if os.path.lexists(path) else {}
        why = self.why(version, None)
        return self.node(path, one["field"], found.get(one["field"]), None, why, None)


def whole(one: dict[str, Any], record: Record) -> Definition | None:
    """What made values in memory, where it was a step of the run."""
    from hpcprov.quality.definitions.derived import definition, maker

    return definition(record, one["path"]) if maker(record, {one["path"]}) is not None else None
