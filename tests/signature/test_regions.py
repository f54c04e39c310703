"""Tiles as index ranges: exact, disjoint, few, and fast for a million tiles."""

from __future__ import annotations

import time
from itertools import product
from math import prod

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.signature.field import Grid
from hpcprov.signature.regions import differing, regions
from hpcprov.signature.tiles import grid_of


def grid(shape: tuple[int, ...], tile: tuple[int, ...]) -> Grid:
    return Grid(shape, tile, grid_of(shape, tile))


@pytest.mark.parametrize(
    ("numbers", "boxes"),
    [
        ([], []),
        ([0], [((0, 64), (0, 32))]),
        ([3, 7], [((0, 100), (96, 100))]),
        ([0, 1, 4, 5], [((0, 100), (0, 64))]),
        (list(range(8)), [((0, 100), (0, 100))]),
        ([0, 5], [((0, 64), (0, 32)), ((64, 100), (32, 64))]),
        ([0, 1, 5], [((0, 64), (0, 64)), ((64, 100), (32, 64))]),
    ],
)
def test_boxes(numbers: list[int], boxes: list[object]) -> None:
    assert regions(grid((100, 100), (64, 32)), np.array(numbers, np.int64)) == boxes


def test_scalars() -> None:
    assert regions(grid((), ()), np.array([0], np.int64)) == [()]
    assert regions(grid((), ()), np.array([], np.int64)) == []


@given(st.data())
@settings(max_examples=200, deadline=None)
def test_boxes_cover_the_marked_tiles_and_nothing_else(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 5), min_size=1, max_size=4).map(tuple))
    tile = data.draw(st.tuples(*(st.integers(1, 3) for _ in counts)))
    shape = tuple(data.draw(st.integers((n - 1) * t + 1, n * t)) for n, t in zip(counts, tile, strict=True))
    marked = data.draw(st.sets(st.integers(0, prod(counts) - 1)))
    seen = np.zeros(shape, int)
    for box in regions(grid(shape, tile), np.array(sorted(marked), np.int64)):
        seen[tuple(slice(*span) for span in box)] += 1
    for number, at in enumerate(product(*map(range, counts))):
        inside = seen[tuple(slice(n * t, (n + 1) * t) for n, t in zip(at, tile, strict=True))]
        assert (inside == (number in marked)).all()


@given(st.data())
@settings(max_examples=100, deadline=None)
def test_a_box_comes_out_as_one_box(data: st.DataObject) -> None:
    counts = data.draw(st.lists(st.integers(1, 6), min_size=1, max_size=4).map(tuple))
    spans = [sorted(data.draw(st.tuples(st.integers(0, n - 1), st.integers(0, n - 1)))) for n in counts]
    mask = np.zeros(counts, bool)
    mask[tuple(slice(a, b + 1) for a, b in spans)] = True
    found = regions(grid(counts, (1,) * len(counts)), np.flatnonzero(mask).astype(np.int64))
    assert found == [tuple((a, b + 1) for a, b in spans)]


def test_leaves_that_differ() -> None:
    old = bytes(32 * 5)
    new = bytearray(old)
    new[33], new[4 * 32 + 31] = 1, 1
    assert differing(old, new).tolist() == [1, 4]


@pytest.mark.parametrize("scattered", [False, True])
def test_a_million_tiles(scattered: bool) -> None:
    """Merging pair by pair would take hours."""
    whole = grid((6400, 6400, 6400), (64, 64, 64))
    numbers = np.flatnonzero(np.random.default_rng(1).random(10**6) < 0.5) if scattered else np.arange(10**6)
    began = time.monotonic()
    found = regions(whole, numbers.astype(np.int64))
    assert time.monotonic() - began < 30
    assert sum(prod((stop - start) // 64 for start, stop in box) for box in found) == len(numbers)
    assert scattered or len(found) == 1
