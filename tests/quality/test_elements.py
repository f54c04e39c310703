"""Elements compared as numpy.isclose does, and types that are no numbers."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays

from hpcprov.data.types import Text, array, plain, struct
from hpcprov.quality.elements import compared

FLOATS = arrays.arrays("f8", 20, elements=st.floats(width=64) | st.sampled_from([0.0, -0.0, 1.0, 1.0 + 1e-9]))
TOLERANCES = st.sampled_from([0.0, 1e-9, 1e-3, 1.0])


@settings(deadline=None)
@given(FLOATS, FLOATS, TOLERANCES, TOLERANCES)
def test_floats_are_close_as_numpy_says(one: np.ndarray, other: np.ndarray, rtol: float, atol: float) -> None:
    found = compared(one, plain("f8"), other, plain("f8"), 20, rtol=rtol, atol=atol)
    with np.errstate(all="ignore"):
        close = np.isclose(one, other, rtol=rtol, atol=atol, equal_nan=True)
    assert (found.outside == ~close).all()
    assert (found.differs == ~((one == other) | (np.isnan(one) & np.isnan(other)))).all()


@pytest.mark.parametrize(
    ("one", "other"),
    [(5.0, np.inf), (np.inf, 5.0), (np.inf, -np.inf), (np.finfo("f8").max, np.inf), (np.inf, np.nan)],
)
def test_infinities_are_close_to_themselves_only(one: float, other: float) -> None:
    sides = np.array([one]), plain("f8"), np.array([other]), plain("f8")
    found = compared(*sides, 1, rtol=2.0, atol=1e300, ulp=2**63)
    assert found.outside.tolist() == [True] and found.apart is not None and np.isnan(found.apart).all()
    same = np.array([np.inf, -np.inf])
    assert not compared(same, plain("f8"), same, plain("f8"), 2, rtol=0.0, atol=0.0).differs.any()


@settings(deadline=None)
@given(arrays.arrays("i8", 9), arrays.arrays("i8", 9))
def test_integers_are_subtracted_exactly(one: np.ndarray, other: np.ndarray) -> None:
    found = compared(one, plain("i8"), other, plain("i8"), 9, rtol=0.0, atol=0.0)
    assert found.apart is not None
    assert found.apart.tolist() == [float(abs(int(a) - int(b))) for a, b in zip(one, other, strict=True)]
    assert (found.outside == (one != other)).all()


def test_integers_beyond_what_a_float_holds_differ() -> None:
    one, other = np.array([2**63 - 1]), np.array([2**63 - 2])
    assert compared(one, plain("i8"), other, plain("i8"), 1, rtol=0.0, atol=0.0).outside.tolist() == [True]


@pytest.mark.parametrize(
    ("one", "kind", "other", "other_kind"),
    [
        (2**53 + 1, "i8", 2.0**53, "f8"),
        (2**63 - 1, "i8", 2**63, "u8"),
        (2**53 + 1, "u8", 2.0**53 + 0j, "c16"),
        (2**64 - 1, "u8", 2.0**64, "f8"),
        (2**24 + 1, "i8", 2.0**24, "f4"),
    ],
)
def test_integers_differ_from_other_types_by_what_a_double_cannot_hold(
    one: int, kind: str, other: float, other_kind: str
) -> None:
    left, right = np.array([one], kind), np.array([other], other_kind)
    for sides in ((left, plain(kind), right, plain(other_kind)), (right, plain(other_kind), left, plain(kind))):
        found = compared(*sides, 1, rtol=0.0, atol=0.0)
        assert found.outside.tolist() == [True] and found.apart is not None and found.apart.tolist() == [1.0]
        assert compared(*sides, 1, rtol=0.0, atol=1.0).outside.tolist() == [False]


@pytest.mark.parametrize("order", "<>")
def test_byte_order_and_width_do_not_matter(order: str) -> None:
    one, other = np.array([1.5, 2.5], f"{order}f4"), np.array([1.5, 2.5])
    assert not compared(one, plain("f4"), other, plain("f8"), 2, rtol=0.0, atol=0.0).differs.any()


def test_a_bfloat16_is_the_upper_half_of_a_float() -> None:
    halves = np.array([0x3F80, 0x4000], "<u2")  # 1, 2
    found = compared(halves, plain("bf16"), np.array([1.0, 2.5], "f4"), plain("f4"), 2, rtol=0.0, atol=0.0)
    assert found.differs.tolist() == [False, True] and found.apart is not None and found.apart[1] == 0.5


def test_what_is_missing_equals_what_is_missing_and_nothing_else() -> None:
    one = np.ma.array([1.0, 2.0, 3.0, 4.0], mask=[True, True, False, False])
    other = np.ma.array([9.0, 2.0, 3.0, 5.0], mask=[True, False, False, False])
    assert compared(one, plain("f8"), other, plain("f8"), 4, rtol=0.0, atol=2.0).outside.tolist() == [
        False, True, False, False
    ]  # fmt: skip


def test_members_of_structs_have_their_tolerance_and_text_has_none() -> None:
    kind = struct([(b"x", plain("f8")), (b"n", plain("i4"))])
    dtype = [("x", "f8"), ("n", "i4")]
    one, other = np.array([(1.0, 1), (1.0, 2)], dtype), np.array([(1.1, 1), (1.0, 3)], dtype)
    found = compared(one, kind, other, kind, 2, rtol=0.0, atol=0.2)
    assert found.differs.tolist() == [True, True] and found.outside.tolist() == [False, True]
    words = compared(np.array(["a", "b"], "O"), Text(), np.array(["a", "c"], "O"), Text(), 2, rtol=9.0, atol=9.0)
    assert words.outside.tolist() == [False, True] and words.apart is None


def test_an_element_of_several_numbers_is_one() -> None:
    kind = array((2,), plain("f4"))
    one, other = np.zeros((3, 2), "f4"), np.array([[0, 0], [0, 3], [1, 0]], "f4")
    found = compared(one, kind, other, kind, 3, rtol=0.0, atol=2.0)
    assert found.outside.tolist() == [False, True, False]
    assert found.apart is not None and found.apart.tolist() == [0.0, 3.0, 1.0]


def test_complex_numbers_are_apart_by_their_distance() -> None:
    one, other = np.array([3 + 4j, np.nan + 1j]), np.array([0j, np.nan + 1j])
    found = compared(one, plain("c16"), other, plain("c16"), 2, rtol=0.0, atol=4.9)
    assert found.outside.tolist() == [True, False] and found.apart is not None and found.apart[0] == 5.0
