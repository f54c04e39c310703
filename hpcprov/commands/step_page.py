"""The part of a run's page that tells of its steps: functions and blocks that Python programs told of.

steps      calibrate                     1.2 s
             smooth x 3                  0.4 s  width=3  ->  memory:smooth()#1b7d2a3c4e5f
             write                       12 ms  FAILED: OSError
"""

from __future__ import annotations

import json

from hpcprov.commands.screen import cut, duration
from hpcprov.record import ranges
from hpcprov.record.step import in_tree

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

    Step = dict[str, Any]

MOST, DEEPEST = 16, 6  # lines; indents
NAME = 40  # characters


def steps(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    """The first steps, those within others below them."""
    found: list[Step] = record.get("steps") or []
    shown = in_tree(found, MOST)
    width = max((len(head(step, depth)) for step, depth in shown), default=0)
    for step, depth in shown:
        yield "steps", f"{head(step, depth):<{width}}  {duration(step['duration_s']):>7}{rest(step, screen)}".rstrip()
    if len(found) > len(shown):
        calls = sum(step["count"] for step in found)
        yield "steps", f"... and {len(found) - len(shown):,} more; {calls:,} calls in all: --json has them"


def head(step: Step, depth: int) -> str:
    times = f" x {step['count']:,}" if step["count"] != 1 else ""
    return "  " * min(depth, DEEPEST) + cut(step["name"], NAME) + times


def rest(step: Step, screen: Screen) -> str:
    """How it ended where that was not well, its parameters, and what it made."""
    parts = []
    if step["status"] != "completed":
        word = f"{step['status'].upper()}: {step['error']}" if step["error"] else step["status"]
        many = f" ({step['failed']:,} of {step['count']:,})" if 0 < step["failed"] < step["count"] else ""
        parts.append(screen.paint(cut(word, 60), "red") + many)
    if ranges.count(step["ranks"]) > 1:
        parts.append(cut(f"ranks {ranges.text(step['ranks'])}", 30))
    parameters = ", ".join(f"{name}={shown(value)}" for name, value in step["parameters"].items())
    parts += [cut(parameters, screen.width // 3)] if parameters else []
    if step["generated"]:
        more = f" and {len(step['generated']) - 1:,} more" if len(step["generated"]) > 1 else ""
        parts.append(f"->  {cut(step['generated'][0].rpartition('/')[2], screen.width // 3)}{more}")
    return "".join(f"  {part}" for part in parts)


def shown(value: Any) -> str:
    if type(value) is dict and value.keys() == {"type"}:
        return str(value["type"]).rpartition(".")[2]
    return json.dumps(value, ensure_ascii=False)
