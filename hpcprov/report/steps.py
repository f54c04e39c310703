"""The steps that a Python program told of itself, with the steps within them (docs/python.md).

steps(record)["rows"][0]  ->  {"depth": 0, "name": "calibrate", "status": {...}, "took": "1.2 s", "count": 1, …}
"""

from __future__ import annotations

from hpcprov.record.inside import items, objects, part
from hpcprov.report.summary import status
from hpcprov.report.told import number, took, word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

MOST = 500
DEEPEST = 8
NAMED = {"unfinished": "incomplete"}


def steps(record: Record) -> dict[str, Any] | None:
    """`rows`, parents before their children, and how many `more`; None where none were told."""
    told = objects(record, "steps")
    if not told:
        return None
    depths: dict[str, int] = {}
    rows = []
    for one in told[:MOST]:
        depth = min(DEEPEST, depths.get(word(one, "parent"), -1) + 1)
        depths[word(one, "id")] = depth
        rows.append(row(one, depth))
    return {"rows": rows, "more": max(0, len(told) - MOST)}


def row(one: dict[str, Any], depth: int) -> dict[str, Any]:
    named = word(one, "status") or "incomplete"
    seconds, count = number(one.get("duration_s")), number(one.get("count"))
    parameters = ", ".join(f"{name}={value!r}" for name, value in list(part(one, "parameters").items())[:40])
    return {
        "depth": depth,
        "name": word(one, "name") or word(one, "function"),
        "status": status(NAMED.get(named, named)),
        "took": took(seconds) if seconds is not None else "",
        "count": f"{count:,.0f}" if count is not None else "",
        "error": _error(one),
        "parameters": parameters,
        "generated": ", ".join(str(path) for path in items(one, "generated")[:10]),
    }


def _error(one: dict[str, Any]) -> str:
    error = one.get("error")
    return ": ".join(str(text) for text in error.values()) if type(error) is dict else word(one, "error")
