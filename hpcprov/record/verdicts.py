"""What became of an artifact that was held against files of constraints, as records have it (docs/constraints.md).

    is_verdicts([{"file": "/data/limits.json", "digest": "blake3:...", "passes": 26, "failures": 1, "reason": None,
                  "fields": [{"path": "depth", "status": "FAILED", "constraints": [
                      {"constraint": "max", "value": "10.0", "found": "11.5", "count": 3, "first": [17, 3]}]}]}])
    line(...)  ->  "1 of 27 constraints in limits.json violated: depth: max 10.0, found 11.5"

`fields` are those that violate something, at most MOST constraints of them; values are text, as JSON writes them.
"""

from __future__ import annotations

import json
import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Collection
    from typing import Any

#: Files, violated constraints of all fields together, characters of a value.
MOST_FILES, MOST, LONGEST = 100, 100, 200
STATUSES = ("FAILED", "MISSING", "NOT ALLOWED")
#: Members that are always there, None where there is nothing to say.
OF_VERDICT = {"file", "digest", "reason", "passes", "failures", "fields"}
OF_RESULT = {"constraint", "value", "found", "count", "first"}
#: A float with more digits than people read.
LONG_FLOAT = re.compile(r"-?\d{1,17}\.\d{8,20}(e[+-]?\d{1,3})?", re.ASCII)


def verdict(file: str, digest: str | None, found: dict[str, Any]) -> dict[str, Any]:
    """What a record keeps of a verdict as `quality.constraints` gives it."""
    fields, left = [], MOST
    for field in found["fields"]:
        if field["status"] != "OK" and left > 0:
            failed = [_short(one) for one in field["constraints"] if not one["ok"]][:left]
            left -= max(1, len(failed))
            fields.append({"path": field["path"], "status": field["status"], "constraints": failed})
    counts = {"passes": found["passes"], "failures": found["failures"]}
    return {"file": file, "digest": digest, "reason": None, **counts, "fields": fields}


def unchecked(file: str, digest: str | None, reason: str) -> dict[str, Any]:
    """A verdict that could not be had."""
    return {"file": file, "digest": digest, "reason": reason, "passes": 0, "failures": 0, "fields": []}


def _short(one: dict[str, Any]) -> dict[str, Any]:
    return {
        "constraint": one["constraint"], "value": _text(one["value"]), "found": _text(one["found"]),
        "count": one["count"], "first": one["places"][0]["index"] if one["places"] else None,
    }  # fmt: skip


def _text(value: Any) -> str | None:
    if value is None:
        return None
    text = value if type(value) is str else json.dumps(value)
    return text if len(text) <= LONGEST else f"{text[: LONGEST - 1]}…"


def is_verdicts(value: Any) -> bool:
    return type(value) is list and len(value) <= MOST_FILES and all(map(_is_verdict, value))


def _is_verdict(one: Any) -> bool:
    return (
        type(one) is dict
        and one.keys() >= OF_VERDICT
        and type(one["file"]) is str
        and _is_text(one.get("digest"))
        and _is_text(one.get("reason"))
        and all(_is_count(one.get(name)) for name in ("passes", "failures"))
        and type(one.get("fields")) is list
        and all(is_field(field, STATUSES, _is_result) for field in one["fields"])
    )


def is_field(one: Any, statuses: Collection[str], is_result: Callable[[Any], bool]) -> bool:
    """Whether it is what a verdict says of a field, with one of these statuses and such results of its constraints."""
    return (
        type(one) is dict
        and type(one.get("path")) is str
        and one.get("status") in statuses
        and type(one.get("constraints")) is list
        and all(map(is_result, one["constraints"]))
    )


def _is_result(one: Any) -> bool:
    return (
        type(one) is dict
        and one.keys() >= OF_RESULT
        and type(one["constraint"]) is str
        and _is_text(one.get("value"))
        and _is_text(one.get("found"))
        and (one.get("count") is None or _is_count(one["count"]))
        and (one.get("first") is None or (type(one["first"]) is list and all(map(_is_count, one["first"]))))
    )


def _is_text(value: Any) -> bool:
    return value is None or type(value) is str


def _is_count(value: Any) -> bool:
    return type(value) is int and 0 <= value < 1 << 63


def failed(artifact: dict[str, Any]) -> bool:
    """Whether an artifact violates a constraint that its run was told of."""
    return any(one["failures"] for one in artifact.get("constraints") or [])


def lines(artifact: dict[str, Any]) -> list[str]:
    """A line for each file of constraints that an artifact was held against. Untrusted text, as it came."""
    return [line(one) for one in artifact.get("constraints") or []]


def line(one: dict[str, Any]) -> str:
    """A verdict in one line: how much is kept, and the first constraint that is violated."""
    name, total = os.path.basename(one["file"]), one["passes"] + one["failures"]
    if one["reason"] is not None:
        return f"not held against {name}: {one['reason']}"
    if not one["failures"]:
        return f"all {total} constraints in {name} kept"
    told = f"{one['failures']} of {total} constraints in {name} violated"
    return f"{told}: {_first(one['fields'][0])}" if one["fields"] else told


def _first(field: dict[str, Any]) -> str:
    name = field["path"] or "(the array)"
    if not field["constraints"]:
        return f"{name} is missing" if field["status"] == "MISSING" else f"{name} is not allowed"
    one = field["constraints"][0]
    found = "" if one["found"] is None else f", found {_brief(one['found'])}"
    return f"{name}: {one['constraint']} {_brief(one['value'])}{found}"


def _brief(text: str | None) -> str | None:
    """The same, of a long float the digits that the terminal has elsewhere."""
    return f"{float(text):.9g}" if text is not None and LONG_FLOAT.fullmatch(text) else text
