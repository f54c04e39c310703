"""A time series of bounded size: however long a run is, its samples become at most 240 points.

A point is `(start, end, totals, peaks)`: seconds since the first sample, quantities that add up over time (CPU seconds,
bytes), and quantities of which the largest counts (memory, processes). Two neighbours become one point that spans both.

    compact([(0, 1, (2.0,), (5,)), (1, 2, (3.0,), (4,))], limit=1) == [(0, 2, (5.0,), (5,))]
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Numbers = tuple[float, ...]
    Point = tuple[float, float, Numbers, Numbers]

LIMIT = 240


def compact(points: Sequence[Point], limit: int = LIMIT) -> list[Point]:
    """At most `limit` (>= 1) points: the neighbours that span the shortest time are merged until that holds.

    The first start, the last end, the sum of each total and the maximum of each peak stay what they were.
    """
    found = list(points)
    while len(found) > max(1, limit):
        place = min(range(len(found) - 1), key=lambda index: found[index + 1][1] - found[index][0])
        found[place : place + 2] = [merge(found[place], found[place + 1])]
    return found


def merge(first: Point, second: Point) -> Point:
    """One point for two neighbours."""
    totals = tuple(a + b for a, b in zip(first[2], second[2], strict=True))
    peaks = tuple(map(max, first[3], second[3]))
    return first[0], second[1], totals, peaks


def columns(points: Sequence[Point], totals: Sequence[str], peaks: Sequence[str]) -> dict[str, list[float]]:
    """The series as one list per quantity, and `time`: the end of each point in seconds, to the millisecond."""
    table: dict[str, list[float]] = {"time": [round(point[1], 3) for point in points]}
    for place, name in enumerate(totals):
        table[name] = [tidy(point[2][place]) for point in points]
    for place, name in enumerate(peaks):
        table[name] = [point[3][place] for point in points]
    return table


def tidy(value: float) -> float:
    """To the thousandth, and a whole number as an integer."""
    return int(value) if value == int(value) else round(value, 3)
