"""What is counted of numbers is what Python counts of them, one by one and with fractions."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hpcprov.data.interface import Field
from hpcprov.data.types import plain

from .made import counted, expected, of, with_missing

BIG = 2**63 - 1
FLOATS = st.sampled_from(["f2", "f4", "f8", ">f8"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=8))
)
INTEGERS = st.sampled_from(["i1", "i2", "i4", "i8", "u1", "u2", "u4", "u8", ">i4", ">u8"]).flatmap(
    lambda dtype: arrays.arrays(dtype, arrays.array_shapes(max_dims=3, max_side=8))
)


def shown(value: Any) -> Any:
    return ("inf" if value > 0 else "-inf") if isinstance(value, float) and math.isinf(value) else value


def agrees(found: dict[str, Any], right: dict[str, Any]) -> None:
    for name in ("count", "missing", "zeros", "positive", "negative"):
        assert found[name] == right[name], name
    assert (found["min"], found["max"]) == (shown(right["min"]), shown(right["max"]))
    room = max(abs(right["mean"] or 0), right["std"] or 0)
    for name in ("mean", "std"):
        assert (found[name] is None) == (right[name] is None)
        assert right[name] is None or found[name] == pytest.approx(right[name], rel=1e-12, abs=1e-13 * room), name
    if right["distinct"] <= 20:
        assert found["distinct"] == right["distinct"]
        assert found["values"] == [[shown(value), count] for value, count in right["values"]]
        assert found["duplicates"] == right["count"] - right["missing"] - right["distinct"]


@settings(max_examples=60, deadline=None)
@given(FLOATS)
def test_floats_are_counted_as_python_counts_them(values: np.ndarray[Any, Any]) -> None:
    found, right = of(values), expected(values)
    agrees(found, right)
    assert found["infinite"] == int(np.isinf(values).sum())


@settings(max_examples=60, deadline=None)
@given(INTEGERS)
def test_integers_are_counted_as_python_counts_them(values: np.ndarray[Any, Any]) -> None:
    found, right = of(values), expected(values)
    agrees(found, right)
    assert found["mean"] == right["mean"] and found["infinite"] is None


@pytest.mark.parametrize(
    ("values", "mean", "std"),
    [
        (np.array([-BIG - 1, BIG]), -0.5, 2.0**63),
        (np.array([2 * BIG + 1, 2 * BIG - 1], "u8"), float(2**64 - 2), 1.0),
        (np.array([BIG, BIG - 2, BIG - 4]), float(BIG - 2), math.sqrt(8 / 3)),
        (np.array([1e308, 1e308, -1e308]), 1e308 / 3, 1e308 * math.sqrt(8 / 9)),
        (np.array([5e-324, 0.0]), 0.0, 0.0),
        (np.array([3e-310, 1e-310]), 2e-310, 1e-310),
        (np.array([1e9 + 0.25, 1e9 - 0.25]), 1e9, 0.25),
        (np.full(70_000, 0.1), 0.1, 0.0),
        (np.array([np.inf, np.nan, 2.0]), 2.0, 0.0),
        (np.array([np.nan]), None, None),
        (np.zeros((0, 3)), None, None),
        (np.float32(1.5), 1.5, 0.0),
    ],
)
def test_mean_and_deviation_of_the_largest_the_smallest_and_none(values: Any, mean: Any, std: Any) -> None:
    found = of(values)
    assert found["mean"] == (mean if mean is None else pytest.approx(mean, rel=1e-15))
    assert found["std"] == (std if std is None else pytest.approx(std, rel=1e-12))


def test_a_mean_is_not_less_exact_where_values_are_far_from_zero() -> None:
    values = 101_325 + np.random.default_rng(1).normal(size=150_000) * 1e-3
    some = values[:10_000]
    found, right = of(some.reshape(100, 100)), expected(some)
    assert of(values)["mean"] == math.fsum(values) / len(values)
    assert found["mean"] == pytest.approx(right["mean"], rel=1e-16)
    assert found["std"] == pytest.approx(right["std"], rel=1e-11)


@pytest.mark.parametrize("dtype", ["f4", "f8", "i2", "u8"])
def test_what_attributes_declare_to_be_missing_is(dtype: str) -> None:
    values = np.array([1, 99, 2, 99, 0, 7, 7], dtype)
    found = with_missing(values, 99, 7)
    assert (found["count"], found["missing"], found["max"], found["mean"]) == (7, 4, 2, 1.0)
    assert with_missing(values, 1, 99, 2, 0, 7)["missing"] == 7
    assert with_missing(values, 1, 99, 2, 0, 7)["min"] is None
    assert with_missing(values, 1234)["missing"] == 0


def test_masked_values_are_missing_and_play_no_part() -> None:
    values = np.ma.masked_array(np.arange(6.0).reshape(2, 3), [[0, 1, 0], [0, 0, 1]])
    found = of(values)
    assert (found["count"], found["missing"], found["zeros"], found["mean"], found["max"]) == (6, 2, 1, 2.25, 4.0)
    assert of(np.ma.masked_all(4, "i4"))["missing"] == 4 and of(np.ma.masked_all(4, "i4"))["order"] is None


def test_zero_has_no_sign() -> None:
    for values in ([0.0, -0.0], [-0.0, 0.0], [-0.0]):
        found = of(np.array(values))
        assert str(found["min"]) == str(found["max"]) == "0.0" and found["zeros"] == len(values)
        assert found["values"] == [[0.0, len(values)]] and str(found["values"][0][0]) == "0.0"


def test_truth_values_complex_numbers_and_halves() -> None:
    found = of(np.array([[True, False], [True, True]]))
    assert (found["min"], found["max"], found["positive"], found["zeros"]) == (False, True, 3, 1)
    assert found["values"] == [[False, 1], [True, 3]] and found["mean"] is None
    found = of(np.array([1 + 2j, complex(math.nan, 1), 0, 1 + 2j], "c8"))
    assert (found["missing"], found["zeros"], found["min"], found["distinct"], found["duplicates"]) == (
        1,
        1,
        None,
        2,
        1,
    )
    half = Field(b"", plain("bf16"), (2,), None, 2, lambda box: np.array([0x3F80, 0x4000], "<u2"))
    assert counted(half)["mean"] == 1.5 and counted(half)["max"] == 2.0


@pytest.mark.parametrize(
    ("dtype", "low", "high", "step"),
    [
        ("M8[D]", "2026-11-21", "2026-11-23", "1 D"),
        ("M8[ms]", "1970-01-01T00:00:00.001", "1970-01-01T00:00:00.003", "1 ms"),
        ("m8[6h]", "-6 h", "6 h", "6 h"),
    ],
)
def test_times_have_a_range_an_order_and_a_step(dtype: str, low: str, high: str, step: str) -> None:
    first = {"M8[D]": "2026-11-21", "M8[ms]": 1, "m8[6h]": -1}[dtype]
    values = np.array([first], dtype) + np.arange(3).astype(dtype.replace("M", "m"))
    found = of(values)
    assert (found["min"], found["max"], found["order"], found["step"]) == (low, high, "increasing", step)
    assert found["mean"] is None and found["zeros"] is None
    found = of(np.append(values, np.array(["NaT"], dtype)))
    assert (found["missing"], found["order"], found["distinct"]) == (1, None, 3)


def test_many_distinct_values_are_counted_in_one_dimension_only() -> None:
    values = np.random.default_rng(2).permutation(np.repeat(np.arange(30_000.0), 3))
    found = of(values)
    assert (found["distinct"], found["duplicates"], found["values"]) == (30_000, 60_000, None)
    found = of(values.reshape(300, 300))
    assert found["distinct"] is None and found["uncounted"]["distinct"] == "more than 20 in several dimensions"
    few = np.random.default_rng(3).integers(0, 20, (700, 900)).astype("f4")
    few[600, :3] = -5
    assert of(few[:600])["distinct"] == 20 and of(few)["distinct"] is None
    values, counts = np.unique(few[:600], return_counts=True)
    assert of(few[:600])["values"] == [list(pair) for pair in zip(values.tolist(), counts.tolist(), strict=True)]
