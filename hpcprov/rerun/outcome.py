"""What came of a rerun: each output of the original beside that of the rerun, field by field.

    compare(plan, again, compare_values)
    ->  [{"path": "out.h5", "status": "reproduced", "reason": "the same values", "fields": []}, ...]

`again` is the rerun's record. Equal signatures are equal values, bit for bit; of those that differ the values are read,
where both files are there, and lie within the tolerance or not. Files without values are compared by their bytes.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.record.model import Record
    from hpcprov.rerun.plan import Plan

    Artifact = dict[str, Any]
    #: The rerun's file and the original's -> how their fields differ (quality.compare), or None when that is not known.
    Values = Callable[[Artifact, Artifact], "list[dict[str, Any]] | None"]

REPRODUCED, WITHIN, DIFFERENT = "reproduced", "within tolerance", "different"
MISSING, NEW, UNKNOWN = "missing", "new", "not known"
#: What says that a rerun has not made the same.
BAD = (DIFFERENT, MISSING)


def compare(plan: Plan, again: Record, values: Values) -> list[dict[str, Any]]:
    """Every output of the original in order of its path, then what only the rerun made."""
    made = {one["path"]: one for one in again["artifacts"]["generated"] if one["path"].startswith("/")}
    found = []
    for path in sorted(plan.expected):
        found.append(_compared(plan, path, plan.expected[path], made.pop(path, None), values))
    for path, artifact in sorted(made.items()):
        status, reason = NEW, "the original did not make it"
        if not plan.record.get("observation"):
            status, reason = UNKNOWN, "the original was not observed: it may have made it, too"
        if plan.paths.inside(path) and not path.startswith(f"{plan.directory}/"):
            status, reason = NEW, "written to the original's directory: the program has that name from elsewhere"
        found.append(_entry(plan, path, status, reason) | {"size": artifact["size"]})
    return found


def _compared(plan: Plan, path: str, right: Artifact, mine: Artifact | None, values: Values) -> dict[str, Any]:
    if mine is None or mine["state"] == "missing":
        seen = (
            "the rerun did not write it" if not os.path.lexists(path) else "it is there, but was not seen to be written"
        )
        return _entry(plan, path, MISSING if not os.path.lexists(path) else UNKNOWN, seen)
    for kind, same in (("signature", "the same values"), ("storage", "the same bytes")):
        if right[kind] and mine[kind] and right[kind]["digest"] == mine[kind]["digest"]:
            return _entry(plan, path, REPRODUCED, same)
    if right["signature"] and mine["signature"]:
        return _by_fields(plan, path, right, mine, values)
    if right["storage"] and mine["storage"]:
        return _entry(plan, path, DIFFERENT, "bytes differ")
    lacking, whose = (right, "the original") if not (right["storage"] or right["signature"]) else (mine, "the rerun")
    return _entry(
        plan, path, UNKNOWN, f"not hashed by {whose}: {lacking['reason'] or lacking['unsigned'] or 'unknown'}"
    )


def _by_fields(plan: Plan, path: str, right: Artifact, mine: Artifact, values: Values) -> dict[str, Any]:
    compared = values(mine, right)
    if compared is None:
        named = list(_named(right, mine))
        return _entry(
            plan,
            path,
            DIFFERENT,
            "other values; the original cannot be read as it was, so how far apart is not known",
            named,
        )
    off = [one for one in compared if one["status"] not in ("same", "new")]
    if any(one["status"] in ("different", "missing") for one in off):
        return _entry(plan, path, DIFFERENT, "other values", off)
    new = [one for one in compared if one["status"] == "new"]
    if new:
        return _entry(plan, path, DIFFERENT, "fields that the original has not", new)
    if off:
        return _entry(plan, path, WITHIN, "other values, within the tolerance", off)
    return _entry(
        plan, path, WITHIN, "equal as numbers; signs of zeros, bits of NaN, types or the order of fields differ"
    )


def _named(right: Artifact, mine: Artifact) -> list[dict[str, Any]]:
    """The fields whose signatures differ."""
    now = {field["path"]: field["signature"] for field in mine["signature"]["fields"]}
    return [
        {"path": field["path"], "status": "different" if field["path"] in now else "missing", "reason": None}
        for field in right["signature"]["fields"]
        if now.get(field["path"]) != field["signature"]
    ]


def _entry(
    plan: Plan, path: str, status: str, reason: str, fields: list[dict[str, Any]] | None = None
) -> dict[str, Any]:
    original = plan.expected.get(path, {}).get("path")
    return {"path": _short(plan, path), "original": original, "now": path, "status": status, "reason": reason,
            "fields": fields or []}  # fmt: skip


def _short(plan: Plan, path: str) -> str:
    return os.path.relpath(path, plan.directory) if path.startswith(f"{plan.directory}/") else path


def verdict(outputs: list[dict[str, Any]], *, ended: str, before: str) -> str:
    """One word on a whole rerun; `ended` and `before` are the statuses of both runs."""
    found = {one["status"] for one in outputs}
    if ended != before or found & {*BAD, NEW}:
        return DIFFERENT
    if found & {UNKNOWN}:
        return UNKNOWN
    return WITHIN if WITHIN in found else REPRODUCED
