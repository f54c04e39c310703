"""Words of numbers: equal for equal values of all types, and mostly for those within a tolerance.

number_hasher(plain("i4"), plain("f8"), Tolerance(), False).one(np.array([1, 2], "i4"))
"""

from __future__ import annotations

import os
from math import log2
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Type
from hpcprov.data.values import Values
from hpcprov.quality.elements import HALF, Tolerance, numbers_of
from hpcprov.quality.tables.hashing import Hash, Hasher, Words, masked, mixed

#: What tells a negative integer from a large one.
NEGATIVE = np.uint64(0xD6E8FEB86659FD93)
SECRET = np.uint64(int.from_bytes(os.urandom(8), "little"))
#: Cells are taken to be close when they round to one number; the grid is that much wider than the tolerance.
SLACK = 64.0
#: A unit in the last place, relative to the number.
UNITS = {HALF: 2.0**-7, "f2": 2.0**-10, "f4": 2.0**-23, "f8": 2.0**-52, "c8": 2.0**-23, "c16": 2.0**-52}


def number_hasher(one: Type, other: Type, within: Tolerance, untyped: bool) -> Hasher:
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

        return masked(words)

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
