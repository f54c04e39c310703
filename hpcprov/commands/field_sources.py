"""What is known of datasets and their fields, each asked once: from the file, people, the records, the catalog.

sources = Sources(catalog, glance, sign)
version, maker = sources.newest("/data/out.h5")
sources.definition("/data/out.h5", maker.path, sources.record(maker.run), "depth")
"""

from __future__ import annotations

import os

from hpcprov.quality.definitions import definitions_of, derived, written
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import stores_above

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.catalog.makers import Made
    from hpcprov.catalog.query import Catalog
    from hpcprov.catalog.versions import Version
    from hpcprov.record.model import Record

    Definition = dict[str, Any]
    Newest = tuple[Version | None, Version | None]

MOST_RECORDS = 256  # that are held


class Sources:
    """`glance(path)` tells of a file what `Comparing.glance` does, or None; `sign(path)` its signature, or None.
    `notes`: what is to be said about how data was found."""

    def __init__(
        self,
        catalog: Catalog | None,
        glance: Callable[[str], dict[str, Any] | None],
        sign: Callable[[str], str | None],
    ) -> None:
        self.catalog, self.glance, self.sign = catalog, glance, sign
        self.look = catalog.lookups() if catalog is not None else None
        self.notes: list[str] = []
        self.signatures: dict[str, str | None] = {}
        self._records: dict[str, Record] = {}
        self._glances: dict[str, dict[str, Any] | None] = {}
        self._newest: dict[str, Newest] = {}
        self._used: dict[str, dict[str, Version]] = {}
        self._links: dict[object, list[Made]] = {}
        self._definitions: dict[tuple[str, str, str], tuple[dict[str, Definition], Definition | None]] = {}

    def seen(self, path: str) -> dict[str, Any] | None:
        """The file as it is now; None where there is none that can be read."""
        if path not in self._glances:
            self._glances[path] = self.glance(path) if os.path.lexists(path) else None
        return self._glances[path]

    def signed(self, path: str) -> str | None:
        """The signature of what lies there now."""
        if path not in self.signatures:
            self.signatures[path] = self.sign(path)
        return self.signatures[path]

    def newest(self, target: str) -> Newest:
        """The recorded version that lies at a path, or has a digest, and the one that its maker left."""
        if target not in self._newest:
            self._newest[target] = self._find(target)
        return self._newest[target]

    def _find(self, target: str) -> Newest:
        if self.catalog is None:
            return None, None
        try:
            start = self.catalog.start(target)
        except HpcprovError:
            return None, None
        self.notes += start.notes
        version = next(iter(start.versions), None)
        if version is None or version.role == "generated":
            return version, version
        return version, next((link.maker for link in self.links(version)), None)

    def links(self, version: Version) -> list[Made]:
        """Who made a version that a run used."""
        from hpcprov.catalog.makers import find_makers

        assert self.look is not None
        if version.number not in self._links:
            self._links[version.number] = find_makers(self.look, [version])
        return self._links[version.number]

    def used(self, run: str, path: str) -> Version | None:
        """The version that a run used at a path."""
        assert self.look is not None
        if run not in self._used:
            self._used[run] = {version.path: version for version in self.look.artifacts([run], "used")}
        return self._used[run].get(path)

    def record(self, run: str) -> Record | None:
        if run not in self._records:
            if len(self._records) >= MOST_RECORDS:
                self._records.clear()
            try:
                self._records[run] = self.catalog.record(run) if self.catalog is not None else {}
            except (HpcprovError, OSError):
                self._records[run] = {}
        return self._records[run] or None

    def layout(self, path: str, record: Record | None, place: str) -> dict[str, Any] | None:
        """The fields by name, with type and shape: of the file itself, else as they were recorded; None where neither
        is known."""
        seen = self.seen(path)
        if seen is not None:
            return {one["path"]: one for one in seen["layout"]["fields"]}
        artifacts = record["artifacts"] if record is not None else {"generated": [], "used": []}
        for one in (*artifacts["generated"], *artifacts["used"]):
            if one["path"] == place and one["signature"]:
                return {field["path"]: field for field in one["signature"]["fields"]}
        return None

    def definition(self, path: str, place: str, record: Record | None, field: str) -> Definition | None:
        """What is known of one field: what a person wrote, what was told or embedded, what made the dataset."""
        key = (path, place, record["run"]["id"] if record is not None else "")
        if key not in self._definitions:
            seen = self.seen(path)
            attributes = seen["attributes"]["fields"] if seen is not None else {}
            found = definitions_of(place, record, attributes) | self._annotated(path, seen)
            made = derived.definition(record, place) if record is not None else None
            self._definitions[key] = found, made
        found, made = self._definitions[key]
        return found.get(field.strip("/"), made)

    def _annotated(self, path: str, seen: dict[str, Any] | None) -> dict[str, Definition]:
        """What people wrote of the fields."""
        from hpcprov.quality.dictionary.annotations import load

        store = next(iter(stores_above(os.environ, path)), None)
        if store is None:
            return {}
        signature = ((seen or {}).get("known") or {}).get("signature")
        digest = signature.get("digest") if type(signature) is dict else None
        return written.definitions(load(store, path, digest or self.signatures.get(path)))
