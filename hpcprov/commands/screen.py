"""What a terminal can take: its width, colours, and values written for people.

Screen(colour=True, width=80).paint("failed", "red")  ->  "\\x1b[31mfailed\\x1b[0m"
duration(3725.4)  ->  "1 h 2 min"         size(1500000)  ->  "1.5 MB"
"""

from __future__ import annotations

import os
import sys

from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

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
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")
WIDTH_WITHOUT_TERMINAL = 120


class Screen:
    """Where text goes: with `colour` or not, `width` characters wide."""

    def __init__(self, *, colour: bool, width: int) -> None:
        self.colour, self.width = colour, width

    def paint(self, text: str, colour: str) -> str:
        return f"\x1b[{COLOURS[colour]}m{text}\x1b[0m" if self.colour else text

    def status(self, word: str) -> str:
        return self.paint(word, STATUS_COLOURS.get(word, "red"))


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


def words(argv: list[str] | None) -> str:
    """A command as a person would type it; not for a shell to read (`commands.log` writes scripts)."""
    from shlex import quote

    return " ".join(quote(word) for word in argv) if argv else "(unknown)"


def size(number: float) -> str:
    """Bytes in powers of 1000, three digits."""
    unit = 0
    while number >= 999.5 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {UNITS[unit]}"


def duration(seconds: float | None) -> str:
    """Seconds in the two units that say enough."""
    if seconds is None:
        return "?"
    if seconds < 0.9995:
        return f"{seconds * 1000:.0f} ms"
    if seconds < 59.5:
        return f"{seconds:.1f} s"
    if seconds < 3600:
        return f"{int(seconds // 60)} min {int(seconds % 60)} s"
    minutes, hours = int(seconds // 60), int(seconds // 3600)
    return f"{hours} h {minutes % 60} min" if hours < 48 else f"{hours // 24} d {hours % 24} h"


def count(number: int, noun: str) -> str:
    return f"{number:,} {noun}{'' if number == 1 else 's'}"


def when(text: str | None) -> str:
    """A record's moment in this machine's time zone, to the second."""
    if text is None:
        return "?"
    import time

    from hpcprov.record import moment

    return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(moment.ns(text) // moment.SECOND))
