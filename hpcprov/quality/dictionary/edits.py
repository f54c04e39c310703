"""The rows of a sheet as edits of the fields that data has, and what of them cannot be taken.

    edits_of(sheet, ["depth", "mask"])  ->  Edits(edits=[Edit("depth", "units", "m", seen="8c4d2a1f")], unknown=[],
                                                  problems=[])

A row is known by its mark, and its name must be the one that it was exported with: rows of which only one column was
sorted, or shifted, are refused. A row without a mark is known by its name.
"""

from __future__ import annotations

from hpcprov.quality.dictionary import mark as marks
from hpcprov.quality.dictionary.columns import EDITABLE, OF_DATASET, tag_list
from hpcprov.quality.dictionary.mark import shown
from hpcprov.quality.dictionary.merge import Edit
from hpcprov.record.text import is_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

#: Characters of one annotation.
LONGEST = 16_000


class Edits:
    """`edits` in order, the names of fields that are `unknown` with where they stand, and `problems` in words."""

    def __init__(self) -> None:
        self.edits: list[Edit] = []
        self.unknown: list[str] = []
        self.problems: list[str] = []
        self.rows = 0


def edits_of(sheet: dict[str, Any], paths: Sequence[str]) -> Edits:
    """What the sheet wants of a dataset with these fields."""
    found = Edits()
    found.problems += sheet["problems"]
    _take(found, None, sheet["dataset"], OF_DATASET)
    by_digest = {marks.name_digest(path): path for path in paths}
    by_text: dict[str, list[str]] = {}
    for path in paths:
        by_text.setdefault(shown(path), []).append(path)
    seen: dict[str, str] = {}
    for row in sheet["rows"]:
        field = _path_of(row, by_digest, by_text, found)
        if field is None:
            continue
        if field in seen:
            found.problems.append(f"{row['at']}: {shown(field)!a} stands in {seen[field]}, too")
            continue
        seen[field] = row["at"]
        found.rows += 1
        _take(found, field, row, EDITABLE)
    return found


def _path_of(row: dict[str, Any], by_digest: dict[str, str], by_text: dict[str, list[str]], found: Edits) -> str | None:
    """The field that a row is of; None, and the reason noted, when there is none."""
    text = shown(row["name"])
    marked = marks.parsed(row["mark"], EDITABLE)
    if marked is not None:
        path = by_digest.get(marked[0])
        if path is not None and shown(path) == text:
            return path
        if path is not None or marked[0] != marks.name_digest(row["name"]):
            was = f", and was exported as {shown(path)!a}" if path is not None else " and has another row's mark"
            found.problems.append(
                f"{row['at']}: it is named {text!a}{was}: sort whole rows, and leave names as they are"
            )
            return None
    paths = by_text.get(text) or by_text.get(text.strip("/")) or []
    if len(paths) == 1:
        return paths[0]
    if paths:
        found.problems.append(f"{row['at']}: {text!a} names {len(paths)} fields")
    else:
        found.unknown.append(f"{text!a} ({row['at']})")
    return None


def _take(found: Edits, field: str | None, row: dict[str, Any], keys: tuple[str, ...]) -> None:
    marked = marks.parsed(row["mark"], keys)
    for key, text in row["cells"].items():
        seen = marked[1][key] if marked is not None and key in keys else None
        if key not in keys or (seen is not None and marks.digest(text) == seen):
            continue  # as it was exported
        reason = refused(key, text)
        if reason is not None:
            found.problems.append(f"{row['at']}, {key}: {reason}")
        else:
            found.edits.append(Edit(field, key, canonical(key, text), seen=seen))


def canonical(key: str, text: str) -> str:
    """A cell's text as it is kept."""
    return ", ".join(tag_list(text)) if key == "tags" else shown(text)


def refused(key: str, text: str) -> str | None:
    """Why a text cannot be taken."""
    if len(text) > LONGEST:
        return f"{len(text)} characters, and at most {LONGEST} are taken"
    if not is_name(text):
        return "no text"
    if key != "description" and "\n" in text.strip():
        return "of several lines; only descriptions may be"
    return None
