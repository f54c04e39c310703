"""Maps of where fields differ: every difference shows, whatever the shape."""

from __future__ import annotations

import base64
import zlib
from typing import Any

import numpy as np
import pytest

from hpcprov.data.opened import opened
from hpcprov.quality.diff.datasets import diff
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.picture import NO_DISTANCE, cells_of


def picture(one: np.ndarray, other: np.ndarray) -> dict[str, Any]:
    (field,) = diff(opened(one), opened(other), Options(picture=True, threads=2))["fields"]
    drawn: dict[str, Any] = field["picture"]
    return drawn


def cells(drawn: dict[str, Any], number: int = 0) -> np.ndarray:
    raw = zlib.decompress(base64.b64decode(drawn["maps"][number]["cells"]))
    return np.frombuffer(raw, np.uint8).reshape(drawn["cells"])


def test_each_difference_is_in_its_cell() -> None:
    one = np.zeros((4, 600, 1000))
    other = one.copy()
    other[1, 599, 999], other[1, 300, 500], other[3, 0, 0] = 1.0, 1e-3, np.nan
    drawn = picture(one, other)
    overall = cells(drawn)
    rows, columns = drawn["cells"]
    assert overall[-1, -1] == 9 and overall[300 * rows // 600, 500 * columns // 1000] == 1
    assert overall[0, 0] == NO_DISTANCE and np.count_nonzero(overall) == 3
    assert [one["at"] for one in drawn["maps"]] == [None, [1], [3]] and drawn["bars"] == [0, 2, 0, 1]
    assert np.count_nonzero(cells(drawn, 1)) == 2
    assert drawn["levels"][0] == pytest.approx(1e-3) and drawn["levels"][-1] == 1.0 and len(drawn["levels"]) == 10


@pytest.mark.parametrize("shape", [(), (1,), (7,), (100_000,), (1, 1, 1), (2, 3, 1, 4, 5)])
def test_any_shape_has_a_map(shape: tuple[int, ...]) -> None:
    one = np.zeros(shape)
    drawn = picture(one, one + 1)
    assert (cells(drawn) == 9).all() and drawn["maps"][0]["differing"] == one.size


def test_text_and_huge_distances() -> None:
    assert cells(picture(np.array(["a", "b"]), np.array(["a", "c"]))).tolist() == [[0, NO_DISTANCE]]
    drawn = picture(np.array([1e308, 0.0, 0.0]), np.array([-1e308, 5e-324, np.inf]))
    assert cells(drawn)[0, 0] in (9, NO_DISTANCE) and cells(drawn)[0, 1] == 1


def test_cells_keep_the_proportions_unless_these_are_extreme() -> None:
    assert cells_of((300, 600)) == (192, 384) and cells_of((5, 7)) == (5, 7)
    assert cells_of((10, 100_000)) == (10, 384) and cells_of((100_000, 100_000)) == (256, 256)
