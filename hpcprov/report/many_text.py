"""The report of many runs without a page: a table as text, or as Markdown.

render(summaries, title="Runs since 2026-11-01", form="text")  ->  "hpcprov report: Runs since 2026-11-01 (5 runs)\\n…"
"""

from __future__ import annotations

from hpcprov.record.text import printable
from hpcprov.record.wording import count, words
from hpcprov.report.assets import utc
from hpcprov.report.line import brief
from hpcprov.report.markdown import MARK, code, plain
from hpcprov.report.told import number, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

HEADS = ("Run", "Name", "Status", "Start (UTC)", "Took", "Ranks", "Command")
WIDEST = (44, 24, 13, 19, 12, 7, 80)
LONGEST, LONGEST_NAME = 400, 80


def render(summaries: Sequence[dict[str, Any]], *, title: str, form: str) -> str:
    """A line for each run, in the order given; `summaries` as `RunRow.summary`. Ends in a line feed."""
    rows = [_cells(one) for one in summaries]
    if form == "md":
        lines = [MARK, "", f"## {plain(title)}", "", _row(HEADS), _row(["---"] * len(HEADS))]
        lines += [_row([code(row[0]), *map(plain, row[1:6]), code(row[6])]) for row in rows]
        return "\n".join(lines) + "\n"
    cells = [tuple(brief(cell, most) for cell, most in zip(row, WIDEST, strict=True)) for row in (HEADS, *rows)]
    widths = [max(len(row[k]) for row in cells) for k in range(len(HEADS))]
    table = ["  ".join(f"{cell:<{width}}" for cell, width in zip(row, widths, strict=True)).rstrip() for row in cells]
    return "\n".join([f"hpcprov report: {printable(title)} ({count(len(rows), 'run')})", "", *table]) + "\n"


def _cells(told: dict[str, Any]) -> tuple[str, ...]:
    seconds = number(told["duration_s"])
    return (
        str(told["id"]),
        brief(str(told["name"] or ""), LONGEST_NAME),
        brief(str(told["status"]), LONGEST_NAME),
        utc(told["start"]).removesuffix(" UTC") if told["start"] else "",
        took(seconds) if seconds is not None else "",
        str(told["ranks"]) if told["kind"] == "command" else "",
        words(told["argv"])[:LONGEST] if told["argv"] else f"({told['kind']})",
    )


def _row(cells: Sequence[str]) -> str:
    return f"| {' | '.join(cells)} |"
