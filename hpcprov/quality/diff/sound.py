"""Is what the child answers a report of a diff? It reads untrusted files, and says anything when it was taken over.

is_sound({"status": "same", "fields": [], ...})  ->  True

Only the standard library is imported: the command that asks needs no numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("same", "within", "different", "missing", "new", "renamed")
NUMBERS = ("count", "differing", "outside", "bits", "read")
PLACED = ("first", "largest", "relative", "ulps")
SIDES = ("appeared", "vanished")
COUNTS = {"nan": SIDES, "infinite": SIDES, "missing": (*SIDES, "both")}
TEXTS = ("reason", "how")
#: Cells of a map along one axis, and characters of one.
MOST_CELLS, MOST_TEXT = 512, 1 << 20


def is_sound(report: Any) -> bool:
    """Whether a report has its form, down to the last number that a page prints."""
    return (
        type(report) is dict
        and report.get("status") in (*STATUSES[:3], "unproven")
        and all(_is_pair(report.get(name), (str, type(None))) for name in ("paths", "format", "known", "kind"))
        and _is_bytes(report.get("bytes"))
        and _is_preserved(report.get("preserved"))
        and _is_table(report.get("table"))
        and type(report.get("fields")) is list
        and all(map(is_field, report["fields"]))
        and type(report.get("unread")) is list
        and all(map(_is_unread, report["unread"]))
        and type(report.get("structure")) is list
        and all(map(_is_fact, report["structure"]))
    )


def _is_unread(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("field")) is str
        and all(_is_pair(one.get(name), (str, type(None))) for name in ("type", "reason"))
    )


def is_field(one: Any) -> bool:
    """Whether the facts about a field have their form."""
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and type(one.get("other_path")) is str
        and one.get("status") in STATUSES
        and all(type(one.get(name)) in (str, type(None)) for name in TEXTS)
        and all(_is_count(one.get(name)) for name in NUMBERS)
        and _is_pair(one.get("type"), (str, type(None)))
        and _is_pair(one.get("shape"), (list, type(None)))
        and all(_is_numbers(shape) for shape in one["shape"])
        and all(_is_placed(one.get(name)) for name in PLACED)
        and all(_has_counts(one.get(name), keys) for name, keys in COUNTS.items())
        and all(_is_numbers(one.get(name)) for name in ("tiles", "common"))
        and _is_shift(one.get("shift"))
        and _is_picture(one.get("picture"))
        and (one.get("dimensions") is None or _is_names(one["dimensions"]))
        and _agrees(one)
    )


def _agrees(one: Any) -> bool:
    """Whether the parts of a field fit together: as many axes everywhere, and counts where there are differences."""
    shapes, rank = one["shape"], len(one["shape"][0] or ())
    common, shift, drawn = one["common"], one["shift"], one["picture"]
    return (
        (one["differing"] in (None, 0) or (one["count"] is not None and one["outside"] is not None))
        and (common is None or all(shape is not None and len(shape) == len(common) for shape in shapes))
        and (one["dimensions"] is None or len(one["dimensions"]) == rank)
        and (shift is None or 0 <= shift["axis"] < rank)
        and (drawn is None or all(0 <= axis < rank for axis in drawn["axes"]))
        and (one["tiles"] is None or len(one["tiles"]) == 2)
    )


def _is_names(value: Any) -> bool:
    return type(value) is list and all(type(name) is str for name in value)


def _is_shift(value: Any) -> bool:
    return value is None or (
        type(value) is dict
        and value.get("kind") in ("shifted", "rolled", "inserted", "removed", "moved")
        and all(type(value.get(name)) is int for name in ("axis", "by", "compared", "differing", "outside"))
        and type(value.get("runs")) is list
        and all(_is_numbers(run) and run is not None and len(run) == 3 for run in value["runs"])
    )


def _is_picture(value: Any) -> bool:
    """Whether a picture has its form; its maps are unpacked, and checked, where they are drawn."""
    return value is None or (
        type(value) is dict
        and all(_is_numbers(value.get(name)) and value[name] is not None for name in ("axes", "bars", "leading"))
        and all(_is_numbers(value.get(name)) and len(value[name] or ()) == 2 for name in ("extents", "cells"))
        and all(0 < cells <= MOST_CELLS for cells in value["cells"])
        and type(value.get("levels")) is list
        and all(type(bound) is float for bound in value["levels"])
        and type(value.get("maps")) is list
        and all(map(_is_map, value["maps"]))
    )


def _is_map(value: Any) -> bool:
    return (
        type(value) is dict
        and _is_numbers(value.get("at"))
        and _is_count(value.get("differing"))
        and type(value.get("cells")) is str
        and len(value["cells"]) <= MOST_TEXT
    )


def _is_fact(one: Any) -> bool:
    """Whether a difference of attributes, types or storage has its form."""
    return (
        type(one) is dict
        and type(one.get("field")) is str
        and one.get("what") in ("type", "attribute", "storage")
        and type(one.get("name")) in (str, type(None))
    )


def _is_table(value: Any) -> bool:
    if value is None:
        return True
    from hpcprov.quality.tables.form import is_sound as is_table

    return bool(is_table(value))


def _is_preserved(value: Any) -> bool:
    return value is None or (
        type(value) is dict
        and type(value.get("path")) in (str, type(None))
        and type(value.get("removed")) in (bool, type(None))
        and all(type(value.get(name)) is list for name in ("fields", "left_out"))
        and all(type(name) is str for name in value["fields"])
        and all(_is_pair(pair, (str,)) for pair in value["left_out"])
    )


def _is_bytes(value: Any) -> bool:
    return value is None or (
        type(value) is dict and _is_pair(value.get("sizes"), (int,)) and _is_count(value.get("first"))
    )


def _is_pair(value: Any, kinds: tuple[type, ...]) -> bool:
    return type(value) is list and len(value) == 2 and all(type(one) in kinds for one in value)


def _is_count(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


def _is_numbers(value: Any) -> bool:
    return value is None or (type(value) is list and all(type(one) is int for one in value))


def _is_placed(value: Any) -> bool:
    return value is None or (
        type(value) is dict
        and type(value.get("at")) is list
        and _is_numbers(value["at"])
        and type(value.get("values")) is list
        and len(value["values"]) == 2
        and type(value.get("value")) in (int, float, str, type(None))
    )


def _has_counts(value: Any, keys: tuple[str, ...]) -> bool:
    return value is None or (type(value) is dict and all(_is_count(value.get(key)) for key in keys))
