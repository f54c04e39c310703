"""Words of text against numbers or times: by what the text says.

said_hasher(Text(), plain("f8")).one(np.array([b"1.50"], object))
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from hpcprov.data.types import Text, Type
from hpcprov.data.values import Values
from hpcprov.quality.elements import is_number, numbers_of
from hpcprov.quality.tables import saying
from hpcprov.quality.tables.hashing import MISSING, Hash, Hasher, Words, hashes, masked, texts
from hpcprov.quality.tables.words_times import counts_of, step_of


def said_hasher(one: Type, other: Type) -> Hasher | None:
    kind = other if isinstance(one, Text) else one
    if is_number(kind) and kind.text[0] != "c":
        parse: Callable[[bytes], Any] = saying.truth if kind.text == "bool" else saying.number
        values: Callable[[Values], list[Any]] = lambda flat: numbers_of(flat, kind).tolist()  # noqa: E731
        if kind.text == "bool":
            values = lambda flat: (numbers_of(flat, kind) != 0).tolist()  # noqa: E731
    elif kind.text.startswith("M8") and step_of(kind.text) is not None:
        step = step_of(kind.text) or 1
        parse = saying.instant
        values = lambda flat: [saying.attoseconds(count, step) for count in counts_of(flat).tolist()]  # noqa: E731
    else:
        return None

    def hash_of(mine: Type) -> Hash:
        if isinstance(mine, Text):
            return masked(lambda flat: _said(list(map(parse, texts(flat, mine)))))
        return masked(lambda flat: _said(values(flat)))

    note = f"{one.text} against {other.text}: compared by what the text says"
    return Hasher(hash_of(one), hash_of(other), note=note)


def _said(items: list[Any]) -> Words:
    """Equal numbers of all types have one word; every NaN is one, None is missing."""
    found = hashes(list(map(_spelled, items)))
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
