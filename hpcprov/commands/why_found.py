"""What `why` finds: the causes of two runs' differences with what is behind them, and how their outputs differ.

Looking(catalog).compare(side(catalog, "20261121T093000Z"), side(catalog, "last"))
->  {"same": False, "first": {...}, "second": {...}, "causes": [...], "alike": [...], "outputs": [...], ...}
"""

from __future__ import annotations

import os
import re

from hpcprov.catalog.causes import causes, data, same, untold
from hpcprov.catalog.causes.made import maker
from hpcprov.catalog.causes.places import differing
from hpcprov.catalog.causes.upstream import DEPTH, Upstream
from hpcprov.commands.why_code import difference
from hpcprov.record.errors import HpcprovError, NoSuchRun
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.catalog.query import Catalog
    from hpcprov.catalog.versions import Version
    from hpcprov.record.model import Record

DIGEST = re.compile(r"((hpcprov1|blake3|sha256):)?[0-9a-f]{6,}")
MOST_PARTS = 200


class Side:
    """One of the two: its `run`'s id, its `record`, the `store` it is in, and the `artifact` that was asked for."""

    def __init__(self, catalog: Catalog, run: str, artifact: str | None = None) -> None:
        row = catalog.run(run)
        self.run, self.store, self.artifact = row.id, Store(row.root), artifact
        self.record: Record = catalog.record(row.id)

    def facts(self) -> dict[str, Any]:
        run = self.record["run"]
        known = {name: run[name] for name in ("id", "kind", "name", "status", "start", "argv", "cwd")}
        return known | {"artifact": self.artifact}


def side(catalog: Catalog, text: str) -> Side:
    """What a word on the command line names. Raises NoSuchRun, AmbiguousRun, HpcprovError."""
    is_path = "/" in text or os.path.lexists(text)
    if not is_path:
        try:
            return Side(catalog, text)
        except NoSuchRun:
            if not DIGEST.fullmatch(text):
                raise
    path = os.path.abspath(text)
    wanted = {"path": path} if is_path else {"prefix": text}
    rows = [row for row in catalog.versions(**wanted, role="generated", limit=1000) if not is_path or row.path == path]
    if rows:
        return Side(catalog, rows[0].run, rows[0].path)
    for version in _moved(catalog, text) if is_path else ():
        if version.role == "generated":
            return Side(catalog, version.run, version.path)
    where = ", ".join(catalog.roots)
    raise HpcprovError(f"no run is known to have made {text!a} (looked in {where})", hint="name the runs instead")


def _moved(catalog: Catalog, path: str) -> list[Version]:
    """The versions of what lies at a path now, whose directory was moved together with the store."""
    try:
        return catalog.start(path).versions
    except HpcprovError:
        return []


class Looking:
    """Compares runs of a catalog. `depth`: links followed upwards; `reads`: files that are as recorded may be read."""

    def __init__(self, catalog: Catalog, *, depth: int = DEPTH, reads: bool = True) -> None:
        self.catalog, self.depth, self.reads = catalog, depth, reads

    def compare(self, one: Side, other: Side) -> dict[str, Any]:
        found = self.causes(one, other)
        parts = list(self.parts(one, other))
        outputs = list(self.outputs(one, other))
        equal = not found and all(output["status"] == data.SAME for output in outputs)
        return {
            "same": equal and all(part["same"] for part in parts) and _ended_alike(one.record, other.record),
            "first": one.facts(),
            "second": other.facts(),
            "causes": found,
            "alike": same(one.record, other.record),
            "untold": untold(one.record, other.record),
            "unknown": data.unknown(one.record, other.record, "used"),
            "outputs": outputs,
            "parts": parts,
        }

    def causes(self, one: Side, other: Side) -> list[Cause]:
        """The causes, each with the fields and runs behind it."""
        upstream = Upstream(maker(self.catalog), self._record, depth=self.depth)
        found = causes(one.record, other.record)
        for cause in found:
            self._closer(cause, one, other)
            because = cause["because"] = upstream.explain(cause, one.record, other.record)
            if because and because["origin"]:
                self._closer(because["origin"], *(Side(self.catalog, run) for run in because["origin"]["runs"]))
        return [_plain(cause) for cause in found]

    def _closer(self, cause: Cause, one: Side, other: Side) -> None:
        """Adds to a cause where its data differ, or its code."""
        if "artifacts" in cause and "fields" not in cause:
            cause["fields"] = self._fields(one, other, *cause["artifacts"])
        if cause["kind"] == "code" and "roots" in cause:
            cause["diff"] = difference(cause)

    def outputs(self, one: Side, other: Side) -> Iterator[dict[str, Any]]:
        """How each output of one is in the other; only those asked for, when that was data."""
        for name, mine, theirs in data.pairs(one.record, other.record, "generated"):
            if not (_asked(one, mine) and _asked(other, theirs)):
                continue
            if mine is None or theirs is None:
                status = "made by the first only" if mine else "made by the second only"
                yield {"name": name, "status": status, "fields": []}
                continue
            status = data.state(mine, theirs)
            fields = self._fields(one, other, mine, theirs) if status == data.CHANGED else []
            yield {"name": name, "status": status, "fields": fields}

    def parts(self, one: Side, other: Side) -> Iterator[dict[str, Any]]:
        """Of two jobs or workflows those parts that have the same name, compared."""
        left, right = (self._parts(whole) for whole in (one, other))
        for name in left:
            if name in right and len(left) + len(right) <= 2 * MOST_PARTS:
                yield self.compare(left[name], right[name]) | {"part": name}

    def _parts(self, whole: Side) -> dict[str, Side]:
        if whole.record["run"]["kind"] == "command":
            return {}
        rows = self.catalog.parts(whole.run)
        names = [row.name for row in rows]
        return {row.name: Side(self.catalog, row.id) for row in rows if row.name and names.count(row.name) == 1}

    def _record(self, run: str) -> Record | None:
        try:
            return self.catalog.record(run)
        except (HpcprovError, OSError):
            return None

    def _fields(self, one: Side, other: Side, mine: dict[str, Any], theirs: dict[str, Any]) -> list[dict[str, Any]]:
        from hpcprov.commands.why_values import closer
        from hpcprov.signature.verify import Tiles

        found = list(differing(mine, theirs, Tiles(one.store.tiles, other.store.tiles).locate))
        return closer(mine, theirs, found) if self.reads else found


def _asked(side: Side, artifact: dict[str, Any] | None) -> bool:
    return side.artifact is None or (artifact is not None and artifact["path"] == side.artifact)


def _ended_alike(one: Record, other: Record) -> bool:
    return bool(one["run"]["status"] == other["run"]["status"])


def _plain(cause: Cause) -> Cause:
    """A cause without the facts that were only needed to look closer."""
    kept = {key: value for key, value in cause.items() if key not in ("artifacts", "roots")}
    if kept.get("because"):
        inner, origin = [_plain(one) for one in kept["because"]["causes"]], kept["because"]["origin"]
        kept["because"] = kept["because"] | {"causes": inner, "origin": origin and _plain(origin | {"because": None})}
    return kept
