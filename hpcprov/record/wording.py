"""Values of a record written for people: sizes, shapes, times, commands. What a terminal can take: `commands.screen`.

duration(3725.4)  ->  "1 h 2 min"         size(1500000)  ->  "1.5 MB"
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

MOST = 1e30  # of no unit is there more: what a damaged record says, also infinity and what is no number
UNITS = ("B", "kB", "MB", "GB", "TB", "PB", "EB")


def words(argv: list[str] | None) -> str:
    """A command as a person would type it; not for a shell to read (`commands.log` writes scripts)."""
    return " ".join(map(_word, argv)) if argv else "(unknown)"


def _word(word: str) -> str:
    from shlex import quote

    return f'"{word}"' if "'" in word and not {*'"\\$`!'} & {*word} else quote(word)


def size(number: float) -> str:
    """Bytes in powers of 1000, three digits."""
    if not abs(number) < MOST:
        return "?"
    unit = 0
    while number >= 999.5 and unit < len(UNITS) - 1:
        number, unit = number / 1000, unit + 1
    return f"{number:.3g} {UNITS[unit]}"


def extents(shape: Sequence[int] | None, by: str = " x ") -> str:
    """`721 x 1440`; a null dataspace has no extents at all, which is not the same as a scalar's none."""
    return "null" if shape is None else by.join(map(str, shape)) or "scalar"


def duration(seconds: float | None) -> str:
    """Seconds in the two units that say enough."""
    if seconds is None or not abs(seconds) < MOST:
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
