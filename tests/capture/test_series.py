"""The bounded series: what merging must keep."""

from __future__ import annotations

import itertools
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture.series import columns, compact, merge

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.series import Point


@st.composite
def series(draw: st.DrawFn) -> list[Point]:
    """Points that follow each other without gaps, whole numbers in them so that sums are exact."""
    spans = draw(st.lists(st.integers(0, 10**6), max_size=60))
    points: list[Point] = []
    for span in spans:
        start = points[-1][1] if points else 0
        totals = (draw(st.integers(0, 10**9)), draw(st.integers(0, 10**9)))
        points.append((start, start + span, totals, (draw(st.integers(0, 10**12)),)))
    return points


@given(series(), st.integers(1, 40))
def test_compaction_keeps_sums_peaks_and_the_span(points: list[Point], limit: int) -> None:
    found = compact(points, limit)
    assert len(found) == min(limit, len(points))
    for place in (0, 1):
        assert sum(point[2][place] for point in found) == sum(point[2][place] for point in points)
    assert max((point[3][0] for point in found), default=0) == max((point[3][0] for point in points), default=0)
    assert [point[0] for point in found[:1]] == [point[0] for point in points[:1]]
    assert [point[1] for point in found[-1:]] == [point[1] for point in points[-1:]]
    assert all(left[1] == right[0] for left, right in itertools.pairwise(found))


@given(series(), st.integers(1, 40))
def test_compacting_twice_changes_nothing(points: list[Point], limit: int) -> None:
    assert compact(compact(points, limit), limit) == compact(points, limit)


def test_short_neighbours_go_first() -> None:
    points: list[Point] = [(0, 10, (1,), (1,)), (10, 11, (2,), (5,)), (11, 12, (4,), (3,)), (12, 30, (8,), (2,))]
    assert compact(points, 3) == [(0, 10, (1,), (1,)), (10, 12, (6,), (5,)), (12, 30, (8,), (2,))]


def test_points_of_a_long_run_stay_evenly_spaced() -> None:
    points: list[Point] = []
    for number in range(5000):
        points = compact([*points, (number, number + 1, (1,), (number,))], 50)
    spans = [point[1] - point[0] for point in points]
    assert len(points) == 50 and sum(spans) == 5000 and max(spans) <= 4 * (5000 / 50)


@pytest.mark.parametrize("points", [[], [(0, 1, (2.5,), (7,))]])
def test_few_points_stay(points: list[Point]) -> None:
    assert compact(points, 1) == points


def test_merge() -> None:
    assert merge((0, 1, (2, 3), (5,)), (1, 4, (1, 1), (9,))) == (0, 4, (3, 4), (9,))


def test_columns() -> None:
    points: list[Point] = [(0, 0.5, (1.23456, 4096.0), (7,)), (0.5, 1.00049, (0, 0), (9,))]
    assert columns(points, ("cpu", "read"), ("rss",)) == {
        "time": [0.5, 1.0],
        "cpu": [1.235, 0],
        "read": [4096, 0],
        "rss": [7, 9],
    }
    assert all(
        math.isfinite(value) for values in columns(points, ("cpu", "read"), ("rss",)).values() for value in values
    )
