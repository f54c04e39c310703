"""The dictionary of a path: what the reading child tells, what was known before, which run made it, what people wrote.

    with comparer(settings(args), Bar()) as reading:
        made("flood.nc", reading, Bar(), counting=True).dictionary["fields"][0]["units"]  ->  "m"

Values are read once, and only when nobody has counted them yet: neither this file as it is (the cache) nor a run that
recorded statistics of the same values.
"""

from __future__ import annotations

import os
import time

from hpcprov.commands.dictionary_run import UNTOUCHED, Maker, maker_of
from hpcprov.quality.definitions import definitions_of, written
from hpcprov.quality.dictionary.annotations import Annotations, load
from hpcprov.quality.dictionary.compose import compose, own_values
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError, NoStore, UnreadableData
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.bar import Bar
    from hpcprov.quality.isolated import Comparing
    from hpcprov.record.layout import Store

    Facts = dict[str, Any]

BEFORE = "counted before; the file has not been touched since"


class Seen:
    """A dataset as it is now: `layout` and `attributes`, `signature` (None: nobody knows it yet), statistics by path
    (`counted`) and where they are from (`source`), who made it (`maker`), in which `store` its annotations are."""

    def __init__(self, path: str, glance: Facts) -> None:
        self.path, self.glance = path, glance
        self.layout: Facts = glance["layout"]
        self.attributes: Facts = glance["attributes"]
        self.own = own_values(self.layout, self.attributes)
        self.signed: Facts | None = (glance["known"] or {}).get("signature")
        self.counted: dict[str, Facts] | None = _statistics(self.signed)
        self.source = BEFORE if self.counted is not None else None
        self.maker: Maker | None = None
        self.parts: dict[str, Facts] | None = None
        """The fields by their paths, where the dataset as a whole has no signature."""

    @property
    def signature(self) -> str | None:
        return self.signed["digest"] if self.signed is not None else None

    def look_up(self) -> None:
        """Ask the records: who made it, and what they know of its values."""
        self.maker = maker_of(self.path, self.signature)
        artifact = self.maker.artifact if self.maker is not None else None
        if artifact is None or not artifact["signature"]:
            return
        if self.signed is None and self.maker is not None and self._is_untouched(artifact):
            self.signed = artifact["signature"]
            self.maker.run |= {"how": UNTOUCHED, "made": True}
        if self.counted is None and self.signature == artifact["signature"]["digest"]:
            self.counted = _statistics(artifact["signature"])
            self.source = f"recorded by run {self.maker.run['id']}" if self.counted is not None and self.maker else None

    def _is_untouched(self, artifact: Facts) -> bool:
        """Does a file look as the run left it? Of directories that does not tell."""
        same = all(artifact[name] == self.glance[name] for name in ("size", "mtime"))
        return same and artifact["files"] is None and artifact["path"] == self.path

    def read(self, reading: Comparing, bar: Bar, *, counting: bool) -> None:
        """Read all values: sign them, and count them when that is asked for. Raises HpcprovError."""
        reading.configure(statistics=counting)
        bar.begin(self.path)
        try:
            found = reading.describe(self.path).result
            if found["unsigned"] is not None and counting:
                self.parts = self._parts(reading)
        finally:
            bar.clear()
        if self.parts is not None:
            self.counted = {path: one["statistics"] or {} for path, one in self.parts.items()}
            self.source = f"counted {_moment(time.time_ns())}"
            return
        if found["state"] != "ok" or found["signature"] is None:
            raise UnreadableData(f"{self.path!a}: {found['reason'] or found['unsigned']}")
        self.signed = found["signature"]
        self.counted = _statistics(self.signed) if counting else self.counted
        if self.counted is not None:
            self.source = BEFORE if self.signed["how"] == "cached" else f"counted {_moment(time.time_ns())}"

    def _parts(self, reading: Comparing) -> dict[str, Facts] | None:
        """What is known of each field by itself; None where not even that can be had."""
        try:
            return {one["path"]: one for one in reading.count(self.path)}
        except HpcprovError:
            return None

    def dictionary(self, annotations: Annotations) -> Facts:
        """What there is to tell, put together."""
        signed = (self.signed or {}).get("fields", ()) if self.parts is None else self.parts.values()
        known = {one["path"]: {"signature": one["signature"]} for one in signed}
        known |= {one["path"]: {"not_read": one["not_read"]} for one in signed if one.get("not_read")}
        fields = [one | known.get(one["path"], {}) for one in self.layout["fields"]]
        return compose(
            self.layout | {"fields": fields, "signature": self.signature},
            attributes=self.attributes,
            statistics=self.counted,
            annotations=annotations,
            definitions=self._definitions() | written.definitions(annotations),
            about=self._about(),
        )

    def _definitions(self) -> dict[str, Facts]:
        record, recorded = (self.maker.record, self.maker.recorded) if self.maker is not None else (None, self.path)
        names = [field["path"].strip("/") for field in self.layout["fields"]]
        return definitions_of(recorded, record, self.attributes["fields"], names)

    def _about(self) -> Facts:
        run = self.maker.run if self.maker is not None else None
        return {
            "name": os.path.basename(self.path.rstrip("/")),
            "path": self.path,
            "host": os.uname().nodename,
            "size": self.glance["size"],
            "files": self.glance["files"],
            "modified": _moment(self.glance["mtime"]),
            "created": self.own[None].get("created") or (run["when"] if run is not None and run["made"] else None),
            "run": run,
            "statistics": self.source,
        }


def look(path: str, reading: Comparing) -> Seen:
    """A dataset without its values, and what the records know of it. Raises HpcprovError."""
    try:
        seen = Seen(os.path.abspath(path), reading.glance(path))
    except HpcprovError as error:
        raise UnreadableData(f"{printable(path)}: {error.message}", hint=error.hint) from error
    seen.look_up()
    return seen


def _statistics(signed: Facts | None) -> dict[str, Facts] | None:
    """Of all fields, or None: one that is not counted makes a new count necessary."""
    fields = (signed or {}).get("fields")
    if fields is None or not all(isinstance(field.get("statistics"), dict) for field in fields):
        return None
    return {field["path"]: field["statistics"] for field in fields}


def _moment(ns: int | None) -> str | None:
    return None if ns is None else time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime(ns // 10**9))


def settings(threads: int | None) -> Facts:
    """How the child reads: with the cache and the tile digests of the store here, if there is one."""
    from hpcprov.commands.reading import known_places

    return {"threads": threads} | known_places()


def annotations_of(seen: Seen) -> Annotations:
    """What people wrote of a dataset: the first that is found beside it, then in the working directory's store."""
    known = [load(store, seen.path, seen.signature) for store in stores_of(seen.path)]
    return next((found for found in known if found.version), Annotations(seen.path, seen.signature))


def stores_of(path: str) -> list[Store]:
    """The stores in which annotations of `path` may be: `HPCPROV_DIR`, those above the path, that of the working
    directory."""
    found: dict[str, Store] = {}
    if os.environ.get("HPCPROV_DIR"):
        return [layout.new_store(os.environ, os.getcwd())]
    for store in layout.stores_above(os.environ, os.path.dirname(os.path.realpath(path))):
        found.setdefault(os.path.realpath(store.root), store)
    try:
        here = layout.find_store(os.environ, os.getcwd())
        found.setdefault(os.path.realpath(here.root), here)
    except NoStore:
        pass
    return list(found.values())
