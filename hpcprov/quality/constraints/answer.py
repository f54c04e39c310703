"""The form of what the child answers that reads untrusted files: a child that was taken over says anything.

is_verdict({"passes": 3, "failures": 0, "fields": [...], "ignored": []})  ->  True
"""

from __future__ import annotations

from hpcprov.quality.constraints.kinds import KINDS
from hpcprov.record import verdicts

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STATUSES = ("OK", *verdicts.STATUSES)
NOTHING = type(None)


def is_verdict(found: Any) -> bool:
    """Whether it is what `verify.verify` gives."""
    return (
        type(found) is dict
        and all(type(found.get(name)) is int for name in ("passes", "failures"))
        and type(found.get("fields")) is list
        and all(verdicts.is_field(field, STATUSES, _is_result) for field in found["fields"])
        and type(found.get("ignored")) is list
        and all(_is_texts(pair) and len(pair) == 2 for pair in found["ignored"])
        and type(found.get("unread")) is list
        and all(_is_texts(pair) and len(pair) == 2 for pair in found["unread"])
        and type(found.get("detected")) in (int, NOTHING)
        and type(found.get("removed")) in (bool, NOTHING)
    )


def is_discovery(found: Any) -> bool:
    """Whether it is what `child.discover_file` gives."""
    return (
        type(found) is dict
        and type(found.get("fields")) is dict
        and all(type(one) is dict and set(one) <= set(KINDS) for one in found["fields"].values())
        and type(found.get("excluded")) is list
        and all(map(_is_excluded, found["excluded"]))
        and _is_texts(found.get("notes"))
        and type(found.get("rows")) in (int, NOTHING)
        and found.get("kind") in ("table", "tree")
    )


def _is_result(one: Any) -> bool:
    return (
        type(one) is dict
        and one.get("constraint") in KINDS
        and type(one.get("ok")) is bool
        and "value" in one
        and "found" in one
        and type(one.get("count")) in (int, NOTHING)
        and type(one.get("reason")) in (str, NOTHING)
        and _are_places(one.get("places"))
    )


def _is_excluded(one: Any) -> bool:
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and type(one.get("count")) is int
        and type(one.get("kept")) is list
        and len(one["kept"]) == 2
        and _are_places(one.get("places"))
    )


def _are_places(places: Any) -> bool:
    return type(places) is list and all(
        type(one) is dict
        and type(one.get("index")) is list
        and all(type(number) is int for number in one["index"])
        and "value" in one
        for one in places
    )


def _is_texts(value: Any) -> bool:
    return type(value) is list and all(type(one) is str for one in value)
