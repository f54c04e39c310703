"""What somebody wrote in a sheet joined with what is written by now: a merge with three sides, cell by cell.

    merge(annotations, own, [Edit("depth", "units", "m", seen="8c4d2a1f")], when="2026-11-21T09:30:00Z", by="ada")
    ->  Merged(changes={("depth", "units"): Cell("m", ...)}, conflicts=[])

A cell that is as it was exported changes nothing. One that was changed in the sheet is taken, unless what it would take
the place of was changed since the export, too: that is a conflict, and nothing is overwritten.
"""

from __future__ import annotations

from hpcprov.quality.dictionary.annotations import Cell
from hpcprov.quality.dictionary.mark import digest, shown

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.quality.dictionary.annotations import Annotations

SHEET, STORE = "sheet", "store"


class Edit:
    """A cell as somebody wants it: of a `field` (None: of the dataset) the member `key` with its `value`. `seen` is the
    digest of what stood there when it was exported; None when it is not known: then an empty value says nothing. An
    edit that is `outright` was typed for this one cell: it is what the person wants, whatever is there."""

    __slots__ = ("field", "key", "outright", "seen", "value")

    def __init__(
        self, field: str | None, key: str, value: str, *, seen: str | None = None, outright: bool = False
    ) -> None:
        self.field, self.key, self.value, self.seen, self.outright = field, key, value, seen, outright


class Merged:
    """Cells to write (None: the annotation goes, and the file's own word stands again), and conflicts as facts:
    `field`, `key`, what the `sheet` says, what the `store` says, `since` when and `by` whom (None: the file itself)."""

    def __init__(self) -> None:
        self.changes: dict[tuple[str | None, str], Cell | None] = {}
        self.conflicts: list[dict[str, Any]] = []


def merge(
    annotations: Annotations,
    own: Mapping[str | None, Mapping[str, str]],
    edits: Iterable[Edit],
    *,
    when: str,
    by: str,
    take: str | None = None,
) -> Merged:
    """What is to be written. `own` is what the file itself says (`compose.own_values`); `take` settles conflicts."""
    found = Merged()
    for edit in edits:
        cell = annotations.cells(edit.field).get(edit.key)
        said = own.get(edit.field, {}).get(edit.key, "")
        now = shown(cell.value if cell is not None else said)
        wanted = shown(edit.value)
        if wanted == now or not _is_changed(edit, wanted):
            continue
        if take != SHEET and not edit.outright and _is_newer(edit, cell, now):
            if take != STORE:
                found.conflicts.append(_conflict(edit, wanted, now, cell))
            continue
        found.changes[edit.field, edit.key] = None if wanted == shown(said) else Cell(wanted, when, by)
    return found


def _is_changed(edit: Edit, wanted: str) -> bool:
    """Did somebody mean this?"""
    if edit.outright:
        return True
    return bool(wanted) if edit.seen is None else digest(wanted) != edit.seen


def _is_newer(edit: Edit, cell: Cell | None, now: str) -> bool:
    """Is what stands there another thing than what the sheet was made from? Without a mark any annotation is."""
    return cell is not None if edit.seen is None else digest(now) != edit.seen


def _conflict(edit: Edit, wanted: str, now: str, cell: Cell | None) -> dict[str, Any]:
    return {
        "field": edit.field,
        "key": edit.key,
        "sheet": wanted,
        "store": now,
        "since": cell.changed if cell is not None else None,
        "by": cell.by if cell is not None else None,
    }


def apply(annotations: Annotations, merged: Merged) -> None:
    """Put the changes in."""
    for (field, key), cell in merged.changes.items():
        annotations.put(field, key, cell)
