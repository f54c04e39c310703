"""A data dictionary on a terminal: the dataset, a table of what its fields are, one of their values, then words.

    flood.nc  hdf5, 3 fields, 42.1 kB
      path       /scratch/ada/flood.nc (on node7)

    FIELD    TYPE  SHAPE         UNITS  WHAT IT IS
    depth    f4    4 x 50 x 50   m      depth of the flood

    FIELD    MIN  MAX   MEAN     MISSING  ZEROS  NEGATIVE  DISTINCT
    depth    0    3.21  0.41     12       880    0         1204

Where it is too narrow for tables each field has lines of its own.
"""

from __future__ import annotations

import textwrap

from hpcprov.commands.screen import count, cut, extents, size
from hpcprov.quality.dictionary.cells import cell, facts_of_run, word
from hpcprov.quality.dictionary.columns import KEYS
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator
    from typing import Any, TypeAlias

    from hpcprov.commands.screen import Screen

    Facts: TypeAlias = dict[str, Any]

GAP = "  "
NARROW = 60
LABEL = 15
#: A definition that says no more than the run does.
DERIVED = "derived"
#: Columns grow no wider than that, but for the last.
WIDEST_NAME, WIDEST = 28, 22
WHAT = ("long_name", "standard_name", "description", "short_name")
#: What is told of a field in words, below the tables.
WORDS = (
    *("short_name", "long_name", "standard_name", "description", "tags", "cell_methods", "packing", "period"),
    *("not_read", "values", "definition", "context", "step", "chunks", "shards", "codec"),
)
LONGEST = 600  # characters of one of them
#: What is left out first where there is no room; every other form of the dictionary has it.
LEAST = ("STD", "DUPLICATES", "INFINITE", "MEAN", "NEGATIVE", "ZEROS")
COUNTS = ("missing", "zeros", "positive", "negative", "infinite", "distinct", "duplicates")


def lines(dictionary: Facts, screen: Screen) -> Iterator[str]:
    """All of it."""
    fields = dictionary["fields"]
    yield from _dataset(dictionary, screen)
    if screen.width < NARROW:
        for field in fields:
            yield from ("", *_stanza(field, screen, [key for key in field if key in KEYS[1:]]))
        return
    first = [_heads(WHAT_COLUMNS), *(_what(field) for field in fields)]
    yield from ("", *_table(first, screen, last=True))
    room = screen.width - sum(len(GAP) + width for width in _widths(first)[:-1])
    read = [field for field in fields if not field["not_read"]]
    if dictionary["dataset"]["statistics"] is not None and read:
        yield from ("", *_table(_fitting(_values(read), screen.width), screen))
    for field in fields:
        keys = [key for key in WORDS if cell(key, field.get(key)) is not None and not _is_told(key, field, room)]
        keys = [key for key in keys if field["defined"] != DERIVED or key not in ("definition", "context")]
        keys = [*(key for key in ("units",) if field["annotated"].get(key)), *keys]
        if keys or field["annotated"]:
            yield from ("", *_stanza(field, screen, keys))


def _dataset(dictionary: Facts, screen: Screen) -> Iterator[str]:
    dataset = dictionary["dataset"]
    facts = [dataset["format"], _extent(dataset), count(dataset["fields"], "field")]
    facts += [size(dataset["size"])] if dataset["size"] is not None else []
    about = ", ".join(printable(str(fact)) for fact in facts if fact)
    name = cut(str(dataset["name"] or "(in memory)"), max(20, screen.width - len(GAP) - len(about)))
    yield screen.paint(name, "bold") + GAP + about
    host = f" (on {dataset['host']})" if dataset["host"] else ""
    told = {
        "description": dataset["description"],
        "tags": ", ".join(dataset["tags"]),
        "dimensions": ", ".join(f"{name} {length}" for name, length in (dataset["dimensions"] or {}).items()),
        "path": f"{dataset['path']}{host}" if dataset["path"] else None,
        "signature": dataset["signature"],
        "created": dataset["created"],
        "modified": dataset["modified"],
        "run": _run(dataset["run"]),
        "statistics": dataset["statistics"],
        "annotations": _annotations(dictionary["annotations"]),
    }
    for label, text in told.items():
        if text:
            yield from _labelled(label, str(text), screen, indent=2, whole=label == "signature")


def _extent(dataset: Facts) -> str:
    if dataset["records"] is not None:
        return count(dataset["records"], "record")
    return extents(dataset["shape"]) if dataset["shape"] else ""


def _run(run: Facts | None) -> str | None:
    return None if run is None else f"{run['how']}: {facts_of_run(run)}"


def _annotations(found: Facts) -> str | None:
    if not found["version"]:
        return None
    told = {"path": "written when this path had other values", "values": "written of the same values at another path"}
    about = told.get(found["by"])
    return f"version {found['version']}" + (f", {about}" if about else "")


def _labelled(label: str, text: str, screen: Screen, *, indent: int, whole: bool = False) -> list[str]:
    """A label and text that is wrapped beside it, but for what is to be copied from there as a `whole`."""
    shown = printable(" ".join(text[: 20 * LONGEST].split("\n")))
    room = max(20, screen.width - indent - LABEL)
    wrapped = textwrap.wrap(shown, room, break_long_words=not whole, break_on_hyphens=False) or [""]
    first = " " * indent + screen.paint(f"{label:<{LABEL}}", "dim") + wrapped[0]
    return [first, *(" " * (indent + LABEL) + line for line in wrapped[1:])]


WHAT_COLUMNS = ("field", "type", "shape", "units", "what it is")


def _heads(names: Iterable[str]) -> list[str]:
    return [name.replace("_", " ").upper() for name in names]


def _what(field: Facts) -> list[str]:
    what = next((field[key] for key in WHAT if field[key]), "")
    return [_name(field), field["type"], extents(field["shape"]), field["units"] or "", what]


def _name(field: Facts) -> str:
    return str(field["name"]) or "(the array)"


def _is_told(key: str, field: Facts, room: int) -> bool:
    """Does the first table say it already, in full?"""
    said = next((name for name in WHAT if field[name]), None)
    return key == said and len(printable(field[key])) <= room


def _values(fields: list[Facts]) -> list[list[str]]:
    """The second table: columns that are zero or unknown throughout are left out."""
    shown: dict[str, Callable[[Facts], str]] = {"min": _least, "max": _most}
    shown |= {key: _number(key) for key in ("mean", "std")}
    shown |= {key: _number(key) for key in COUNTS if key in ("missing", "zeros", "distinct") or _any(fields, key)}
    shown = {key: text for key, text in shown.items() if any(text(field) for field in fields)}
    return [_heads(["field", *shown]), *([_name(field), *(text(field) for text in shown.values())] for field in fields)]


def _fitting(rows: list[list[str]], width: int) -> list[list[str]]:
    """The same without the columns that matter least, where it is too wide."""
    for head in LEAST:
        if sum(len(GAP) + one for one in _widths(rows)) - len(GAP) <= width:
            break
        rows = [[text for at, text in enumerate(row) if rows[0][at] != head] for row in rows]
    return rows


def _any(fields: list[Facts], key: str) -> bool:
    return key in ("negative", "infinite", "duplicates") and any(field[key] for field in fields)


def _least(field: Facts) -> str:
    return short(field["min"]) or _length(field["min_length"])


def _most(field: Facts) -> str:
    return short(field["max"]) or _length(field["max_length"])


def _length(length: int | None) -> str:
    return "" if length is None else f"length {length}"


def _number(key: str) -> Callable[[Facts], str]:
    return lambda field: short(field[key])


def short(value: Any) -> str:
    """A value for people: floats with six digits."""
    if value is None:
        return ""
    if isinstance(value, bool):
        return word(value)
    if isinstance(value, float):
        return f"{value:.6g}"
    return "''" if value == "" else str(value)


def _table(rows: list[list[str]], screen: Screen, *, last: bool = False) -> Iterator[str]:
    """Columns under their heads, as wide as they need, and the screen allows; the `last` takes what is left."""
    safe = [
        [cut(text, LONGEST if last and at == len(row) - 1 else _most_wide(at)) for at, text in enumerate(row)]
        for row in rows
    ]
    widths = _widths(rows)
    for k, row in enumerate(safe):
        line = GAP.join(f"{text:<{width}}" for text, width in zip(row, widths, strict=True)).rstrip()
        line = line if len(line) <= screen.width else f"{line[: screen.width - 1]}…"
        yield screen.paint(line, "dim") if k == 0 else line


def _widths(rows: list[list[str]]) -> list[int]:
    return [max(len(cut(row[at], _most_wide(at))) for row in rows) for at in range(len(rows[0]))]


def _most_wide(at: int) -> int:
    return WIDEST_NAME if at == 0 else WIDEST


def _stanza(field: Facts, screen: Screen, keys: list[str]) -> Iterator[str]:
    """What there is to say of one field, a line each."""
    yield screen.paint(cut(_name(field), screen.width), "bold")
    for key in keys:
        value = cell(key, field[key])
        if value is not None and value != "":
            text = str(value) if isinstance(value, str) else short(value)
            text = text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
            shown = text + _beside(field, key)
            yield from _labelled(key.replace("_", " "), shown, screen, indent=2, whole=key == "signature")


def _beside(field: Facts, key: str) -> str:
    """What the file says where a person said otherwise."""
    said = field["annotated"].get(key)
    return f"  (the file says: {said})" if said else ""
