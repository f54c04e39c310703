"""Tokens, nominal sizes and canonical bytes, as tables and as laws against the reference."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.arrays import type_of
from hpcprov.data.types import Text, Unsigned, array, datetime, list_of, opaque, plain, struct, time
from hpcprov.data.values import encode
from hpcprov.signature import reference

u64 = reference.u64


@pytest.mark.parametrize(
    ("kind", "token", "text", "nominal"),
    [
        (plain("f4"), b"f4", "f4", 4),
        (opaque(0), b"V0", "V0", 0),
        (time("M8", "ns"), b"M8[1ns]", "M8[1ns]", 8),
        (time("M8", "us", utc=True), b"M8[1us,UTC]", "M8[1us,UTC]", 8),
        (datetime("m8[25s]"), b"m8[25s]", "m8[25s]", 8),
        (Text(), b"str", "str", 16),
        (list_of(plain("u1")), b"list(u1)", "list(u1)", 16),
        (array((2, 3), plain("f8")), b"array[2,3](f8)", "array[2,3](f8)", 48),
        (array((2,), array((3,), plain("f8"))), b"array[2,3](f8)", "array[2,3](f8)", 48),
        (array((2,), Text()), b"array[2](str)", "array[2](str)", 32),
        (struct([]), b"struct[0]()", "struct()", 0),
        (
            struct([(b"x", plain("f4")), (b"", Text())]),
            b"struct[2](" + u64(1) + b"x" + u64(2) + b"f4" + u64(0) + u64(3) + b"str)",
            "struct(x f4,  str)",
            20,
        ),
        (struct([(b"r", plain("f4")), (b"i", plain("f4"))]), b"c8", "c8", 8),
        (struct([(b"r", plain("f8")), (b"i", plain("f8"))]), b"c16", "c16", 16),
    ],
)
def test_tokens(kind: Any, token: bytes, text: str, nominal: int) -> None:
    assert (kind.token, kind.text, kind.nominal) == (token, text, nominal)


@pytest.mark.parametrize("members", [["i", "r"], ["r", "i", "j"], ["R", "I"], ["r"]])
def test_other_structs_are_not_complex(members: list[str]) -> None:
    assert struct([(name.encode(), plain("f4")) for name in members]).token.startswith(b"struct")


def test_struct_of_two_float_types_is_not_complex() -> None:
    assert struct([(b"r", plain("f4")), (b"i", plain("f8"))]).token.startswith(b"struct")


@pytest.mark.parametrize("text", ["M8", "m8[generic]", "M8[furlong]"])
def test_times_need_a_unit(text: str) -> None:
    with pytest.raises(Unsigned):
        datetime(text)


TOKENS = ["u1", "i2", "u4", "i8", "f2", "f4", "f8", "c8", "c16", "?", "S3", "U2", "M8[7ms]", "V5"]


@st.composite
def dtypes(draw: st.DrawFn, depth: int = 2) -> np.dtype[Any]:
    """Numpy types of any byte order, padding and nesting."""
    order = draw(st.sampled_from("<>"))
    if depth == 0 or draw(st.booleans()):
        return np.dtype(draw(st.sampled_from(TOKENS))).newbyteorder(order)
    names = draw(st.lists(st.sampled_from(["a", "b", "r", "i", "é", "x y"]), min_size=1, max_size=3, unique=True))
    members: list[Any] = [(name, draw(dtypes(depth - 1)), draw(st.sampled_from([(), (2,), (1, 3)]))) for name in names]
    return np.dtype(members, align=draw(st.booleans()))


def described(dtype: np.dtype[Any]) -> Any:
    """The reference's type of a numpy type, found on its own."""
    if dtype.subdtype is not None:
        return "array", dtype.subdtype[1], described(dtype.subdtype[0])
    if dtype.names is not None:
        members = [(name.encode(), described(dtype[name])) for name in dtype.names]
        if dtype.names == ("r", "i") and members[0][1] == members[1][1] in ("f4", "f8"):
            return {"f4": "c8", "f8": "c16"}[members[0][1]]
        return "struct", tuple(members)
    if dtype.kind in "SU":
        return "str"
    return {"?": "bool"}.get(dtype.char, dtype.newbyteorder("=").str[1:])


def item_of(kind: Any, dtype: np.dtype[Any], octets: bytes) -> Any:
    """An element as the reference takes it, from its bytes in memory."""
    if dtype.subdtype is not None:
        base = dtype.subdtype[0]
        return [item_of(kind[2], base, octets[at : at + base.itemsize]) for at in range(0, len(octets), base.itemsize)]
    if dtype.names is not None:
        parts = [(dtype.fields[name][0], dtype.fields[name][1]) for name in dtype.names]  # type: ignore[index]
        inner = [member for _, member in kind[1]] if isinstance(kind, tuple) else ["f4" if kind == "c8" else "f8"] * 2
        found = [item_of(k, d, octets[at : at + d.itemsize]) for k, (d, at) in zip(inner, parts, strict=True)]
        return tuple(found) if isinstance(kind, tuple) else b"".join(found)
    if kind == "str":
        text = np.frombuffer(octets, dtype)[0]
        return text.encode() if isinstance(text, str) else bytes(text)
    size = len(octets) // 2 if kind in ("c8", "c16") else len(octets)
    swap = dtype.byteorder == ">" and dtype.kind != "V"
    return b"".join(octets[at : at + size][:: -1 if swap else 1] for at in range(0, len(octets), size or 1))


@settings(deadline=None, max_examples=300)
@given(dtypes(), st.integers(0, 3), st.integers(0, 2**32))
def test_encoding_is_that_of_the_reference(dtype: np.dtype[Any], count: int, seed: int) -> None:
    # 0 and 1 only: any bytes are fine for numbers, but UTF-32 must be text and a bool 00 or 01.
    octets = np.random.default_rng(seed).integers(0, 2, dtype.itemsize * count, np.uint8).tobytes()
    octets = octets if not _has_text(dtype) else bytes(dtype.itemsize * count)
    values, kind = np.frombuffer(octets, dtype), type_of(dtype)
    described_type = described(dtype)
    items = [
        item_of(described_type, dtype, octets[at * dtype.itemsize : (at + 1) * dtype.itemsize]) for at in range(count)
    ]
    assert kind.token == reference.token(described_type)
    assert kind.nominal == reference.nominal(described_type)
    assert bytes(encode(values, kind, count)) == b"".join(reference.encode(described_type, item) for item in items)


def _has_text(dtype: np.dtype[Any]) -> bool:
    base = dtype.subdtype[0] if dtype.subdtype is not None else dtype
    return any(_has_text(base[name]) for name in base.names) if base.names is not None else base.kind == "U"


def test_text_that_is_not_well_formed_keeps_differing() -> None:
    assert bytes(encode(np.array(["\ud800"], object), Text(), 1)) == reference.s(b"\xed\xa0\x80")


def test_what_is_not_text_is_not_passed_off_as_text() -> None:
    with pytest.raises(ValueError, match="int where text"):
        encode(np.array([5], object), Text(), 1)
