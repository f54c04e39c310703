"""Words of cells: equal for equal values of any two types, and for no others."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.data.types import Text, Type, plain, time
from hpcprov.quality.elements import Tolerance
from hpcprov.quality.tables import saying
from hpcprov.quality.tables.words import words_of

NUMBERS = {
    "i1": (-128, 127), "i4": (-(2**31), 2**31 - 1), "i8": (-(2**63), 2**63 - 1), "u1": (0, 255), "u8": (0, 2**64 - 1),
}  # fmt: skip


def equal(one: Any, kind: Type, other: Any, other_kind: Type, within: Tolerance | None = None) -> list[bool]:
    hasher = words_of(kind, other_kind, within)
    assert hasher is not None
    found: list[bool] = (hasher.one(one) == hasher.other(other)).tolist()
    return found


@given(st.sampled_from(list(NUMBERS)), st.sampled_from(list(NUMBERS)), st.data())
def test_integers_of_any_types_are_equal_by_value(one: str, other: str, data: st.DataObject) -> None:
    near = st.integers(-130, 260) | st.integers(2**63 - 2, 2**63 + 2) | st.integers(-(2**63), -(2**63) + 2)
    left, right = (data.draw(near.filter(lambda n, ends=NUMBERS[k]: ends[0] <= n <= ends[1])) for k in (one, other))
    got = equal(np.array([left], one), plain(one), np.array([right], other), plain(other))
    assert got == [left == right]


@given(st.floats(), st.floats(), st.booleans())
def test_floats_are_equal_as_numbers_are(one: float, other: float, again: bool) -> None:
    other = one if again else other
    expected = one == other or (one != one and other != other)
    assert equal(np.array([one]), plain("f8"), np.array([other]), plain("f8")) == [expected]


@given(st.integers(-(2**53), 2**53))
def test_text_against_numbers_is_what_it_says(number: int) -> None:
    text = np.array([str(number).encode(), f" {number}.0 ".encode(), b"n/a", b""], object)
    assert equal(text, Text(), np.array([number] * 4), plain("i8")) == [True, True, False, False]


@pytest.mark.parametrize(
    ("text", "number"), [(b"-1", -2), (b"0", 2**61 - 1), (b"7", 2**61 + 6), (b"314159", np.inf), (b"nan", np.inf)]
)
def test_numbers_whose_hashes_are_equal_are_not(text: bytes, number: Any) -> None:
    cells = np.array([text, str(number).encode()], object)
    kind = "i8" if isinstance(number, int) else "f8"
    assert equal(cells, Text(), np.array([number] * 2, kind), plain(kind)) == [False, True]


def test_integers_are_no_floats_that_lack_their_last_digits() -> None:
    for kind, number in (("i8", 2**53 + 1), ("i8", -(2**62) - 1), ("u8", 2**63 + 1), ("u8", 2**64 - 1)):
        one = np.array([number, 2**53, 5], kind)
        for other in ("f8", "c16"):
            floats = np.array([float(number), 2.0**53, 5.0], other)
            assert equal(one, plain(kind), floats, plain(other)) == [False, True, True]


def test_missing_cells_are_equal_to_missing_ones_only() -> None:
    one = np.ma.MaskedArray([0, 0, 5], mask=[True, False, True])
    other = np.ma.MaskedArray([7.0, 0.0, 5.0], mask=[True, True, False])
    assert equal(one, plain("i8"), other, plain("f8")) == [True, False, False]


@pytest.mark.parametrize(("unit", "ratio"), [("ms", 10**3), ("ns", 10**9)])
@given(st.integers(-(10**9), 10**9), st.integers(-1, 1))
def test_times_are_equal_when_they_are_one_instant(unit: str, ratio: int, seconds: int, off: int) -> None:
    fine = np.array([seconds * ratio + off], f"M8[{unit}]")
    got = equal(np.array([seconds], "M8[s]"), time("M8", "s"), fine, time("M8", unit, utc=True))
    assert got == [off == 0]


def test_the_largest_times_do_not_overflow() -> None:
    days = np.array([10**15, -(10**15)], "M8[D]")
    got = equal(days, time("M8", "D"), np.array([2**62, -(2**62)], "M8[ns]"), time("M8", "ns"))
    assert got == [False, False]
    assert words_of(time("M8", "Y"), time("M8", "ns")) is None
    assert words_of(time("M8", "s"), time("m8", "s")) is None


def test_cells_within_a_tolerance_mostly_become_one() -> None:
    values = np.random.default_rng(1).normal(size=10_000)
    for within in (Tolerance(rtol=1e-6), Tolerance(atol=1e-6), Tolerance(ulp=4)):
        moved = values * (1 + 1e-7) if within.rtol else values + 1e-7 if within.atol else np.nextafter(values, np.inf)
        assert np.mean(equal(values, plain("f8"), moved, plain("f8"), within)) > 0.95
        assert np.mean(equal(values, plain("f8"), values + 1.0, plain("f8"), within)) < 0.05


@pytest.mark.parametrize(
    ("text", "number"),
    [
        (b"1", 1),
        (b"+1e3 ", 1000.0),
        (b"1e9999999", b"1e9999999"),
        (b"0x10", b"0x10"),
        (b"1_0", b"1_0"),
        (b"\xff", b"\xff"),
    ],
)
def test_what_is_a_number(text: bytes, number: Any) -> None:
    assert saying.number(text) == number


def test_what_is_an_instant() -> None:
    hour = 3600 * 10**18
    assert saying.instant(b"1970-01-01T02:00:00+01:00") == hour
    assert saying.instant(b"1970-01-01 01:00") == hour
    assert saying.instant(b"1970-01-01T01:00:00.000000000000000001Z") == hour + 1
    for text in (b"1970-02-30", b"1970-01-01T25:00", b"soon", b"9" * 5000):
        assert saying.instant(text) == text
