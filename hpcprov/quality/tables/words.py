"""Cells of a column as 64-bit words: equal words for equal values, whatever types the two columns have.

    hasher = words_of(plain("i4"), plain("f8"))
    hasher.one(np.array([1, 2], "i4"))  ==  hasher.other(np.array([1.0, 2.0]))

Numbers are equal by value, times when they are the same instant, text by its bytes; text against numbers or times by
what it says. -0.0 is 0.0 and every NaN is the same, as in `quality.elements`. The words of fixed-size values are a
bijection of their bits; those of text are Python's keyed hash, so that nobody can make a file whose cells collide.
Words hold in one process only.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass
from math import log2
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Text, Type
from hpcprov.data.values import NOT_A_TIME, Values, emptied, encode_each, missing_of, text_of
from hpcprov.quality.elements import HALF, Tolerance, is_number, numbers_of
from hpcprov.quality.tables import saying

Words: TypeAlias = NDArray[np.uint64]
Hash: TypeAlias = Callable[[Values], Words]

GOLDEN = 0x9E3779B97F4A7C15
#: What stands for a missing cell, and what tells a negative integer from a large one.
MISSING, NEGATIVE = np.uint64(0x5BD1E995A3C59AC3), np.uint64(0xD6E8FEB86659FD93)
SECRET = np.uint64(int.from_bytes(os.urandom(8), "little"))
#: Attoseconds of each unit of fixed length.
ATTO = {
    "as": 1, "fs": 10**3, "ps": 10**6, "ns": 10**9, "us": 10**12, "ms": 10**15, "s": 10**18, "m": 60 * 10**18,
    "h": 3600 * 10**18, "D": 86400 * 10**18, "W": 7 * 86400 * 10**18,
}  # fmt: skip
#: Cells are taken to be close when they round to one number; the grid is that much wider than the tolerance.
SLACK = 64.0
#: A unit in the last place, relative to the number.
UNITS = {HALF: 2.0**-7, "f2": 2.0**-10, "f4": 2.0**-23, "f8": 2.0**-52, "c8": 2.0**-23, "c16": 2.0**-52}


@dataclass(frozen=True)
class Hasher:
    """What makes words of the cells of both columns; `coarse` when cells with one word may still differ, `note` when
    the types differ and it should be said how they were compared. `rounded` is the float type that both are rounded to
    before they are compared."""

    one: Hash
    other: Hash
    coarse: bool = False
    note: str | None = None
    rounded: str | None = None


def words_of(one: Type, other: Type, within: Tolerance | None = None, *, untyped: bool = False) -> Hasher | None:
    """How cells of two types are compared; None when they cannot be. `untyped` when one of the tables is text, where
    all floats look alike: then the type of the other counts."""
    if is_number(one) and is_number(other):
        return _number_hasher(one, other, within or Tolerance(), untyped)
    if _is_time(one) and _is_time(other):
        return _time_hasher(one.text, other.text)
    if isinstance(one, Text) and isinstance(other, Text):
        note = None if one.text == other.text else f"{one.text} against {other.text}: compared as bytes"
        return Hasher(_text_words(one), _text_words(other), note=note)
    if isinstance(one, Text) or isinstance(other, Text):
        return _said_hasher(one, other)
    if one.token != other.token:
        return None
    same = _masked(lambda flat: _hashes(encode_each(flat, one)))
    return Hasher(same, same)


def mixed(words: Words) -> Words:
    """splitmix64's finaliser, a bijection of 64 bits (Steele et al., OOPSLA 2014); a new array."""
    found = words ^ (words >> np.uint64(30))
    found *= np.uint64(0xBF58476D1CE4E5B9)
    found ^= found >> np.uint64(27)
    found *= np.uint64(0x94D049BB133111EB)
    found ^= found >> np.uint64(31)
    return found


def flat_of(values: Values) -> tuple[Values, NDArray[np.bool_] | None]:
    """The cells along the first axis, and which of them are missing (None: none)."""
    missing = missing_of(values, len(values))
    return (np.ma.getdata(values) if missing is None else emptied(values, missing)), missing


def texts(flat: Values, kind: Text) -> list[bytes]:
    """The raw bytes of each text."""
    if kind.decode is None and flat.dtype.kind == "O":
        items: list[bytes] = flat.tolist()
        if set(map(type, items)) <= {bytes}:
            return items
    return (kind.decode or text_of)(flat)


def _masked(words: Callable[[Values], Words]) -> Hash:
    """Missing cells have a word of their own."""

    def hashed(values: Values) -> Words:
        flat, missing = flat_of(values)
        found = words(flat) if len(flat) else np.empty(0, np.uint64)
        if missing is not None:
            found[missing] = MISSING
        return found

    return hashed


def _text_words(kind: Text) -> Hash:
    return _masked(lambda flat: _hashes(texts(flat, kind)))


def _hashes(items: list[Any]) -> Words:
    return np.fromiter(map(hash, items), np.int64, len(items)).view(np.uint64)


def _is_time(kind: Type) -> bool:
    return kind.text.startswith(("M8", "m8"))


# Numbers


def _number_hasher(one: Type, other: Type, within: Tolerance, untyped: bool) -> Hasher:
    narrow = _narrower(one.text, other.text)
    whole = all(kind.text[0] in "iu" or kind.text == "bool" for kind in (one, other))
    relative = max(within.rtol, (within.ulp or 0) * min(UNITS.get(kind.text, 0.0) for kind in (one, other)))
    grid = (relative * SLACK, within.atol * SLACK)
    close = any(grid) and not whole  # whole numbers that are close are found as changed ones, and then are

    def hash_of(kind: Type) -> Hash:
        def words(flat: Values) -> Words:
            found = numbers_of(flat, kind)
            if found.dtype.kind == "c":
                return mixed(_float_words(found.real, narrow, grid)) + _float_words(found.imag, narrow, grid)
            if whole:
                return _integer_words(found)
            words = _float_words(found, narrow, grid)
            if found.dtype.kind in "iu" and found.dtype.itemsize == 8 and not any(grid):
                words = words ^ _beyond_double(found)
            return mixed(words) + _float_words(np.zeros(1), narrow, grid) if is_complex else words

        return _masked(words)

    is_complex = "c" in (one.text[0], other.text[0])
    rounded = narrow if untyped and narrow != HALF else None
    coarse = close or (narrow is not None and rounded is None) or (within.nan_differs and not whole)
    note = None if rounded is None else f"{one.text} against {other.text}: compared as {rounded}"
    return Hasher(hash_of(one), hash_of(other), coarse, note, rounded)


def _narrower(one: str, other: str) -> str | None:
    """The float type that the other one is to be rounded to, so that rows are found again that were kept in less."""
    if one == other or one not in UNITS or other not in UNITS:
        return None
    return max((one, other), key=lambda name: UNITS[name])


def _integer_words(found: NDArray[Any]) -> Words:
    words = found.astype(np.int64).view(np.uint64) if found.dtype.kind == "i" else found.astype(np.uint64)
    return words ^ np.where(found < 0, NEGATIVE, np.uint64(0)) if found.dtype.kind == "i" else words


def _beyond_double(integers: NDArray[Any]) -> Words:
    """What a double has no digits for of each integer, as a word that nobody can foresee; 0 where there is nothing."""
    left = (integers.astype(np.longdouble) - integers.astype(np.float64)).astype(np.int64).view(np.uint64)
    return np.where(left == 0, np.uint64(0), mixed(left ^ SECRET))


def _float_words(found: NDArray[Any], narrow: str | None, grid: tuple[float, float]) -> Words:
    with np.errstate(all="ignore"):
        wide = found.astype(np.float64)
        if narrow is not None:
            wide = _rounded(wide, narrow)
        if grid[0] > 0:
            wide = _shortened(wide, grid[0])
        if grid[1] > 0:
            wide = np.where(np.isfinite(wide), np.round(wide / grid[1]), wide)
        wide = wide + 0.0  # -0.0 becomes 0.0
        wide[wide != wide] = np.nan
    return wide.view(np.uint64)


def _rounded(wide: NDArray[np.float64], narrow: str) -> NDArray[np.float64]:
    if narrow == HALF:
        return _shortened(wide, UNITS[HALF])
    return wide.astype(narrow).astype(np.float64)


def _shortened(wide: NDArray[np.float64], relative: float) -> NDArray[np.float64]:
    """Numbers with so few bits that those within `relative` of each other mostly become one."""
    drop = int(min(51, max(0, 52 + log2(min(relative, 0.5)))))
    bits = wide.view(np.int64)
    finite = np.isfinite(wide)
    half = np.int64(1 << drop >> 1)
    cut: NDArray[np.int64] = (bits + half) >> np.int64(drop) << np.int64(drop)
    return np.where(finite, cut, bits).view(np.float64)


# Times


def _time_hasher(one: str, other: str) -> Hasher | None:
    if one[:2] != other[:2]:
        return None
    zones = [text.endswith(",UTC]") for text in (one, other)]
    note = None
    if zones[0] != zones[1]:
        note = f"{one} against {other}: times without a zone taken as UTC"
    if one.replace(",UTC", "") == other.replace(",UTC", ""):
        same = _masked(_time_words)
        return Hasher(same, same, note=note)
    steps = [_step(text) for text in (one, other)]
    if None in steps:
        return None
    coarse = max(steps)  # type: ignore[type-var]
    if any(coarse % step for step in steps) or any(coarse // step >= 2**63 for step in steps):  # type: ignore[operator]
        return None
    ratios = [coarse // step for step in steps]  # type: ignore[operator]
    what = "instants" if one.startswith("M8") else "durations"
    note = note or f"{one} against {other}: the same {what} are equal"
    return Hasher(_masked(_in_parts(ratios[0])), _masked(_in_parts(ratios[1])), note=note)


def _step(text: str) -> int | None:
    """Attoseconds of one count; None for years and months, which differ in length."""
    unit, count = np.datetime_data(np.dtype(text.replace(",UTC", "")))
    return ATTO[unit] * count if unit in ATTO else None


def counts_of(flat: Values) -> NDArray[np.int64]:
    """The 64-bit counts of times, however the reader gives them."""
    if flat.dtype.kind in "mM":
        return flat.astype(flat.dtype.newbyteorder("=")).view(np.int64)
    return flat.astype(np.int64)


def _time_words(flat: Values) -> Words:
    counts = counts_of(flat)
    words = counts.view(np.uint64).copy()
    words[counts == NOT_A_TIME] = MISSING
    return words


def _in_parts(ratio: int) -> Callable[[Values], Words]:
    """A count of fine steps as coarse steps and a rest: no number overflows."""

    def words(flat: Values) -> Words:
        counts = counts_of(flat)
        whole, rest = np.divmod(counts, np.int64(ratio))
        found = mixed(whole.view(np.uint64)) + rest.view(np.uint64)
        found[counts == NOT_A_TIME] = MISSING
        return found

    return words


# Text against other types


def _said_hasher(one: Type, other: Type) -> Hasher | None:
    kind = other if isinstance(one, Text) else one
    if is_number(kind) and kind.text[0] != "c":
        parse: Callable[[bytes], Any] = saying.truth if kind.text == "bool" else saying.number
        values: Callable[[Values], list[Any]] = lambda flat: numbers_of(flat, kind).tolist()  # noqa: E731
        if kind.text == "bool":
            values = lambda flat: (numbers_of(flat, kind) != 0).tolist()  # noqa: E731
    elif kind.text.startswith("M8") and _step(kind.text) is not None:
        step = _step(kind.text) or 1
        parse = saying.instant
        values = lambda flat: [saying.attoseconds(count, step) for count in counts_of(flat).tolist()]  # noqa: E731
    else:
        return None

    def hash_of(mine: Type) -> Hash:
        if isinstance(mine, Text):
            return _masked(lambda flat: _said(list(map(parse, texts(flat, mine)))))
        return _masked(lambda flat: _said(values(flat)))

    note = f"{one.text} against {other.text}: compared by what the text says"
    return Hasher(hash_of(one), hash_of(other), note=note)


def _said(items: list[Any]) -> Words:
    """Equal numbers of all types have one word; every NaN is one, None is missing."""
    found = _hashes(list(map(_spelled, items)))
    gone = np.fromiter((item is None for item in items), np.bool_, len(items))
    found[gone] = MISSING
    return found


def _spelled(item: Any) -> str | bytes | None:
    """What equal numbers have in common, as text, whose hash is keyed: that of numbers is not, and -1 has that of -2.
    Bytes that say no number begin with a byte that no number begins with."""
    if item is None:
        return None
    if isinstance(item, bytes):
        return b"=" + item
    return str(int(item)) if isinstance(item, int) or item.is_integer() else repr(item)
