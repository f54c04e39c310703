"""A year of runs as a calendar: a small square for each day, the darker the more runs it had.

squares("2026", {"2026-11-21": (12, 1)})  ->  {"cells": [{"x": 611, "y": 84, "level": 4, "bad": True, ...}], ...}
"""

from __future__ import annotations

from datetime import date, timedelta

from hpcprov.record.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

STEP, SIDE, TOP = 13, 11, 18
LEVELS = 4
MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")


def squares(year: str, days: dict[str, tuple[int, int]]) -> dict[str, Any]:
    """The calendar of a year; `days`: of each day that had runs how many, and how many did not complete."""
    first = date(int(year), 1, 1)
    offset = first.weekday()
    limits = levels([number for number, _ in days.values()])
    cells = []
    for k in range((date(int(year), 12, 31) - first).days + 1):
        day = (first + timedelta(days=k)).isoformat()
        number, bad = days.get(day, (0, 0))
        week, weekday = divmod(k + offset, 7)
        told = f"{day}: {count(number, 'run')}" + (f", {bad:,} not completed" if bad else "")
        cells.append(
            {
                "x": week * STEP,
                "y": TOP + weekday * STEP,
                "level": sum(number >= limit for limit in limits) if number else 0,
                "bad": bad > 0,
                "told": told,
                "href": f"{day[:7]}.html#d-{day}" if number else "",
            }
        )
    starts = [(date(int(year), month, 1) - first).days + offset for month in range(1, 13)]
    names = [{"x": -(-start // 7) * STEP, "name": name} for start, name in zip(starts, MONTHS, strict=True)]
    return {"cells": cells, "names": names, "width": 54 * STEP, "height": TOP + 7 * STEP, "side": SIDE}


def levels(numbers: list[int]) -> list[int]:
    """From how many runs on a day has each level: quarters of the days that had any."""
    found = sorted(numbers)
    return [1, *(found[len(found) * k // LEVELS] for k in range(1, LEVELS))] if found else []
