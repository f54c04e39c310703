"""What `diff` found, as text: a table with a line for each field that differs, and below it where and by how much.

field     differ           of  first       largest  relative      ULPs
t2m            3    1,000,000  [0, 17, 3]  0.5      1.78e-03    16,384
"""

from __future__ import annotations

import os

from hpcprov.commands import screen as sight
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    Facts = dict[str, Any]

#: Lines of each kind: --json has all.
MOST_FIELDS, MOST_BESIDES = 40, 30
NAME, PLACE, VALUE = 24, 16, 34
#: How the signature of a side was had.
KNOWN = {"cached": "signature known", "full": "signed now"}
HEADS = ("field", "differ", "of", "first at", "largest", "relative", "ULPs")


def render(found: Facts) -> Iterator[str]:
    """The page of a diff, without a byte in it that a terminal would obey."""
    for letter, path, form, known in zip("AB", found["paths"], found["format"], found["known"], strict=True):
        how = f"  ({KNOWN.get(known, known)})" if known else ""
        yield f"{letter}  {printable(path)}  {printable(str(form))}{how}"
    yield from body(found)


def body(found: Facts) -> Iterator[str]:
    """The page without its heading."""
    screen = sight.screen(os.environ)
    if found["bytes"] is not None:
        yield from _bytes(found)
        return
    if found["table"] is not None:
        from hpcprov.commands import diff_tables

        told = found["table"] | {"status": found["status"]}
        yield from diff_tables.lines(told, names=("A", "B"), screen=screen)
    else:
        yield from _arrays(found, screen)
    if found["unread"]:
        yield ""
        yield from list(unread(found))[:MOST_BESIDES]
        yield from sight.more(len(found["unread"]), MOST_BESIDES, "field")
    yield from _preserved(found)
    if found["structure"]:
        yield ""
        yield "besides the values:"
        yield from (f"  {line}" for line in list(besides(found))[:MOST_BESIDES])
        yield from sight.more(len(found["structure"]), MOST_BESIDES, "difference")


def _arrays(found: Facts, screen: sight.Screen) -> Iterator[str]:
    """The summary, the table of fields that differ, and what is to be said of each."""
    yield _summary(found, screen)
    fields = found["fields"]
    differing = [field for field in fields if field["differing"]]
    if differing:
        yield ""
        yield from sight.columns([HEADS, *map(_row, differing[:MOST_FIELDS])], screen, text={0, 3})
        yield from sight.more(len(differing), MOST_FIELDS, "field")
        yield ""
        for field in differing[:MOST_FIELDS]:
            yield from _closer(field, screen)
    others = [field for field in fields if not field["differing"] and (field["reason"] or field["common"])]
    others += [field for field in fields if not field["differing"] and field["status"] == "same" and field["bits"]]
    if others:
        yield ""
        width = min(NAME, max(len(_name(field)) for field in others[:MOST_FIELDS]))
        yield from (_other(field, screen, width) for field in others[:MOST_FIELDS])
        yield from sight.more(len(others), MOST_FIELDS, "field")


def _preserved(found: Facts) -> Iterator[str]:
    """What was written of the differences."""
    kept = found["preserved"]
    if kept is not None and kept["path"] is None:
        yield "nothing was written: no value differs"
        if kept.get("removed"):
            yield "removed: what an earlier diff had written there"
    elif kept is not None:
        fields = sight.count(len(kept["fields"]), "field")
        yield f"written: {printable(kept['path'])}: both versions of {fields}, and their differences"
        yield from (f"  not {printable(name)}: {printable(reason)}" for name, reason in kept["left_out"])


def _bytes(found: Facts) -> Iterator[str]:
    if found["status"] == "same":
        yield "the same bytes (neither has fields)"
    else:
        sizes = found["bytes"]["sizes"]
        size = "" if sizes[0] == sizes[1] else f"; {sizes[0]:,} and {sizes[1]:,} bytes long"
        yield f"other bytes, the first at {found['bytes']['first'] or 0:,}{size} (neither has fields)"


def _summary(found: Facts, screen: sight.Screen) -> str:
    counts: dict[str, int] = {}
    for field in found["fields"]:
        counts[field["status"]] = counts.get(field["status"], 0) + 1
    words = {"within": "within the tolerance", "missing": "only in A", "new": "only in B"}
    order = ("same", "within", "different", "renamed", "missing", "new")
    told = ", ".join(f"{counts[name]} {words.get(name, name)}" for name in order if name in counts)
    skipped = sum(field["how"] == "signature" for field in found["fields"])
    known = f"; {skipped} not read: equal signatures" if skipped else ""
    return (
        f"{screen.difference(found['status'])}: {sight.count(len(found['fields']), 'field')}: {told or 'none'}{known}"
    )


def unread(found: Facts) -> Iterator[str]:
    """What was not compared since it cannot be read, a line each."""
    for one in found["unread"]:
        alone = [side for side, kind in zip("BA", one["type"], strict=True) if kind is None]
        reasons = dict.fromkeys(reason for reason in one["reason"] if reason)
        why = f"only in {alone[0]}" if alone else printable("; ".join(reasons))
        yield f"not compared: {printable(one['field'])}: {why}"


def _row(field: Facts) -> tuple[str, ...]:
    first, largest, relative, ulps = (field[name] for name in ("first", "largest", "relative", "ulps"))
    return (
        sight.cut(field["path"] or "(the array)", NAME),
        f"{field['differing']:,}",
        f"{field['count']:,}",
        sight.cut(place(first["at"]), PLACE) if first else "",
        number(largest["value"]) if largest else "",
        number(relative["value"]) if relative else "",
        number(ulps["value"]) if ulps and ulps["value"] else "",
    )


def _closer(field: Facts, screen: sight.Screen) -> Iterator[str]:
    """Where a field differs, and what stands there."""
    name = _name(field)
    shape = sight.extents(field["shape"][0])
    tiles = field["tiles"]
    only = f"; in {tiles[0]:,} of {tiles[1]:,} tiles, only these were read" if tiles else ""
    yield f"{screen.paint(name, 'bold')}  {printable(str(field['type'][0]))}  {shape}{only}"
    yield from (f"  {note}" for note in _notes(field))
    if field["outside"] != field["differing"]:
        yield f"  {field['outside']:,} outside the tolerance, {field['differing'] - field['outside']:,} within it"
    places = []
    for label, key in (("first", "first"), ("largest", "largest"), ("relative", "relative")):
        if field[key] and field[key]["at"] not in places:
            places.append(field[key]["at"])
            yield f"  {label:<9}{place(field[key]['at'])}: {' -> '.join(map(shown, field[key]['values']))}"
    if field["reason"]:
        yield f"  {printable(field['reason'])}"


def grown(field: Facts) -> str:
    """`axis 0 grew 100 -> 120: the first 100 are equal`"""
    pairs = enumerate(zip(*field["shape"], strict=True))
    names = [_axis(at, field.get("dimensions")) for at in range(len(field["common"]))]
    axes = [f"{names[at]} {'grew' if a < b else 'shrank'} {a:,} -> {b:,}" for at, (a, b) in pairs if a != b]
    both = " x ".join(f"{extent:,}" for extent in field["common"])
    what = "are equal" if not field["differing"] else f"differ in {field['differing']:,} of {field['count']:,} values"
    return f"{', '.join(axes)}: the first {both} {what}"


def _axis(at: int, dimensions: list[str] | None) -> str:
    """`axis 0 (time)`"""
    return f"axis {at} ({printable(dimensions[at])})" if dimensions and at < len(dimensions) else f"axis {at}"


def moved(shift: Facts, dimensions: list[str] | None = None) -> str:
    """`shifted by +3 along axis 1: apart from that 0 of 1,000 values differ`"""
    by, runs, axis = shift["by"], shift["runs"], _axis(shift["axis"], dimensions)
    edge = next((f" at {start + length:,}" for start, there, length in runs if start == there), " at 0")
    told = {
        "shifted": f"shifted by {by:+,} along {axis}",
        "rolled": f"rolled by {by:+,} along {axis}",
        "inserted": f"{by:,} inserted along {axis}{edge}",
        "removed": f"{by:,} removed along {axis}{edge}",
        "moved": f"moved along {axis}: {_runs(runs)}",
    }[shift["kind"]]
    return f"{told}; apart from that {shift['differing']:,} of {shift['compared']:,} values differ"


def _runs(runs: list[list[int]]) -> str:
    told = [f"{start}:{start + length} -> {there}:{there + length}" for start, there, length in runs if start != there]
    return ", ".join(told[:4]) + (f" and {len(told) - 4} more" if len(told) > 4 else "")


def _name(field: Facts) -> str:
    return printable(field["path"]) or "(the array)"


def _other(field: Facts, screen: sight.Screen, width: int) -> str:
    """A field without a value that differs, and what is to be said of it."""
    words = {"missing": "only in A", "new": "only in B", "renamed": f"is called {printable(field['other_path'])} in B"}
    name = screen.paint(f"{_name(field):<{width}}", "bold")
    if field["status"] in words:
        return f"{name}  {words[field['status']]}"
    if field["common"] is not None:
        return f"{name}  {grown(field)}"
    if field["bits"] and not field["reason"]:
        return f"{name}  {field['bits']:,} equal in value, not in their bits (-0.0, or another NaN)"
    return f"{name}  {printable(str(field['reason']))}"


def besides(found: Facts) -> Iterator[str]:
    """What differs besides the values, a line each."""
    return map(_besides, found["structure"])


def notes(found: Facts) -> dict[str, list[str]]:
    """What is to be said of fields beside their numbers, by their paths."""
    return {field["path"]: list(_notes(field)) for field in found["fields"] if field["differing"]}


def _notes(field: Facts) -> Iterator[str]:
    if field["common"] is not None:
        yield grown(field)
    if field["shift"] is not None:
        yield moved(field["shift"], field["dimensions"])
    for kind, label in (("nan", "NaN"), ("infinite", "infinite"), ("missing", "missing")):
        counts = field[kind]
        if counts and any(counts.values()):
            both = f", {counts['both']:,} on both sides, as other values" if counts.get("both") else ""
            yield f"{label}: {counts['appeared']:,} appeared, {counts['vanished']:,} vanished{both}"


def _besides(one: Facts) -> str:
    where = printable(one["field"])
    values = f"{shown(one['one'])} -> {shown(one['other'])}"
    if one["what"] == "type":
        return f"{where or '(the array)'}: type {values}"
    if one["what"] == "attribute":
        return f"{where + '@' if where else '@'}{sight.cut(str(one['name']), NAME)}: {values}"
    return f"{where or '(the array)'}: {printable(str(one['name']))} {values}"


def place(index: list[int]) -> str:
    """`[0, 17, 3]`"""
    return f"[{', '.join(map(str, index))}]"


def number(value: Any) -> str:
    """A measure with few digits; whole numbers whole."""
    if isinstance(value, int):
        return f"{value:,}" if abs(value) < 10**9 else f"{value:.2e}"
    return f"{value:.3g}" if isinstance(value, float) else printable(str(value))


def shown(value: Any) -> str:
    """A value as it stands in the data."""
    if value is None:
        return "(none)"
    if isinstance(value, float):
        return repr(value)
    return sight.cut(value if isinstance(value, str) else str(value), VALUE)
