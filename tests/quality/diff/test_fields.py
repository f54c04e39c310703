"""Fields compared: what numpy finds is found, in any blocks, by any number of threads."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.opened import opened
from hpcprov.quality.diff import block, walk
from hpcprov.quality.diff.datasets import diff
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.tally import Extreme, Tally

RNG = np.random.default_rng(7)


def field(one: Any, other: Any, **options: Any) -> dict[str, Any]:
    (found,) = diff(opened(one), opened(other), Options(**options))["fields"]
    return found


def changed(values: np.ndarray, count: int, seed: int = 1) -> np.ndarray:
    rng = np.random.default_rng(seed)
    wrong = values.copy().reshape(-1)
    wrong[rng.choice(values.size, count, replace=False)] += rng.random(count)
    return wrong.reshape(values.shape)


@settings(deadline=None, max_examples=25)
@given(
    shape=st.lists(st.integers(1, 9), min_size=0, max_size=4),
    count=st.integers(0, 5),
    target=st.sampled_from([1, 64, 4096]),
    threads=st.integers(1, 3),
)
def test_counts_and_places_are_those_of_numpy(shape: list[int], count: int, target: int, threads: int) -> None:
    one = np.random.default_rng(len(shape)).random(shape)
    other = changed(np.asarray(one), min(count, one.size) if shape else 0)
    before = walk.TARGET, block.PIECE
    walk.TARGET, block.PIECE = target, 7
    try:
        found = field(np.asarray(one), other, threads=threads)
    finally:
        walk.TARGET, block.PIECE = before
    differs = np.argwhere(one != other)
    assert found["differing"] == len(differs) and found["count"] == one.size
    if len(differs):
        apart = np.abs(other - one)
        assert found["first"]["at"] == differs[0].tolist()
        assert found["largest"]["value"] == apart.max() and apart[tuple(found["largest"]["at"])] == apart.max()
        assert found["largest"]["values"] == [one[tuple(found["largest"]["at"])], other[tuple(found["largest"]["at"])]]
    else:
        assert found["status"] == "same" and found["first"] is None


def test_of_equal_extremes_the_first_place_is_told_whichever_block_is_ready_first() -> None:
    tallies = [Tally(differing=1, first=place, largest=Extreme(0.5, place)) for place in (70, 3, 41)]
    for order in permutations(tallies):
        total = Tally()
        for tally in order:
            total.merge(tally)
        assert (total.differing, total.first, total.largest) == (3, 3, Extreme(0.5, 3))


def test_the_first_counts_as_right() -> None:
    found = field(np.array([100.0]), np.array([50.0]), rtol=0.5)
    assert found["status"] == "within" and found["relative"]["value"] == 0.5
    assert field(np.array([50.0]), np.array([100.0]), rtol=0.5)["status"] == "different"


def test_nan_and_infinities() -> None:
    one = np.array([1.0, np.nan, np.nan, np.inf, 2.0])
    other = np.array([np.nan, np.nan, 3.0, np.inf, -np.inf])
    found = field(one, other, atol=1e300)
    assert found["nan"] == {"appeared": 1, "vanished": 1} and found["outside"] == found["differing"] == 3
    assert found["infinite"] == {"appeared": 1, "vanished": 0}
    assert found["largest"] is found["ulps"] is None and found["first"] == {"at": [0], "values": [1.0, "nan"]}
    assert field(one, one)["status"] == "same"
    assert field(one, one, nan_differs=True)["differing"] == 2


def test_equal_values_in_other_bits_are_equal_and_said() -> None:
    found = field(np.array([0.0, 1.0]), np.array([-0.0, 1.0]))
    assert found["status"] == "same" and found["bits"] == 1


@pytest.mark.parametrize("kind", ["i1", "u8", "f4", "?", "c16", "M8[s]", "U3", "S4"])
def test_values_of_any_type(kind: str) -> None:
    one = np.zeros(5, "i8").astype(kind)
    other = one.copy()
    other[3] = np.array([1]).astype(kind)[0]
    found = field(one, other)
    assert (found["differing"], found["first"]["at"], found["status"]) == (1, [3], "different")


def test_numbers_of_two_types_are_compared_as_numbers_and_others_are_not() -> None:
    assert field(np.arange(5), np.arange(5.0))["status"] == "same"
    found = field(np.arange(3), np.array(["0", "1", "2"]))
    assert found["status"] == "different" and "types that cannot be compared" in found["reason"]


def test_a_longer_axis_is_compared_in_what_both_have() -> None:
    one = RNG.random((10, 3))
    longer = np.concatenate([one, RNG.random((2, 3))])
    found = field(one, longer)
    assert (found["status"], found["differing"], found["common"]) == ("different", 0, [10, 3])
    assert field(one, one[:0])["common"] == [0, 3]
    assert "shapes that cannot be compared" in field(one, one.reshape(-1))["reason"]


def test_fields_on_one_side_and_other_names() -> None:
    one = {"a": np.arange(9.0), "gone": np.arange(4), "old": np.arange(3.0)}
    other = {"a": np.arange(9.0), "name": np.arange(3.0), "extra": np.arange(7)}
    xarray = pytest.importorskip("xarray")
    left, right = (xarray.Dataset({name: ((f"d{len(v)}",), v) for name, v in side.items()}) for side in (one, other))
    found = {item["path"]: item for item in diff(opened(left), opened(right))["fields"]}
    assert {name: item["status"] for name, item in found.items()} == {
        "a": "same", "old": "renamed", "gone": "missing", "extra": "new"
    }  # fmt: skip
    assert found["old"]["other_path"] == "name"
    chosen = diff(opened(left), opened(right), Options(fields=("old=name", "a")))["fields"]
    assert [(item["path"], item["status"]) for item in chosen] == [("old", "same"), ("a", "same")]


def test_blocks_cover_chunks_of_both_and_keep_to_memory() -> None:
    def chunked(chunks: tuple[int, ...] | None, width: int = 8) -> Any:
        (one,) = opened(np.zeros(1)).fields
        from dataclasses import replace

        return replace(one, shape=(1000, 1000, 1000), chunks=chunks, width=width)

    shape = (1000, 1000, 1000)
    extents = walk.block_extents(chunked((10, 100, 100)), chunked((4, 50, 200)), shape)
    assert extents[0] % 20 == 0 and extents[1] % 100 == 0 and extents[2] % 200 == 0
    for chunks in [None, (1, 1000, 1000), (1000, 10, 10)]:
        for others in [None, (1000, 1, 1), (7, 11, 13)]:
            extents = walk.block_extents(chunked(chunks), chunked(others), shape)
            assert np.prod(extents) * 8 <= walk.LIMIT
