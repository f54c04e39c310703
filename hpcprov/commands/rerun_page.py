"""What `rerun` prints: before it starts, when it is refused, and what came of it.

reproduced  flood.h5    the same values
different   stats.csv   other values
              mean: 1 of 1 values outside the tolerance, largest difference 3.1e-09 (relative 5.8e-08) at [0]
"""

from __future__ import annotations

import os

from hpcprov.commands import screen as sight
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.rerun.plan import Plan

MOST = 20
COLOURS = {"reproduced": "green", "within tolerance": "green", "new": "yellow", "not known": "yellow"}


def started(plan: Plan, result: dict[str, Any], problems: list[str]) -> list[str]:
    """What is run, where."""
    head = f"running {plan.id} again in {plan.directory}"
    ranks = [f"  on {plan.size} ranks, by {plan.starter}"] if plan.starter else []
    told = [f"  although {one['text']}" for one in result["differences"]] + [f"  {one}" for one in problems]
    return [printable(line) for line in (head, f"  {sight.words(plan.argv)}", *ranks, *told)]


def checked(results: list[dict[str, Any]], *, refused: bool) -> list[str]:
    """What stands in the way of each, or that nothing does."""
    lines = []
    for result in results:
        if not result["differences"]:
            lines.append(f"{result['run']} can be run again: what was recorded is as it was")
            continue
        lines.append(f"{result['run']} would not be the same run:")
        lines += [f"  {one['text']}" for one in result["differences"][:MOST]]
        if len(result["differences"]) > MOST:
            lines.append(f"  and {len(result['differences']) - MOST} more (--json names all)")
    return [printable(line) for line in (*lines, *(["nothing was run; --anyway runs it all the same"] * refused))]


def ended(result: dict[str, Any]) -> list[str]:
    """Each output, then the verdict."""
    screen = sight.screen(os.environ)
    lines = [""]
    width = max((len(one["path"]) for one in result["outputs"]), default=0)
    for one in _worst_first(result["outputs"])[:MOST]:
        colour = COLOURS.get(one["status"], "red")
        word = screen.paint(f"{one['status']:<16}", colour)
        lines.append(f"{word}  {printable(one['path']):<{min(width, 40)}}  {printable(one['reason'])}")
        lines += [f"{'':<18}  {printable(line)}" for line in _fields(one["fields"])]
    if len(result["outputs"]) > MOST:
        lines.append(f"and {len(result['outputs']) - MOST} more outputs (--json names all)")
    if result["status"] != result["before"]:
        lines.append(
            f"it ended otherwise: {printable(result['status'])}, and the original {printable(result['before'])}"
        )
    lines.append(
        f"{screen.paint(_sentence(result), COLOURS.get(result['verdict'], 'red'))}  (run {printable(result['again'])})"
    )
    return lines


def _worst_first(outputs: list[dict[str, Any]]) -> list[dict[str, Any]]:
    return sorted(outputs, key=lambda one: one["status"] in ("reproduced", "within tolerance"))


def _fields(fields: list[dict[str, Any]]) -> Iterator[str]:
    for field in fields[:MOST]:
        yield f"{field['path'] or 'the array'}: {_difference(field)}"
    if len(fields) > MOST:
        yield f"and {len(fields) - MOST} more fields"


def _difference(field: dict[str, Any]) -> str:
    if field.get("differing") is None:
        return str(field["reason"] or field["status"])
    told = f"{field['differing']:,} of {field['count']:,} values differ"
    if field["outside"] and field["outside"] != field["differing"]:
        told += f", {field['outside']:,} by more than the tolerance"
    if field["max_abs"] is not None:
        relative = "" if field["max_rel"] is None else f" (relative {field['max_rel']:.3g})"
        told += f", by at most {field['max_abs']:.3g}{relative}, at {field['where']}"
    return told + (f"; {field['reason']}" if field["reason"] else "")


def _sentence(result: dict[str, Any]) -> str:
    outputs = result["outputs"]
    number = sight.count(len(outputs), "output")
    if result["verdict"] == "reproduced":
        return f"reproduced bit for bit: {number}" if outputs else "it ended as before; it has no outputs to compare"
    if result["verdict"] == "within tolerance":
        return f"reproduced within the tolerance: {number}"
    good = sum(one["status"] in ("reproduced", "within tolerance") for one in outputs)
    word = "not reproduced" if result["verdict"] == "different" else "not known whether it is reproduced"
    return f"{word}: {good} of {number} as before"


def summary(results: list[dict[str, Any]]) -> Iterator[str]:
    """One line for each of several runs."""
    yield ""
    for one in results:
        name = f"  {printable(one['name'])}" if one["name"] else ""
        yield f"{one['verdict']:<16}  {printable(one['run'])}{name}"
