"""Canonical JSON against RFC 8785's own samples and against another implementation of it."""

from __future__ import annotations

import json
import struct
from typing import Any

import pytest
import rfc8785
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.record.canonical import canonical, digest, former

# Appendix B of the RFC: bits of a double, and what is written.
NUMBERS = {
    "0000000000000000": "0",
    "8000000000000000": "0",
    "0000000000000001": "5e-324",
    "8000000000000001": "-5e-324",
    "7fefffffffffffff": "1.7976931348623157e+308",
    "ffefffffffffffff": "-1.7976931348623157e+308",
    "4340000000000000": "9007199254740992",
    "c340000000000000": "-9007199254740992",
    "4430000000000000": "295147905179352830000",
    "44b52d02c7e14af5": "9.999999999999997e+22",
    "44b52d02c7e14af6": "1e+23",
    "44b52d02c7e14af7": "1.0000000000000001e+23",
    "444b1ae4d6e2ef4e": "999999999999999700000",
    "444b1ae4d6e2ef4f": "999999999999999900000",
    "444b1ae4d6e2ef50": "1e+21",
    "3eb0c6f7a0b5ed8c": "9.999999999999997e-7",
    "3eb0c6f7a0b5ed8d": "0.000001",
    "41b3de4355555553": "333333333.3333332",
    "41b3de4355555554": "333333333.33333325",
    "41b3de4355555555": "333333333.3333333",
    "41b3de4355555556": "333333333.3333334",
    "41b3de4355555557": "333333333.33333343",
    "becbf647612f3696": "-0.0000033333333333333333",
    "43143ff3c1cb0959": "1424953923781206.2",
}
# What both know: no integers beyond 53 bits, no lone surrogates.
TEXT = st.text(st.characters(exclude_categories=["Cs"]))
INTEGERS = st.integers(-(2**53) + 1, 2**53 - 1)
LEAVES = st.none() | st.booleans() | INTEGERS | st.floats(allow_nan=False, allow_infinity=False) | TEXT
VALUES = st.recursive(LEAVES, lambda inner: st.lists(inner, max_size=20) | st.dictionaries(TEXT, inner), max_leaves=40)


@pytest.mark.parametrize(("bits", "text"), NUMBERS.items())
def test_numbers_of_the_rfc(bits: str, text: str) -> None:
    assert canonical(struct.unpack(">d", bytes.fromhex(bits))[0]).decode() == text


def test_the_example_of_the_rfc() -> None:
    value = json.loads(
        r"""{"numbers": [333333333.33333329, 1E30, 4.50, 2e-3, 0.000000000000000000000000001],
        "string": "\u20ac$\u000F\u000aA'\u0042\u0022\u005c\\\"\/", "literals": [null, true, false]}"""
    )
    expected = r"""{"literals":[null,true,false],"numbers":[333333333.3333333,1e+30,4.5,0.002,1e-27],"""
    expected += r""""string":"€$\u000f\nA'B\"\\\\\"/"}"""
    assert canonical(value).decode() == expected


def test_names_are_sorted_by_utf_16() -> None:
    names = ["\u20ac", "\r", "\ufb33", "1", "\U0001f600", "\u0080", "\u00f6"]
    assert list(json.loads(canonical(dict.fromkeys(names)))) == [
        *("\r", "1", "\u0080", "\u00f6", "\u20ac", "\U0001f600", "\ufb33")
    ]


@given(VALUES)
def test_it_is_what_another_implementation_writes(value: Any) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.lists(st.floats(allow_nan=False, allow_infinity=False) | INTEGERS | st.none(), min_size=17))
def test_columns_are_what_another_implementation_writes(value: list[Any]) -> None:
    assert canonical(value) == rfc8785.dumps(value)


@given(st.recursive(st.text() | st.integers(), lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner)))
def test_beyond_the_rfc_nothing_is_lost(value: Any) -> None:
    again = json.loads(canonical(value))
    assert canonical(again) == canonical(value)
    assert former(again) == former(json.loads(former(value)))


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("a\udcff", rb'"a\udcff"'),
        ("\ud83d\ude00", '"\U0001f600"'.encode()),
        ("\udc80\ud83d", rb'"\udc80\ud83d"'),
        (1795270921763230901, b"1795270921763230901"),
        ({"\ud83d\ude00": 1, "\ufb33": 2}, '{"\U0001f600":1,"\ufb33":2}'.encode()),
        ({}, b"{}"),
        ([[], (1, 2)], b"[[],[1,2]]"),
    ],
)
def test_what_records_have_beyond_the_rfc(value: Any, text: bytes) -> None:
    assert canonical(value) == text


def deep(levels: int) -> Any:
    value: Any = 1
    for _ in range(levels):
        value = [value]
    return value


@pytest.mark.parametrize(
    "value", [float("nan"), float("-inf"), [1, float("inf")], [1.5] * 20 + [float("nan")], deep(9999)]
)
def test_what_has_no_canonical_json(value: Any) -> None:
    with pytest.raises(ValueError):
        canonical(value)


@pytest.mark.parametrize("value", [{1: 2}, {1, 2}, b"x", object()])
def test_what_is_no_json(value: Any) -> None:
    with pytest.raises(TypeError):
        canonical(value)


def test_digests() -> None:
    assert digest({}) == "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
