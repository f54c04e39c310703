"""Verdicts and changes of constraints as text. Pure, but for what the terminal can take.

FAILED       iris.csv  (26 of 28 constraints kept)
  FAILED       petal_width
    max 2.5: 2 values violate it, found 9.9
      [17] 9.9, [40] 3.5
"""

from __future__ import annotations

import json
import os

from hpcprov.commands import screen as sight
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Facts = dict[str, Any]

#: Lines of each sort: --json has all.
MOST_FIELDS, MOST_IGNORED, MOST_CHANGES = 40, 10, 100
VALUE, TEXT = 40, 60
COLOURS = {"OK": "green"}
CHANGES = {"tightened": "yellow", "loosened": "yellow", "changed": "yellow", "added": "green", "removed": "red"}
HEADS = ("field", "constraint", "A", "B", "change")


def render(found: Facts, *, whole: bool = False) -> Iterator[str]:
    """A verdict; with `whole` each constraint that is kept, too."""
    screen = sight.screen(os.environ)
    passes, failures = found["passes"], found["failures"]
    name = printable(min(os.path.relpath(found["path"]), found["path"], key=len))
    kept = f"{passes:,} of {sight.count(passes + failures, 'constraint')} kept"
    yield f"{_status(found['status'], screen)}  {name}  ({kept})"
    told = [field for field in found["fields"] if whole or field["status"] != "OK"]
    for field in told if whole else told[:MOST_FIELDS]:
        yield f"  {_status(field['status'], screen)}  {printable(field['path']) or '(the array)'}"
        for one in field["constraints"]:
            if whole or not one["ok"]:
                yield f"    {_line(one)}"
                if one["places"] and not one["ok"]:
                    yield f"      {_places(one['places'], max(60, screen.width - 6))}"
    if len(told) > MOST_FIELDS and not whole:
        yield f"  ... and {len(told) - MOST_FIELDS} more fields"
    yield from _unread(found["unread"])
    yield from _ignored(found["ignored"])
    if found.get("detected"):
        entries = "entry" if found["detected"] == 1 else "entries"
        yield f"written: {printable(found['output'])} ({found['detected']:,} {entries})"
    elif found.get("detected") == 0:
        yield "nothing was written: no value violates anything"
        if found.get("removed"):
            yield f"removed: {printable(found['output'])}, which told of an earlier time"


def _status(word: str, screen: sight.Screen) -> str:
    return screen.paint(f"{word:<11}", COLOURS.get(word, "red"))


def _line(one: Facts) -> str:
    """A constraint and what became of it."""
    name = f"{one['constraint']} {_value(one['value'])}"
    if one["ok"]:
        found = "" if one["found"] is None else f", found {_value(one['found'])}"
        return f"{name}: kept{found}"
    parts = []
    if one["reason"] is not None:
        parts.append(printable(one["reason"]))
    if one["count"] is not None and one["constraint"] != "max_nulls":
        parts.append(f"{sight.count(one['count'], 'value')} violate{'s' if one['count'] == 1 else ''} it")
    if one["found"] is not None or (one["count"] is None and one["reason"] is None):
        parts.append(f"found {_value(one['found'])}")
    return f"{name}: {', '.join(parts)}"


def _places(places: list[Facts], width: int) -> str:
    """The first places, as many as fit."""
    told = [_place(place) for place in places]
    fitting = next((at for at in range(len(told), 1, -1) if len(", ".join(told[:at])) + 5 <= width), 1)
    return ", ".join(told[:fitting]) + (", ..." if fitting < len(told) else "")


def _place(place: Facts) -> str:
    value = "" if place["value"] is None else f" {_value(place['value'])}"
    return f"[{', '.join(map(str, place['index']))}]{value}"


def _value(value: Any) -> str:
    """Untrusted, and of any length; of a float the digits that tell it from its neighbours in most data."""
    if type(value) is float:
        return f"{value:.9g}"
    if type(value) is str:
        return sight.cut(value, VALUE) or '""'
    return sight.cut(json.dumps(value, ensure_ascii=False), TEXT)


def _unread(pairs: list[list[str]]) -> Iterator[str]:
    for name, reason in pairs[:MOST_IGNORED]:
        yield f"  not read: {printable(name)}: {printable(reason)}"
    if len(pairs) > MOST_IGNORED:
        yield f"  ... and {len(pairs) - MOST_IGNORED} more fields that cannot be read"


def _ignored(pairs: list[list[str]]) -> Iterator[str]:
    for name, kind in pairs[:MOST_IGNORED]:
        yield f"  not known, not checked: {printable(name)}: {printable(kind)}"
    if len(pairs) > MOST_IGNORED:
        yield f"  ... and {len(pairs) - MOST_IGNORED} more constraints that are not known"


def render_changes(found: list[Facts]) -> Iterator[str]:
    """A table of what differs between two files."""
    screen = sight.screen(os.environ)
    if not found:
        yield "the same constraints"
        return
    rows = [HEADS, *(_row(one, screen.width) for one in found[:MOST_CHANGES])]
    widths = [max(len(row[at]) for row in rows) for at in range(len(HEADS))]
    for number, row in enumerate(rows):
        *cells, change = (cell.ljust(width) for cell, width in zip(row, widths, strict=True))
        last = change.rstrip() if number == 0 else screen.paint(change.rstrip(), CHANGES[change.rstrip()])
        line = "  ".join([*cells, last])
        yield screen.paint(line, "bold") if number == 0 else line
    if len(found) > MOST_CHANGES:
        yield f"... and {len(found) - MOST_CHANGES} more"


def _row(one: Facts, width: int) -> tuple[str, ...]:
    """Cells that fit into a line, with the longest kind and change."""
    room = max(9, (width - 32) // 3)
    a, b = ("-" if value is None else sight.cut(_value(value), room) for value in (one["a"], one["b"]))
    name = "(dataset)" if one["field"] is None else sight.cut(one["field"], room)
    return name, one["constraint"], a, b, one["change"]
