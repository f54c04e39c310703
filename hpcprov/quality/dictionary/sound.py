"""Whether what the reading child says of a dataset has the form that it should have. Standard library only.

is_glance({"layout": {...}, "attributes": {...}, "size": 8310, ...})  ->  True
"""

from __future__ import annotations

from hpcprov.record.statistics import is_statistics

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

NUMBERS = (int, type(None))


def is_glance(found: Any) -> bool:
    """As `layout.glance` gives it."""
    return (
        type(found) is dict
        and is_layout(found.get("layout"))
        and is_attributes(found.get("attributes"))
        and all(type(found.get(name)) in NUMBERS for name in ("size", "files", "mtime"))
        and type(found.get("known")) in (dict, type(None))
    )


def is_layout(layout: Any) -> bool:
    return (
        type(layout) is dict
        and type(layout.get("format")) is str
        and layout.get("kind") in ("tree", "table")
        and type(layout.get("fields")) is list
        and all(map(_is_field, layout["fields"]))
    )


def _is_field(field: Any) -> bool:
    return (
        type(field) is dict
        and type(field.get("path")) is str
        and type(field.get("type")) is str
        and all(_is_list(field.get(name), int) for name in ("shape", "chunks", "shards"))
        and _is_list(field.get("dimensions"), str)
        and all(type(field.get(name)) in (str, type(None)) for name in ("codec", "not_read"))
    )


def is_counted(found: Any) -> bool:
    """As `reading.counted` gives it."""
    return type(found) is list and all(
        type(one) is dict
        and type(one.get("path")) is str
        and all(type(one.get(name)) in (str, type(None)) for name in ("signature", "not_read"))
        and (one.get("statistics") is None or is_statistics(one["statistics"]))
        for one in found
    )


def _is_list(value: Any, kind: type) -> bool:
    return value is None or (type(value) is list and all(type(item) is kind for item in value))


def is_attributes(found: Any) -> bool:
    if type(found) is not dict or type(found.get("dataset")) is not dict or type(found.get("fields")) is not dict:
        return False
    return all(type(its) is dict and all(map(_is_value, its.values())) for its in _groups(found))


def _groups(found: dict[str, Any]) -> list[Any]:
    return [found["dataset"], *found["fields"].values()]


def _is_value(value: Any) -> bool:
    return type(value) in (str, int, float, bool) or (type(value) is list and all(map(_is_value, value)))


def is_sheet(found: Any) -> bool:
    """As `sheet.read_sheet` gives it."""
    return (
        type(found) is dict
        and found.get("form") in ("xlsx", "csv", "json")
        and all(_is_list(found.get(name), str) and found.get(name) is not None for name in ("problems", "ignored"))
        and _is_row(found.get("dataset"))
        and type(found.get("rows")) is list
        and all(map(_is_row, found["rows"]))
        and type(found.get("signature")) in (str, type(None))
    )


def _is_row(row: Any) -> bool:
    return (
        type(row) is dict
        and type(row.get("at")) is str
        and type(row.get("name")) in (str, type(None))
        and type(row.get("mark")) in (str, type(None))
        and type(row.get("cells")) is dict
        and all(type(text) is str for text in row["cells"].values())
    )
