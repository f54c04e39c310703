"""The programs that a run executed, as rows of a table: children below their parents, one level deeper.

programs(record)["rows"][0]  ->  {"depth": 0, "command": "python solve.py", "count": 4, "ranks": "0-3", "took": …}
"""

from __future__ import annotations

from hpcprov.merge.observation import RECORDED
from hpcprov.merge.status import signal_name
from hpcprov.record import moment
from hpcprov.record.wording import words
from hpcprov.report.told import ranks, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

    Row = dict[str, Any]

MOST = 400
DEEPEST = 8  # levels that are drawn as such
LONGEST = 400  # characters of a command


def programs(record: Record) -> dict[str, Any] | None:
    """`rows`, how many `more` there are, `counted` ones; None when the run was not observed."""
    observation = record.get("observation")
    if not observation:
        return None
    rows = observation["programs"]
    reasons = dict.fromkeys(reason for node in observation["nodes"] for reason in node["reasons"])
    counted = [f"{one['count']:,} × {one['path']}{_blind(one['blind'])}" for one in observation["counted"]]
    return {
        "rows": [line(row, depth) for row, depth in nested(rows)[:MOST]],
        "more": max(0, len(rows) - MOST),
        "times": sum(row["count"] for row in [*rows, *observation["counted"]]),
        "counted": counted[:MOST],
        "complete": observation["complete"],
        "reasons": list(reasons)[:20],
        "how": observation["how"],
    }


def nested(rows: list[Row]) -> list[tuple[Row, int]]:
    """Each row with its depth, parents first; a row whose parent is not known before it stands at the top."""
    below: dict[int, list[Row]] = {0: []}
    for row in rows:
        below[row["parent"] if row["parent"] in below else 0].append(row)
        below.setdefault(row["id"], [])
    waiting = [(row, 0) for row in reversed(below.pop(0))]
    found = []
    while waiting:
        row, depth = waiting.pop()
        found.append((row, depth))
        waiting += [(child, min(depth + 1, DEEPEST)) for child in reversed(below.pop(row["id"], []))]
    return found


def line(row: Row, depth: int) -> dict[str, Any]:
    command = words(row["argv"] or [row["path"]])
    return {
        "depth": depth,
        "command": command if len(command) <= LONGEST else f"{command[:LONGEST]}…",
        "path": row["path"],
        "count": row["count"],
        "ranks": ranks(row["ranks"]),
        "took": _took(row),
        "end": "; ".join(ends(row)) or "well",
        "bad": any(code != "0" for code in row["exits"]),
    }


def _took(row: Row) -> str:
    if row["began"] is None or row["ended"] is None:
        return ""
    return took(max(0, moment.ns(row["ended"]) - moment.ns(row["began"])) / moment.SECOND)


def ends(row: Row) -> list[str]:
    """How they ended where that was not well, and whether they could be looked into."""
    found = [_ending(code, times, row["count"]) for code, times in list(row["exits"].items())[:20] if code != "0"]
    told = sum(row["exits"].values())
    if told < row["count"] and not row["blind"]:
        found.append("end unknown" if not told else f"{row['count'] - told} × end unknown")
    return found + ([_blind(row["blind"]).strip(" ()")] if row["blind"] else [])


def _ending(code: str, times: int, of: int) -> str:
    signal = code[:1] == "-" and code[1:].isdigit() and len(code) < 5
    text = signal_name(int(code[1:])) if signal else f"exit {code}"
    return text if times == of else f"{times} × {text}"


def _blind(reason: str | None) -> str:
    if reason is None:
        return ""
    return " (has its own record)" if reason == RECORDED else f" (not looked into: {reason})"
