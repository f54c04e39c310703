"""What words of cells are made with: the pair of functions for two columns, missing cells, and mixing of bits.

masked(hashes)(np.ma.masked_array([b"a", b"b"], [False, True]))    # the second word is MISSING
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Text
from hpcprov.data.values import Values, emptied, missing_of, text_of

Words: TypeAlias = NDArray[np.uint64]
Hash: TypeAlias = Callable[[Values], Words]

GOLDEN = 0x9E3779B97F4A7C15
#: What stands for a missing cell.
MISSING = np.uint64(0x5BD1E995A3C59AC3)


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


def masked(words: Callable[[Values], Words]) -> Hash:
    """Missing cells have a word of their own."""

    def hashed(values: Values) -> Words:
        flat, missing = flat_of(values)
        found = words(flat) if len(flat) else np.empty(0, np.uint64)
        if missing is not None:
            found[missing] = MISSING
        return found

    return hashed


def hashes(items: list[Any]) -> Words:
    return np.fromiter(map(hash, items), np.int64, len(items)).view(np.uint64)
