"""The programs that a run executed, drawn as a tree. Pure: a record in, lines out.

    PROGRAM                                          TIMES  RANKS       TOOK  END
    bash job.sh                                          2  0-1       12.3 s
    |-- python solve.py                                  2  0-1       11.9 s  1 x exit 1
    `-- /opt/tool -x                                     2  0-1        80 ms  static: not looked into

Equal programs below equal ones are one line. Nothing in a record is trusted: it may have been changed.
"""

from __future__ import annotations

from hpcprov.commands.screen import count, cut, duration, words
from hpcprov.merge.observation import RECORDED
from hpcprov.merge.status import signal_name
from hpcprov.record import moment
from hpcprov.record import ranges as rank_ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

    Row = dict[str, Any]

MOST_LINES = 1000
MOST_COUNTED = 20
DEEPEST = 12  # levels that are drawn as such
NUMBERS = 28  # characters of the columns after the program
END = 24  # of the last column at least
NOT_YET = "not told yet: the record is not made"
NOT_OBSERVED = "the run was not observed: what it executed is not known"


def render(record: Record, screen: Screen) -> list[str]:
    """The lines of the tree."""
    observation = record.get("observation")
    if observation is None:
        return [NOT_OBSERVED]
    rows = observation["programs"]
    if not rows:
        return ["no program was seen" if "seal" in record else NOT_YET]
    width = max(24, screen.width - NUMBERS - END)
    head = f"{'PROGRAM':<{width}}{'TIMES':>6}  {'RANKS':<8}{'TOOK':>10}  END"
    lines = [screen.paint(head, "bold")]
    lines += [_line(row, before, width, screen) for row, before in drawn(rows)[:MOST_LINES]]
    if len(rows) > MOST_LINES:
        lines.append(f"... and {count(len(rows) - MOST_LINES, 'more line')}: --json has all")
    return lines + [_counted(entry, screen) for entry in observation["counted"][:MOST_COUNTED]]


def drawn(rows: list[Row]) -> list[tuple[Row, str]]:
    """Each row with what is drawn before it; a parent must come before its child, else the row stands alone."""
    below: dict[int, list[Row]] = {0: []}
    for row in rows:
        home = row["parent"] if row["parent"] in below else 0
        below[home].append(row)
        below.setdefault(row["id"], [])
    found: list[tuple[Row, str]] = []
    waiting = [(row, "", "") for row in reversed(below.pop(0))]
    while waiting:
        row, before, indent = waiting.pop()
        found.append((row, before))
        inner = below.pop(row["id"], [])
        for k, child in reversed(list(enumerate(inner))):
            last = k == len(inner) - 1
            deeper = indent + ("    " if last else "|   ") if len(indent) < 4 * DEEPEST else indent
            waiting.append((child, indent + ("`-- " if last else "|-- "), deeper))
    return found


def _line(row: Row, before: str, width: int, screen: Screen) -> str:
    what = cut(before + words(row["argv"] or [row["path"]]), width - 1)
    ranks = cut(rank_ranges.text(row["ranks"]), 8)
    line = f"{what:<{width}}{row['count']:>6}  {ranks:<8}{duration(_took(row)):>10}  "
    end = cut("; ".join(_ends(row)), max(END, screen.width - len(line)))
    bad = bool(row["exits"].keys() - {"0"})
    return line + screen.paint(end, "red" if bad else "yellow" if row["blind"] else "dim") if end else line.rstrip()


def _took(row: Row) -> float | None:
    if row["began"] is None or row["ended"] is None:
        return None
    return max(0, moment.ns(row["ended"]) - moment.ns(row["began"])) / moment.SECOND


def _ends(row: Row) -> list[str]:
    """How they ended, where that was not well, and whether they could be looked into."""
    parts = [ending(code, number, row["count"]) for code, number in row["exits"].items() if code != "0"]
    told = sum(row["exits"].values())
    if told < row["count"] and not row["blind"]:
        parts.append("end unknown" if not told else f"{row['count'] - told} x end unknown")
    return [*([", ".join(parts)] if parts else []), *([_blind(row["blind"])] if row["blind"] else [])]


def _blind(reason: str | None) -> str:
    if reason == RECORDED:
        return "own record"
    return f"blind: {reason}" if reason else ""


def ending(code: str, number: int, of: int) -> str:
    """`exit 1`, `2 x SIGKILL`."""
    signal = code[:1] == "-" and code[1:].isdigit() and len(code) < 5
    word = signal_name(int(code[1:])) if signal else f"exit {code}"
    return word if number == of else f"{number} x {word}"


def _counted(entry: dict[str, Any], screen: Screen) -> str:
    blind = _blind(entry["blind"])
    return cut(f"... and {entry['count']:,} x {entry['path']}{f' ({blind})' if blind else ''}", screen.width)
