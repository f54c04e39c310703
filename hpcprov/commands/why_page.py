"""What `why` found, as text: a line for each cause, what is behind it indented below.

1  program solver: sha256:34f9057612ab -> 1a2b3c4d5e6f
     because solver was compiled with -O3 instead of -O2 (run 20261121T143426Z-65afd19c)
"""

from __future__ import annotations

import os

from hpcprov.catalog.causes import places
from hpcprov.commands import screen as sight
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

MOST_DIFF = 30
MOST_STEPS = 6
MOST_OUTPUTS = 20
UNEXPLAINED = (
    "nothing that was recorded explains it: think of environment variables that are not recorded, random numbers, the "
    "order in which ranks or threads add, the clock, what was not observed"
)


def render(found: dict[str, Any]) -> Iterator[str]:
    """The page of two runs, without a byte in it that a terminal would obey."""
    screen = sight.screen(os.environ)
    for which in ("first", "second"):
        yield f"{which:<8}{_head(found[which])}"
    yield from body(found, screen)
    for part in found["parts"]:
        yield ""
        title = screen.paint(f"part {printable(part['part'])}", "bold")
        yield f"{title}: {printable(part['first']['id'])}, {printable(part['second']['id'])}"
        yield from body(part, screen)


def body(found: dict[str, Any], screen: sight.Screen) -> Iterator[str]:
    """Causes, what is the same, and what came of it."""
    yield ""
    for number, cause in enumerate(found["causes"], 1):
        yield f"{number:>3}  {screen.paint(printable(cause['text']), 'bold')}"
        yield from (f"       {printable(line)}" for line in _behind(cause))
    if not found["causes"]:
        yield "nothing differs in what the runs were told to do, and with what"
    elif found["outputs"] and all(output["status"] == "same" for output in found["outputs"]):
        yield "     even so, the outputs are equal"
    if found["alike"]:
        yield f"same    {', '.join(found['alike'])}"
    if found["untold"]:
        yield f"unknown {', '.join(found['untold'])}: not recorded of both"
    if found["unknown"]:
        yield f"unknown {printable(', '.join(found['unknown'][:5]))}: not hashed, so that nobody can tell"
    yield from _outputs(found, screen)


def _head(run: dict[str, Any]) -> str:
    told = [run["id"], run["name"], sight.when(run["start"]), run["status"], run["artifact"]]
    return "  ".join(printable(str(word)) for word in told if word)


def _behind(cause: dict[str, Any]) -> Iterator[str]:
    yield from _closer(cause)
    because = cause.get("because")
    if because:
        yield f"because {because['text']}"
        if because["origin"]:
            yield from (f"  {line}" for line in _closer(because["origin"]))
        steps = because["through"][1:]  # the first is in the text
        if steps:
            more = [f"and {len(steps) - MOST_STEPS} more"] if len(steps) > MOST_STEPS else []
            yield f"  by way of {', '.join([*steps[:MOST_STEPS], *more])}"


def _closer(cause: dict[str, Any]) -> Iterator[str]:
    """Where data differ, or how code does."""
    yield from field_lines(cause.get("fields") or [])
    if cause.get("diff"):
        lines = cause["diff"]["lines"]
        yield from lines[:MOST_DIFF]
        if len(lines) > MOST_DIFF:
            yield f"... {cause['diff']['command']}"


def field_lines(fields: list[dict[str, Any]]) -> Iterator[str]:
    """Fields that differ; with values where the files could be read."""
    for field, line in zip(fields, places.lines(fields), strict=False):
        yield f"{line}{values(field.get('values'))}"
    if len(fields) > places.MOST_FIELDS:
        yield f"and {len(fields) - places.MOST_FIELDS} more fields (--json names all)"


def values(found: dict[str, Any] | None) -> str:
    """`: 1 of 512 values, the first at [64, 7], largest difference 0.5`."""
    if not found or not found["differing"]:
        return ""
    told = f": {found['differing']:,} of {found['count']:,} values, the first at {found['first']}"
    return told + ("" if found["max_abs"] is None else f", largest difference {found['max_abs']:.3g}")


def _outputs(found: dict[str, Any], screen: sight.Screen) -> Iterator[str]:
    outputs = found["outputs"]
    alike = [output for output in outputs if output["status"] == "same"]
    other = [output for output in outputs if output["status"] != "same"]
    if outputs:
        yield f"outputs {len(alike)} of {len(outputs)} are the same"
    for output in other[:MOST_OUTPUTS]:
        bytes_only = " (other bytes)" if output["status"] == "changed" and not output["fields"] else ""
        yield f"     {printable(output['name'])}: {screen.paint(output['status'], 'yellow')}{bytes_only}"
        yield from (f"       {printable(line)}" for line in field_lines(output["fields"]))
    if len(other) > MOST_OUTPUTS:
        yield f"     and {len(other) - MOST_OUTPUTS} more (--json names all)"
    if any(output["status"] == "changed" for output in other) and not found["causes"]:
        yield f"     {UNEXPLAINED}"
