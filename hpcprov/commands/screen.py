"""What a terminal can take: its width and its colours; with the wording of values (`record.wording`) beside them.

Screen(colour=True, width=80).paint("failed", "red")  ->  "\\x1b[31mfailed\\x1b[0m"
"""

from __future__ import annotations

import os
import sys

from hpcprov.record.text import printable
from hpcprov.record.wording import count as count
from hpcprov.record.wording import duration as duration
from hpcprov.record.wording import extents as extents
from hpcprov.record.wording import size as size
from hpcprov.record.wording import when as when
from hpcprov.record.wording import words as words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence, Set

COLOURS = {"red": "31", "green": "32", "yellow": "33", "blue": "34", "bold": "1", "dim": "2"}
STATUS_COLOURS = {
    "completed": "green",
    "running": "blue",
    "incomplete": "yellow",
    "cancelled": "yellow",
    "preempted": "yellow",
    "no record": "yellow",
    "node lost": "red",
    "timed out": "red",
}
#: status of a diff: what is said of it, and its colour
DIFFERENCES = {
    "same": ("equal", "green"),
    "within": ("equal within the tolerance", "yellow"),
    "unproven": ("equal in what could be compared", "yellow"),
    "different": ("different", "red"),
}
WIDTH_WITHOUT_TERMINAL = 120


class Screen:
    """Where text goes: with `colour` or not, `width` characters wide."""

    def __init__(self, *, colour: bool, width: int) -> None:
        self.colour, self.width = colour, width

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.colour else text

    def status(self, word: str) -> str:
        return self.paint(printable(word), STATUS_COLOURS.get(word, "red"))

    def difference(self, status: str) -> str:
        """What is said of two datasets that were compared."""
        return self.paint(*DIFFERENCES[status])


def screen(environ: Mapping[str, str]) -> Screen:
    """Standard output: colours only on a terminal, and not with NO_COLOR (https://no-color.org)."""
    terminal = sys.stdout.isatty()
    colour = terminal and not environ.get("NO_COLOR") and environ.get("TERM") != "dumb"
    return Screen(colour=colour, width=_width(environ, terminal))


def _width(environ: Mapping[str, str], terminal: bool) -> int:
    columns = environ.get("COLUMNS", "")
    if columns.isascii() and columns.isdigit() and int(columns) > 0:
        return max(40, int(columns))
    try:
        return max(40, os.get_terminal_size(sys.stdout.fileno()).columns) if terminal else WIDTH_WITHOUT_TERMINAL
    except (OSError, ValueError):
        return WIDTH_WITHOUT_TERMINAL


def cut(text: str, width: int) -> str:
    """Untrusted text on at most `width` characters, made safe."""
    shown = printable(text)
    return shown if len(shown) <= width else f"{shown[: max(0, width - 1)]}…"


def columns(rows: Sequence[Sequence[str]], screen: Screen, *, text: Set[int]) -> Iterator[str]:
    """Lines of cells below their heads, the first of the rows: columns of `text` to the left, numbers to the right, and
    none of those that are empty in all other rows."""
    widths = [max(map(len, cells)) if any(cells[1:]) else 0 for cells in zip(*rows, strict=True)]
    for number, row in enumerate(rows):
        cells = [
            cell.ljust(width) if at in text else cell.rjust(width)
            for at, (cell, width) in enumerate(zip(row, widths, strict=True))
            if width
        ]
        line = "  ".join(cells).rstrip()
        yield screen.paint(line, "bold") if number == 0 else line


def more(number: int, most: int, noun: str) -> Iterator[str]:
    """What is to be said of so many where `most` are shown."""
    if number > most:
        yield f"and {count(number - most, 'more ' + noun)} (--json has all)"
