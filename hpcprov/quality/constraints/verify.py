"""Data held against constraints: every field is read once, by several threads, and violations are counted and placed.

    with open_data("out.nc") as data:
        verdict = verify(data, read("c.json"), attributes=read_attributes("out.nc"), threads=4)
    verdict["failures"], verdict["fields"][0]
    ->  1, {"path": "depth", "status": "FAILED", "constraints": [{"constraint": "max", "value": 10.0, "ok": False,
            "found": 11.5, "count": 3, "places": [{"index": [17, 3], "value": 11.5}, ...], "reason": None}, ...]}

The answer is plain JSON (docs/constraints.md has it). A field that must be there and is not is `MISSING`, one that is
there and may not be `NOT ALLOWED`. One whose values cannot be read is in `unread`, and keeps no constraint.
"""

from __future__ import annotations

from typing import Any, TypeAlias

from hpcprov.data.attributes import Attributes
from hpcprov.data.interface import Dataset, Unread
from hpcprov.quality.constraints.field_check import FAILED, FieldCheck, refused, result_of
from hpcprov.quality.constraints.file import Constraint, Constraints
from hpcprov.quality.constraints.kinds import KINDS
from hpcprov.quality.constraints.units import work_off
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

MISSING, NOT_ALLOWED = "MISSING", "NOT ALLOWED"
STRICT, SLOPPY = "strict", "sloppy"


def verify(
    data: Dataset,
    constraints: Constraints,
    *,
    attributes: Attributes | None = None,
    type_checking: str = SLOPPY,
    epsilon: float = 0.0,
    threads: int = 1,
    watch: Watch | None = None,
    deadline: float | None = None,
) -> Facts:
    """The verdict; `deadline` is in seconds of `time.monotonic`. Raises what the data's readers raise, TimeUp."""
    fields = check_fields(data, constraints, attributes, type_checking=type_checking, epsilon=epsilon)
    run(fields, threads, watch or Watch(), deadline=deadline)
    return answer(data, constraints, fields)


def check_fields(
    data: Dataset,
    constraints: Constraints,
    attributes: Attributes | None = None,
    *,
    type_checking: str = SLOPPY,
    epsilon: float = 0.0,
) -> list[FieldCheck]:
    """The constrained fields that are there, in the order of the data."""
    found = (attributes or Attributes()).fields
    return [
        FieldCheck(
            field,
            constraints.fields[field.name],
            found.get(field.name, {}),
            csv=data.format == "csv",
            strict=type_checking == STRICT,
            epsilon=epsilon,
        )
        for field in data.fields
        if field.name in constraints.fields
    ]


def answer(data: Dataset, constraints: Constraints, fields: list[FieldCheck]) -> Facts:
    """The verdict, when all has been looked at. Passes and failures count constraints; required and allowed fields are
    one constraint each where the file has them, as in TDDA."""
    names = [*(field.name for field in data.fields), *(one.name for one in data.unread)]
    missing, extra = constraints.missing_of(names), constraints.extra_of(names)
    told = [one.facts() for one in fields]
    told += [_unread(one, constraints.fields[one.name]) for one in data.unread if constraints.fields.get(one.name)]
    told += [{"path": name, "status": MISSING, "constraints": []} for name in missing]
    told += [{"path": name, "status": NOT_ALLOWED, "constraints": []} for name in extra]
    results = [result["ok"] for one in told for result in one["constraints"]]
    if constraints.required is not None or missing:
        results.append(not missing)
    if constraints.allowed is not None:
        results.append(not extra)
    return {
        "passes": results.count(True), "failures": results.count(False), "fields": told,
        "ignored": [list(pair) for pair in constraints.ignored],
        "unread": [[one.name, one.reason] for one in data.unread],
    }  # fmt: skip


def _unread(one: Unread, constraints: dict[str, Constraint]) -> Facts:
    """A field whose values cannot be read: nobody knows that it keeps anything."""
    results = [result_of(kind, constraints[kind], refused(one.reason)) for kind in KINDS if kind in constraints]
    return {"path": one.name, "status": FAILED, "constraints": results}


def run(fields: list[FieldCheck], threads: int, watch: Watch, *, deadline: float | None = None) -> None:
    """Look at all fields with several threads; at texts with patterns in this one. Raises TimeUp, what readers do."""
    for one in fields:
        watch.expect(one.octets)
        one.deadline = deadline
    work_off((unit for one in fields if not one.in_main_thread for unit in one.units(watch)), threads)
    for one in fields:
        if one.in_main_thread:
            work_off(one.units(watch), 1)
        if not one.in_turn:
            one.again()
