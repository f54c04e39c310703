"""Cells of two columns compared as values, and one cell as JSON can hold it.

>>> told(np.array([1.5, np.nan]), plain("f8"))
[1.5, 'nan']
"""

from __future__ import annotations

from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.types import Text, Type, plain
from hpcprov.data.values import NOT_A_TIME, Values
from hpcprov.quality import times
from hpcprov.quality.elements import Compared, Tolerance, compared, is_number, numbers_of
from hpcprov.quality.tables.columns import Pair
from hpcprov.quality.tables.hashing import flat_of, texts
from hpcprov.quality.tables.words_times import counts_of

Cell: TypeAlias = str | int | float | bool | None

#: Characters of a cell that are told.
LONGEST = 1000
#: Attributes of a cell that is no value: missing, not a number, or empty text.
MISSING, NAN, EMPTY = "missing", "nan", "empty"


def unlike(pair: Pair, one: Values, other: Values, within: Tolerance) -> Compared:
    """Which cells differ, as `quality.elements` tells it, the first table being the one that counts as right; of types
    that are not the same by their words."""
    kind, other_kind = pair.one.type, pair.other.type
    numbers = is_number(kind) and is_number(other_kind)
    if pair.hasher is not None and pair.hasher.rounded is not None:
        one, kind = _rounded(one, kind, pair.hasher.rounded)
        other, other_kind = _rounded(other, other_kind, pair.hasher.rounded)
    if numbers or (kind.token == other_kind.token and not isinstance(kind, Text) and kind.text[:2] not in ("M8", "m8")):
        return compared(other, other_kind, one, kind, len(one), **within._asdict())
    assert pair.hasher is not None
    differs = pair.hasher.one(one) != pair.hasher.other(other)
    return Compared(differs, differs.copy())


def _rounded(values: Values, kind: Type, name: str) -> tuple[Values, Type]:
    flat, missing = flat_of(values)
    with np.errstate(over="ignore"):
        found = numbers_of(flat, kind).astype(name)
    return (found if missing is None else np.ma.MaskedArray(found, mask=missing)), plain(name)


def without_value(values: Values, kind: Type) -> dict[str, Any]:
    """Of each cell whether it is missing, NaN or empty text; a kind that no cell can be is left out."""
    flat, missing = flat_of(values)
    gone = np.zeros(len(flat), np.bool_) if missing is None else missing
    if isinstance(kind, Text):
        empty = np.fromiter((not text for text in texts(flat, kind)), np.bool_, len(flat))
        return {MISSING: gone, EMPTY: empty & ~gone}
    if kind.text[:2] in ("M8", "m8"):
        return {MISSING: gone | (counts_of(flat) == NOT_A_TIME)}
    if is_number(kind):
        numbers = numbers_of(flat, kind)
        return {MISSING: gone, NAN: (numbers != numbers) & ~gone}
    return {MISSING: gone}


def told(values: Values, kind: Type) -> list[Cell]:
    """The cells as JSON holds them: missing as null, NaN and infinities as text, times as ISO 8601."""
    if not len(values):
        return []
    flat, missing = flat_of(values)
    found = _told(flat, kind)
    return found if missing is None else [None if gone else cell for cell, gone in zip(found, missing, strict=True)]


def _told(flat: Values, kind: Type) -> list[Cell]:
    if isinstance(kind, Text):
        if kind.text == "bytes":
            return [_cut(raw[:LONGEST].hex()) for raw in texts(flat, kind)]
        return [_cut(raw[: 4 * LONGEST + 4].decode("utf-8", "surrogateescape")) for raw in texts(flat, kind)]
    if kind.text[:2] in ("M8", "m8"):
        return [None if one == NOT_A_TIME else times.text_of(one, kind.text) for one in counts_of(flat).tolist()]
    if kind.text == "bool":
        return [bool(number) for number in numbers_of(flat, kind).tolist()]
    if is_number(kind) and kind.text[0] != "c":
        return [_number(number) for number in numbers_of(flat, kind)]
    return [_cut(str(item)) for item in flat.tolist()]


def _number(number: Any) -> Cell:
    if isinstance(number, np.integer):
        return int(number)
    if not np.isfinite(number):
        return str(number)
    return float(number) if number.dtype.itemsize == 8 else float(str(number))  # 0.1, not 0.10000000149011612


def _cut(text: str) -> str:
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"
