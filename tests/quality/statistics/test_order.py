"""Order and step of coordinates, whatever the parts that they come in."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.quality.statistics.arrays import run_of
from hpcprov.quality.statistics.order import Order

from .made import of


@pytest.mark.parametrize(
    ("values", "order", "step"),
    [
        (np.arange(5) * 10, "increasing", 10),
        (np.arange(5)[::-1], "decreasing", -1),
        (np.array([3, 3, 3]), "constant", None),
        (np.array([1, 2, 2]), "non-decreasing", None),
        (np.array([2, 2, 1]), "non-increasing", None),
        (np.array([1, 3, 2]), "none", None),
        (np.array([1, 2, 4]), "increasing", None),
        (np.array([7]), None, None),
        (np.array([], "f8"), None, None),
        (np.arange(6).reshape(2, 3), None, None),
        (np.array([0.0, np.nan, 2.0]), None, None),
        (np.array([-np.inf, 0.0, np.inf]), "increasing", None),
        (np.array([0, 2**64 - 1], "u8"), "increasing", 2**64 - 1),
        (np.array([2**63 - 1, -(2**63)]), "decreasing", 1 - 2**64),
        (np.array([-1e308, 1e308]), "increasing", None),
        (np.array(["a", "b", "ä"]), "increasing", None),
        (np.array(["b", "a"]), "decreasing", None),
        (np.linspace(0, 360, 1440, endpoint=False), "increasing", 0.25),
        (np.array([True, False]), None, None),
    ],
)
def test_order_and_step(values: Any, order: str | None, step: Any) -> None:
    found = of(values)
    assert (found["order"], found["step"]) == (order, step)


def test_coordinates_in_single_precision_are_evenly_spaced_as_far_as_they_can_be() -> None:
    found = of((np.arange(3600) / 10).astype("f4"))
    assert found["step"] == pytest.approx(0.1, rel=1e-4)
    uneven = (np.arange(3600) / 10).astype("f4")
    uneven[7] += 0.01
    assert of(uneven)["order"] == "increasing" and of(uneven)["step"] is None


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(-3, 3), min_size=2, max_size=20), st.data())
def test_parts_in_any_order_make_the_whole(steps: list[int], data: st.DataObject) -> None:
    values = np.cumsum(np.array(steps) * data.draw(st.sampled_from([0, 1, 2])))
    cuts = sorted(data.draw(st.sets(st.integers(1, len(values) - 1), max_size=5)))
    edges = [0, *cuts, len(values)]
    parts = [run_of(values[a:b], a, int) for a, b in pairwise(edges)]
    order, other = Order(), Order()
    for at, run in enumerate(data.draw(st.permutations(parts))):
        (order if at % 2 else other).add(run)
    order.merge(Order.from_json(other.as_json(), text=False))
    whole = Order()
    whole.add(run_of(values, 0, int))
    assert order.name(len(values)) == whole.name(len(values))
    assert order.step(len(values), 0.0) == whole.step(len(values), 0.0)


def test_an_order_with_a_part_lacking_is_not_told() -> None:
    order = Order()
    order.add(run_of(np.arange(3), 0, int))
    assert order.name(3) == "increasing" and order.name(4) is None and order.step(4, 0.0) is None
