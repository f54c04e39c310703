"""What moved along an axis is found, told, and verified; what did not is not."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.diff import shift
from hpcprov.quality.diff.datasets import diff
from hpcprov.quality.diff.runs import Run, runs_of

RNG = np.random.default_rng(3)
FIELD = RNG.random((12, 30, 25))


def found(one: np.ndarray, other: np.ndarray) -> dict[str, Any] | None:
    (field,) = diff(opened(one), opened(other))["fields"]
    moved: dict[str, Any] | None = field["shift"]
    return moved


def cut(values: np.ndarray, by: int) -> np.ndarray:
    """Moved along the last axis, with new values at the edge."""
    moved = RNG.random(values.shape)
    moved[..., by:] = values[..., :-by]
    return moved


def edited(values: np.ndarray) -> np.ndarray:
    values = values.copy()
    values[3, 4, 15] += 1
    return values


@pytest.mark.parametrize(
    ("other", "kind", "axis", "by", "differing"),
    [
        (np.roll(FIELD, 3, axis=1), "rolled", 1, 3, 0),
        (np.roll(FIELD, -7, axis=2), "rolled", 2, -7, 0),
        (np.roll(FIELD, 1, axis=1), "rolled", 1, 1, 0),
        (edited(np.roll(FIELD, -1, axis=0)), "rolled", 0, -1, 1),
        (cut(FIELD, 5), "shifted", 2, 5, 0),
        (edited(cut(FIELD, 5)), "shifted", 2, 5, 1),
        (np.insert(FIELD, [4], RNG.random((2, 30, 25)), axis=0), "inserted", 0, 2, 0),
        (np.delete(FIELD, [5, 6, 7], axis=1), "removed", 1, 3, 0),
        (FIELD[[*range(8, 12), *range(4, 8), *range(4)]], "moved", 0, 8, 0),
    ],
    ids=["roll", "roll back", "roll by one", "roll and edit", "shift", "shift and edit", "insert", "remove", "swap"],
)
def test_what_moved(other: np.ndarray, kind: str, axis: int, by: int, differing: int) -> None:
    moved = found(FIELD, other)
    assert moved is not None
    assert (moved["kind"], moved["axis"], moved["by"], moved["differing"]) == (kind, axis, by, differing)


@pytest.mark.parametrize(
    "other",
    [FIELD + 1e-3, FIELD[::-1], FIELD[RNG.permutation(12)], np.zeros_like(FIELD), edited(FIELD)],
    ids=["noise", "reversed", "shuffled", "zeros", "one cell"],
)
def test_what_did_not_move(other: np.ndarray) -> None:
    assert found(FIELD, other) is None


def test_an_island_in_a_constant_sea() -> None:
    sea = np.zeros((60, 60))
    sea[20:30, 20:30] = RNG.random((10, 10))
    moved = found(sea, np.roll(sea, 4, axis=0))
    assert moved is not None and (moved["axis"], moved["by"], moved["differing"]) == (0, 4, 0)


def test_an_edit_at_the_edge_is_counted() -> None:
    values = np.roll(FIELD, 2, axis=1)
    values[3, -1, 4] += 1
    moved = found(FIELD, values)
    assert moved is not None and (moved["kind"], moved["compared"], moved["differing"]) == ("rolled", FIELD.size, 1)


def test_text_and_one_dimension() -> None:
    words = np.array([f"w{at}" for at in range(40)])
    moved = found(words, np.roll(words, 2))
    assert moved is not None and (moved["kind"], moved["by"]) == ("rolled", 2)


def test_a_window_is_enough_and_is_verified_beyond_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(shift, "MOST_PLANES", 50)
    series = RNG.random(1000)
    moved = found(series, np.concatenate([RNG.random(4), series[:-4]]))
    assert moved is not None and (moved["kind"], moved["by"], moved["compared"]) == ("shifted", 4, 996)
    elsewhere = series.copy()
    elsewhere[:40] = np.roll(series[:40], 4)
    elsewhere[40:] = RNG.random(960)
    assert found(series, elsewhere) is None


def test_runs_of_planes() -> None:
    assert runs_of([b"a", b"b", b"c", b"d"], [b"x", b"a", b"b", b"c"]) == [Run(0, 1, 3)]
    assert runs_of([b"a"] * 5, [b"a"] * 5) == []
    planes = [bytes([at]) for at in range(100)]
    assert runs_of(planes, planes[60:] + planes[:60]) == [Run(0, 40, 60), Run(60, 0, 40)]
    assert runs_of(planes, []) == [] and runs_of([], planes) == []
