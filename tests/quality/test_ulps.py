"""Units in the last place: counted through zero, the same as stepping from number to number."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.data.types import plain
from hpcprov.quality.elements import Tolerance, numbers, unequal
from hpcprov.quality.ulps import ulps, unit_of


@pytest.mark.parametrize("kind", ["f2", "f4", "f8"])
@given(start=st.floats(width=16, allow_nan=False, allow_infinity=False), steps=st.integers(0, 40))
def test_so_many_steps_are_so_many_units(kind: str, start: float, steps: int) -> None:
    one = other = np.array([start], kind)
    for _ in range(steps):
        other = np.nextafter(other, np.array(np.inf, kind))
    expected = steps if np.isfinite(other)[0] else 0
    assert ulps(one, other, kind).tolist() == ulps(other, one, kind).tolist() == [expected]


@pytest.mark.parametrize(
    ("one", "other", "kind", "expected"),
    [
        (0.0, -0.0, "f8", 0),
        (5e-324, -5e-324, "f8", 2),
        (np.finfo("f8").max, -np.finfo("f8").max, "f8", 2 * 0x7FEFFFFFFFFFFFFF),
        (np.nan, 1.0, "f8", 0),
        (np.inf, np.finfo("f8").max, "f8", 0),
        (1.0, 1.0078125, "bf16", 1),
        (1.0, -1.0, "bf16", 2 * 0x3F80),
        (1.0, 1.0 + 2**-10, "f2", 1),
    ],
)
def test_zeros_signs_and_what_has_no_distance(one: float, other: float, kind: str, expected: int) -> None:
    width = "f4" if kind == "bf16" else kind
    assert ulps(np.array([one], width), np.array([other], width), kind).tolist() == [expected]


def test_of_two_types_the_one_with_fewer_digits_counts() -> None:
    assert unit_of(plain("f8"), plain("f4")) == "f4" and unit_of(plain("bf16"), plain("f2")) == "bf16"
    assert unit_of(plain("f4"), plain("i4")) is None
    third = np.array([1 / 3])
    assert ulps(third, third.astype("f4"), "f4").tolist() == [0]


def test_units_in_the_last_place_are_a_tolerance_and_nan_may_differ_from_itself() -> None:
    one = np.array([1.0, 1.0, np.nan, np.inf])
    other = np.array([np.nextafter(1.0, 2.0), 1.1, np.nan, np.finfo("f8").max])
    found = numbers(one, other, Tolerance(ulp=1), "f8")
    assert found.outside.tolist() == [False, True, False, True] and found.differs.tolist() == [True, True, False, True]
    assert numbers(one, other, Tolerance(nan_differs=True), "f8").outside.tolist() == [True, True, True, True]


@given(st.integers(-(2**63), 2**63 - 1), st.floats(allow_nan=False) | st.integers(-(2**63), 2**63).map(float))
def test_integers_and_floats_are_equal_when_they_are(integer: int, number: float) -> None:
    assert unequal(np.array([integer], "i8"), np.array([number])).tolist() == [integer != number]
    assert unequal(np.array([number]), np.array([integer], "i8")).tolist() == [integer != number]
