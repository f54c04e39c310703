"""Tiles and units: pure arithmetic, so laws over random shapes and a few tables."""

from __future__ import annotations

from math import prod

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.interface import lengths
from hpcprov.signature import plan, reference, tiles

WIDTHS = st.sampled_from([1, 2, 3, 4, 7, 8, 16, 24, 1000, 1023, 1024, 1025, 2**20 - 1, 2**20, 2**20 + 1, 2**21])
EXTENTS = st.one_of(st.integers(0, 9), st.sampled_from([31, 32, 33, 100, 1000, 10**6, 2**40]))


@settings(deadline=None)
@given(st.lists(EXTENTS, max_size=6), WIDTHS)
def test_tile_extents_are_those_of_the_reference(shape: list[int], w: int) -> None:
    assert list(tiles.tile_extents(tuple(shape), w)) == reference.tile_extents(shape, w)


@settings(deadline=None)
@given(st.lists(EXTENTS, min_size=1, max_size=6), WIDTHS)
def test_tiles_hold_at_most_a_mebibyte_or_one_element(shape: list[int], w: int) -> None:
    tile = tiles.tile_extents(tuple(shape), w)
    assert prod(tile) * w <= max(2**20, w)
    assert all(extent & (extent - 1) == 0 for extent in tile)
    assert all(extent == 1 or extent < 2 * whole for extent, whole in zip(tile, shape, strict=True))


@settings(deadline=None)
@given(st.lists(st.integers(2**10, 2**40), min_size=2, max_size=4), st.integers(1, 16))
def test_growing_a_long_axis_0_keeps_the_tile(shape: list[int], w: int) -> None:
    tile = tiles.tile_extents(tuple(shape), w)
    if shape[0] >= tile[0] * 2:
        assert tiles.tile_extents((shape[0] + 12345, *shape[1:]), w) == tile


@st.composite
def layouts(draw: st.DrawFn) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """Shape, tile, chunks of one rank."""
    rank = draw(st.integers(0, 3))
    shape = tuple(draw(st.lists(st.integers(0, 20), min_size=rank, max_size=rank)))
    tile = tuple(2 ** draw(st.integers(0, 5)) for _ in range(rank))
    return shape, tile, tuple(draw(st.lists(st.integers(1, 25), min_size=rank, max_size=rank)))


@settings(deadline=None)
@given(layouts(), st.integers(1, 9), st.integers(1, 10**6))
def test_units_are_whole_tiles_and_cover_the_array_once(
    layout: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], width: int, limit: int
) -> None:
    shape, tile, chunks = layout
    extents = plan.unit_extents(shape, tile, chunks, width, limit=limit)
    assert all(extent % step == 0 for extent, step in zip(extents, tile, strict=True))
    assert extents == tile or plan.volume(extents, shape, width) <= limit
    whole = tuple((0, extent) for extent in shape)
    units = [tiled for unit in plan.boxes(whole, extents) for tiled in plan.boxes(unit, tile)]
    assert sorted(units) == sorted(plan.boxes(whole, tile))


@settings(deadline=None)
@given(layouts())
def test_with_enough_memory_every_chunk_is_decoded_once(
    layout: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]],
) -> None:
    shape, tile, chunks = layout
    extents = plan.unit_extents(shape, tile, chunks, 1)
    assert plan.redecoding(shape, extents, chunks) == 1


@settings(deadline=None)
@given(st.integers(0, 200), st.integers(1, 70), st.integers(1, 70))
def test_redecoding_counts_what_a_walk_counts(whole: int, extent: int, chunk: int) -> None:
    touched = sum(-(-min(at + extent, whole) // chunk) - at // chunk for at in range(0, whole, extent))
    there = -(-whole // chunk)
    assert plan.redecoding((whole,), (extent,), (chunk,)) == pytest.approx(touched / there if there else 1)


@settings(deadline=None)
@given(layouts(), st.integers(1, 500))
def test_pieces_follow_each_other_in_c_order(
    layout: tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]], most: int
) -> None:
    shape = layout[0]
    parts = list(plan.pieces(tuple((0, extent) for extent in shape), most))
    assert all(prod(lengths(part)) <= most for part in parts)
    flat = [at for part in parts for row in reference.rows([range(*span) for span in part], shape) for at in row]
    assert flat == list(range(prod(shape)))


@pytest.mark.parametrize(
    ("shape", "w", "chunks", "threads", "decoded"),
    [
        ((8760, 721, 1440), 4, (1, 721, 1440), 2, 3.0),
        ((8760, 721, 1440), 4, (100, 100, 100), 2, 2.3),
        ((8760, 721, 1440), 4, (8760, 10, 10), 2, 6.5),
        ((8760, 721, 1440), 4, (24, 90, 180), 2, 1.6),
        ((10**9,), 8, (12345,), 64, 1.1),
        ((5000, 5000), 8, None, 2, 1.0),
    ],
)
def test_usual_layouts_are_decoded_few_times(
    shape: tuple[int, ...], w: int, chunks: tuple[int, ...] | None, threads: int, decoded: float
) -> None:
    extents = plan.unit_extents(shape, tiles.tile_extents(shape, w), chunks, w, limit=plan.limit_for(threads))
    assert plan.volume(extents, shape, w) <= plan.limit_for(threads)
    assert plan.redecoding(shape, extents, chunks or (1,) * (len(shape) - 1) + (shape[-1],)) <= decoded


def test_all_threads_together_stay_in_the_budget() -> None:
    assert all(plan.limit_for(threads) * threads <= plan.TOTAL for threads in range(1, 65))


@pytest.mark.parametrize("threads", [1, 2, 8, 16, 32, 64])
@pytest.mark.parametrize("chunks", [(8, 250, 250), (1, 250, 250), (4000, 10, 10), (64, 64, 64), (300, 250, 250)])
def test_more_threads_never_get_less_done(threads: int, chunks: tuple[int, ...]) -> None:
    """They share the memory, so that at some number of them each chunk is decoded many times."""
    shape = (4000, 250, 250)
    tile = tiles.tile_extents(shape, 8)

    def done(count: int) -> float:
        found = plan.threads_for(shape, tile, chunks, 8, count, by_chunk=True, divisible=False)
        limit = plan.limit_for(found)
        how = plan.layout(chunks, 8, limit=limit, by_chunk=True, divisible=False)
        extents = plan.extents_for(shape, tile, 8, how, limit=limit)
        assert found <= count
        return min(found, how.threads) / plan.redecoding(shape, extents, chunks)

    assert all(done(threads) >= plan.WORTH * done(fewer) for fewer in (1, 2, 4, 8, 16, 32) if fewer < threads)
