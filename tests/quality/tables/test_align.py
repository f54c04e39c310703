"""Alignment of rows: what it finds is right for any input, and it stays linear where rows are alike."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.quality.tables import align as module
from hpcprov.quality.tables.align import align, kth
from hpcprov.quality.tables.chains import heaviest
from hpcprov.quality.tables.digests import Digests, Lanes
from hpcprov.quality.tables.matching import by_content, by_key

Codes = st.lists(st.integers(0, 6), max_size=40)


def aligned(one: list[int], other: list[int]) -> tuple[list[int], list[int]]:
    at, to = align(np.array(one, np.int64), np.array(other, np.int64))
    return at.tolist(), to.tolist()


@settings(deadline=None)
@given(Codes, Codes)
def test_matches_are_equal_and_in_order(one: list[int], other: list[int]) -> None:
    at, to = aligned(one, other)
    assert at == sorted(set(at)) and to == sorted(set(to))
    assert [one[place] for place in at] == [other[place] for place in to]


@settings(deadline=None)
@given(st.lists(st.integers(), unique=True, max_size=30), st.sets(st.integers(0, 29)), st.sets(st.integers(0, 29)))
def test_what_is_unique_is_found_in_full(rows: list[int], lost: set[int], new: set[int]) -> None:
    one = list(range(len(rows)))
    other = [100 + at if at in new else at for at in one if at not in lost]
    kept = [at for at in other if at < 100]
    at, to = aligned(one, other)
    assert at == kept
    assert [other[place] for place in to] == kept


@settings(deadline=None)
@given(st.permutations(list(range(9))))
def test_the_heaviest_chain_is_the_longest_of_all(order: list[int]) -> None:
    one, other = heaviest(np.arange(9), np.array(order))
    longest = [1] * 9
    for at in range(9):
        longest[at] += max((longest[before] for before in range(at) if order[before] < order[at]), default=0)
    assert len(one) == max(longest)
    assert (np.diff(other) > 0).all() and all(order[place] == to for place, to in zip(one, other, strict=True))


def test_blocks_weigh_what_they_hold() -> None:
    one, other = heaviest(np.arange(7), np.array([4, 5, 6, 0, 1, 2, 3]))
    assert one.tolist() == [3, 4, 5, 6] and other.tolist() == [0, 1, 2, 3]


def test_the_kth_goes_with_the_kth() -> None:
    at, to = kth(np.array([5, 5, 7, 5]), np.array([7, 5, 5, 9]))
    assert sorted(zip(at.tolist(), to.tolist(), strict=True)) == [(0, 1), (1, 2), (2, 0)]


PLACES = 200_000
WAYS = {
    "all rows equal": (np.zeros(PLACES, np.int64), np.zeros(PLACES - 5, np.int64), PLACES - 5),
    "reversed": (np.arange(PLACES), np.arange(PLACES)[::-1].copy(), 1),
    "one row against many": (np.arange(PLACES), np.array([PLACES // 2]), 1),
    "none": (np.arange(PLACES), np.empty(0, np.int64), 0),
    "shifted by five": (np.arange(PLACES) % 7, np.roll(np.arange(PLACES) % 7, 5), PLACES - 10),
}


@pytest.mark.parametrize("way", WAYS)
def test_pathological_tables_take_few_levels(way: str, monkeypatch: pytest.MonkeyPatch) -> None:
    one, other, least = WAYS[way]
    levels = []
    anchors = module.anchors

    def counted(gaps: module.Gaps, *codes: module.Places) -> tuple[module.Places, module.Places]:
        levels.append(len(gaps.one))
        return anchors(gaps, *codes)

    monkeypatch.setattr(module, "anchors", counted)
    at, to = align(one, other)
    assert len(at) >= least and (one[at] == other[to]).all()
    assert sum(levels) <= 4 * PLACES


def test_rows_that_share_one_word_of_two_are_not_held_for_equal() -> None:
    first = np.array([1, 2, 3], np.uint64)
    digests = Digests(Lanes(first, first), Lanes(first, np.array([1, 9, 3], np.uint64)))
    found = by_content(digests)
    assert (found.one.tolist(), found.other.tolist()) == ([0, 2], [0, 2])
    assert (found.deleted.tolist(), found.inserted.tolist(), len(found.moved_one)) == ([1], [1], 0)
    assert by_key(digests, digests).one.tolist() == [0, 2]
