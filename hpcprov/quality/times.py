"""Points in time and durations as text, from the counts that they are stored as.

>>> text_of(86400, "M8[1s,UTC]"), text_of(3, "m8[2D]")
('1970-01-02T00:00:00Z', '6 D')
"""

from __future__ import annotations

import re

import numpy as np

from hpcprov.data.values import NOT_A_TIME

#: The text of a type: a point in time or a duration, how many of which unit, whether it is UTC.
TYPE = re.compile(r"(M8|m8)\[(\d+)([a-zA-Z]+)(,UTC)?\]")


def is_time(kind: str) -> bool:
    return TYPE.fullmatch(kind) is not None


def text_of(count: int, kind: str) -> str:
    """ISO 8601, with `Z` where it is UTC; of a duration the number of its unit. `NaT` for none."""
    letters, step, unit, utc = parts(kind)
    if count == NOT_A_TIME:
        return "NaT"
    if letters == "m8":
        return duration(count, kind)
    told = str(np.array(count, np.int64).view(f"M8[{step}{unit}]"))
    return f"{told}Z" if utc else told


def duration(count: int, kind: str) -> str:
    """The time between two points in time, or a duration, in the unit of its type: `86400 s`."""
    _, step, unit, _ = parts(kind)
    return f"{count * int(step)} {unit}"


def parts(kind: str) -> tuple[str, str, str, str | None]:
    match = TYPE.fullmatch(kind)
    assert match is not None
    return match[1], match[2], match[3], match[4]
