"""Is what the child answers a report of two tables? It reads untrusted files, and says anything when it was taken over.

is_sound({"kind": "table", "status": "same", ...})  ->  True

Only the standard library is imported: the command that asks needs no numpy.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("same", "within", "different")
FIELD_STATUSES = (*STATUSES, "incomparable", "missing", "new")
WAYS = ("number", "content", "key")
COUNTS = ("same", "changed", "deleted", "inserted", "moved")
SIGNS = "=~-+<>"


def is_sound(table: Any) -> bool:
    """Whether a report has its form, down to the last cell that a page prints."""
    return (
        type(table) is dict
        and table.get("kind") == "table"
        and table.get("status") in STATUSES
        and table.get("by") in WAYS
        and type(table.get("reordered")) is bool
        and all(_are_counts(table.get(name), 2) for name in ("rows", "copies"))
        and type(table.get("counts")) is dict
        and all(_is_count(table["counts"].get(name)) for name in COUNTS)
        and _is_key(table.get("key"))
        and type(table.get("fields")) is list
        and all(map(_is_field, table["fields"]))
        and all(_are_places(table.get(name), 2) for name in ("deleted", "inserted"))
        and _are_places(table.get("moved"), 3)
        and _is_context(table.get("context"))
    )


def _is_field(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and one.get("status") in FIELD_STATUSES
        and all(type(one.get(name)) in (str, type(None)) for name in ("other_path", "reason"))
        and all(one.get(name) is None or _is_count(one[name]) for name in ("count", "differing", "outside"))
        and all(type(one.get(name)) in (int, float, str, type(None)) for name in ("max_abs", "max_rel"))
        and all(one.get(name) is None or _are_counts(one[name], 2) for name in ("where", "first"))
        and type(one.get("types")) is list
        and len(one["types"]) == 2
        and all(type(name) in (str, type(None)) for name in one["types"])
        and type(one.get("without")) is dict
        and all(word in ("missing", "nan", "empty") and _are_counts(at, 2) for word, at in one["without"].items())
        and type(one.get("shift")) in (int, type(None))
    )


def _is_key(value: Any) -> bool:
    return value is None or (
        type(value) is dict
        and type(value.get("columns")) is list
        and all(type(name) is str for name in value["columns"])
        and type(value.get("repeated")) is list
        and len(value["repeated"]) == 2
        and all(_are_counts(side, 2) for side in value["repeated"])
    )


def _is_context(value: Any) -> bool:
    return (
        type(value) is dict
        and type(value.get("columns")) is list
        and all(type(name) is str for name in value["columns"])
        and _is_count(value.get("more"))
        and type(value.get("hunks")) is list
        and all(
            type(hunk) is list and all(_is_row(row, len(value["columns"])) for row in hunk) for hunk in value["hunks"]
        )
    )


def _is_row(row: Any, columns: int) -> bool:
    return (
        type(row) is dict
        and type(row.get("sign")) is str
        and len(row["sign"]) == 1
        and row["sign"] in SIGNS
        and all(row.get(side) is None or _is_count(row[side]) for side in ("one", "other"))
        and type(row.get("cells")) is list
        and len(row["cells"]) == columns
        and all(
            type(cell) is list
            and len(cell) in (1, 2)
            and all(type(value) in (str, int, float, bool, type(None)) for value in cell)
            for cell in row["cells"]
        )
    )


def _are_places(value: Any, length: int) -> bool:
    return type(value) is list and all(_are_counts(one, length) for one in value)


def _are_counts(value: Any, length: int) -> bool:
    return type(value) is list and len(value) == length and all(map(_is_count, value))


def _is_count(value: Any) -> bool:
    return type(value) is int and value >= 0
