"""Numbers, ranks and words of a record that may hold anything (see record/inside.py). Nothing here raises.

word({"cores": 64}, "cores")                ->  "64"
column(record, "start")                     ->  [0, 918107, None, 241013]
took(float("inf"))                          ->  "unknown"
"""

from __future__ import annotations

from math import isfinite

from hpcprov.record import ranges as pairs
from hpcprov.record import wording
from hpcprov.record.inside import inner

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.record.model import Record

    #: Labelled texts, in the order in which they are shown.
    Rows = list[tuple[str, str]]

UNKNOWN = "unknown"
HUGE = 1e18  # beyond this, a number of bytes or seconds is nonsense
MOST_RANGES = 20


def word(value: Any, key: str) -> str:
    """A member as text: what it is where it is text or a number, else nothing."""
    found = inner(value, key)
    return str(found) if type(found) in (str, int, float) else ""


def number(value: Any) -> float | None:
    """A number that can be reckoned with; None for anything else."""
    if type(value) is int:
        return value if abs(value) < HUGE else None
    return value if type(value) is float and isfinite(value) and abs(value) < HUGE else None


def column(record: Record, name: str) -> list[float | None]:
    """One column of the ranks' table, as long as there are ranks; None where a number is not known."""
    count = record["ranks"]["count"]
    told = record["ranks"]["columns"].get(name)
    known = [number(value) for value in told[:count]] if type(told) is list else []
    return known + [None] * (count - len(known))


def took(seconds: Any) -> str:
    """A duration in words."""
    known = number(seconds)
    return UNKNOWN if known is None else wording.duration(known)


def bytes_of(value: Any) -> str:
    """A size in words."""
    known = number(value)
    return UNKNOWN if known is None else wording.size(known)


def ranks(ranges: Iterable[list[int]]) -> str:
    """`3`, `0-127`, `0-3,7 and 12 more ranges`."""
    listed = list(ranges)
    more = f" and {len(listed) - MOST_RANGES:,} more ranges" if len(listed) > MOST_RANGES else ""
    return pairs.text(listed[:MOST_RANGES]) + more


def of_ranks(numbers: Iterable[int]) -> str:
    """`rank 3`, `ranks 0-127`."""
    ranges = pairs.ranges(numbers)
    return f"rank{'' if pairs.count(ranges) == 1 else 's'} {ranks(ranges)}"
