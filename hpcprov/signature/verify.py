"""Is an artifact what it was? What was recorded of it, compared with what was found now, field by field.

    compare(recorded, found, locate)
    -> {"status": "CHANGED", "reason": None, "fields": [{"path": "t", "status": "CHANGED", "reason": "1 of 512 tiles",
        "boxes": [[[64, 128], [0, 512], [0, 512]]]}]}

Both are the facts of an `artifact` event (docs/frames.md). `boxes` are half-open index ranges, one for each axis; None
when it is not known where a field has changed.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from typing import Any, TypeAlias

from hpcprov.record.wording import extents
from hpcprov.signature import manifest, tree
from hpcprov.signature.field import Grid
from hpcprov.signature.manifest import Manifest
from hpcprov.signature.regions import differing, regions
from hpcprov.signature.tiles import grid_of

OK, CHANGED, MISSING, NEW = "OK", "CHANGED", "MISSING", "NEW"
UNREADABLE, NOT_CHECKED = "UNREADABLE", "NOT CHECKED"
#: What verification fails for; a field that is NEW makes its artifact CHANGED.
BAD = (CHANGED, MISSING, UNREADABLE)

SAME_BYTES = "the same bytes"
SAME_VALUES = "the same values, other bytes"
OTHER_BYTES = "other bytes"
UNKNOWN = "which tiles is not known: no tile digests were kept of the recorded values"
UNKNOWN_NOW = "which tiles is not known: there are no tile digests of the values that were found"

Facts: TypeAlias = dict[str, Any]
#: A recorded and a found field -> what differs between them.
Locate: TypeAlias = Callable[[Facts, Facts], Facts]


def compare(recorded: Facts, found: Facts, locate: Locate) -> Facts:
    """The verdict on an artifact: `status`, `reason` and `fields`."""
    storage, signature = recorded.get("storage"), recorded.get("signature")
    if storage is None and signature is None:
        return _verdict(NOT_CHECKED, f"it was not hashed when it was recorded: {recorded.get('reason') or 'unknown'}")
    if found["state"] == "missing":
        return _verdict(MISSING, found["reason"], _all(signature, MISSING))
    alike = _digest(storage) == _digest(found["storage"]) if storage and found["storage"] else None
    if alike and (signature is None or found["signature"] is None):
        return _verdict(OK, SAME_BYTES, _all(signature, OK))
    if found["state"] == "unreadable":
        return _verdict(UNREADABLE, found["reason"], _all(signature, NOT_CHECKED))
    if signature is None:
        return _verdict(CHANGED if alike is False else NOT_CHECKED, OTHER_BYTES if alike is False else found["reason"])
    if found["signature"] is None:
        bytes_differ = f"{OTHER_BYTES}; " if alike is False else ""
        why = f"{bytes_differ}its values were not compared: {found['unsigned'] or found['reason']}"
        status = NOT_CHECKED if alike is None and found["state"] == "not hashed" else CHANGED
        return _verdict(status, why, _all(signature, NOT_CHECKED))
    return _by_values(signature, found["signature"], alike, locate)


def _by_values(old: Facts, new: Facts, alike: bool | None, locate: Locate) -> Facts:
    if _digest(old) == _digest(new):
        return _verdict(OK, SAME_VALUES if alike is False else None, _all(old, OK))
    fields = list(compare_fields(old["fields"], new["fields"], locate))
    differ = any(one["status"] != OK for one in fields)
    return _verdict(CHANGED, None if differ else "the fields are the same, in another order or kind of dataset", fields)


def compare_fields(old: Iterable[Facts], new: Iterable[Facts], locate: Locate) -> Iterator[Facts]:
    """The verdict on every field: those recorded in their order, then the new ones."""
    left = {one["path"]: one for one in new}
    for one in old:
        other = left.pop(one["path"], None)
        if other is None:
            yield _field(one, MISSING)
        elif one["signature"] == other["signature"]:
            yield _field(one, OK)
        else:
            yield _field(one, CHANGED) | locate(one, other)
    yield from (_field(one, NEW) for one in left.values())


def _verdict(status: str, reason: str | None, fields: list[Facts] | None = None) -> Facts:
    return {"status": status, "reason": reason, "fields": fields or []}


def _field(field: Facts, status: str) -> Facts:
    return {"path": field["path"], "status": status, "reason": None, "boxes": None}


def _all(signature: Facts | None, status: str) -> list[Facts]:
    return [_field(one, status) for one in signature["fields"]] if signature is not None else []


def _digest(facts: Facts) -> str:
    return str(facts["digest"])


@dataclass(frozen=True)
class Tiles:
    """Locates changes by the manifests of the recorded values in the directory `old` and of those found in `new`."""

    old: str
    new: str

    def locate(self, one: Facts, other: Facts) -> Facts:
        """What differs between two fields of one path: their type, their shape, or some of their tiles."""
        if one["type"] != other["type"]:
            return {"reason": f"its type is {other['type']}, was {one['type']}"}
        if one["shape"] is None or other["shape"] is None:
            return {"reason": f"its shape is {extents(other['shape'])}, was {extents(one['shape'])}"}
        if len(other["shape"]) != len(other["tile"] or ()) or not all(other["tile"]):
            return {"reason": UNKNOWN}  # no reader that is itself says so
        before, after = self._manifests(one, other)
        if one["shape"] != other["shape"]:
            return self._longer(one, other, before, after)
        if after is None and _count(other) == 1:
            return {"reason": "1 of 1 tiles", "boxes": [[[0, extent] for extent in other["shape"]]]}
        if after is None:
            return {"reason": UNKNOWN_NOW}
        if before is None or before.shape != after.shape:
            return {"reason": UNKNOWN}
        return _changes(after, before.leaves, after.leaves)

    def _manifests(self, one: Facts, other: Facts) -> tuple[Manifest | None, Manifest | None]:
        most = 2 * _count(other) + 1024
        before, after = manifest.load(self.old, _hex(one), most=most), manifest.load(self.new, _hex(other), most=most)
        if after is None:  # what was taken from a cache was kept when it was read
            after = manifest.load(self.old, _hex(other), most=most)
        fit = before is not None and after is not None and (before.token, before.tile) == (after.token, after.tile)
        return (before, after) if fit else (None, after)

    def _longer(self, one: Facts, other: Facts, before: Manifest | None, after: Manifest | None) -> Facts:
        """Two lengths of one array have the rows of tiles in common that lie whole in both."""
        said = f"its shape is {extents(other['shape'])}, was {extents(one['shape'])}"
        if before is None or after is None or before.shape[1:] != after.shape[1:]:
            return {"reason": said}
        rows = min(before.shape[0], after.shape[0]) // after.tile[0]
        size = rows * tree.DIGEST * _grid(after).count // max(1, _grid(after).counts[0])
        if not rows or len(before.leaves) < size:
            return {"reason": said}
        if before.leaves[:size] == after.leaves[:size]:
            return {"reason": f"{said}; the first {rows * after.tile[0]} of axis 0 are the same", "boxes": []}
        found = _changes(after, before.leaves[:size], after.leaves[:size])
        return found | {"reason": f"{said}; and in what both have, {found['reason']}"}


def _changes(grid: Manifest, old: bytes, new: bytes) -> Facts:
    numbers = differing(old, new)
    boxes = [[list(span) for span in box] for box in regions(_grid(grid), numbers)]
    return {"reason": f"{len(numbers)} of {len(new) // tree.DIGEST} tiles", "boxes": boxes}


def _grid(of: Manifest) -> Grid:
    return Grid(of.shape, of.tile, grid_of(of.shape, of.tile))


def _count(field: Facts) -> int:
    return Grid((), (), grid_of(tuple(field["shape"] or ()), tuple(field["tile"]))).count


def _hex(field: Facts) -> str:
    return str(field["signature"]).removeprefix(tree.PREFIX)
