"""One element of a field as a value that JSON can hold.

    plain(np.array([1.5]), plain_type("f8"))  ->  1.5

Numbers are numbers, and `inf`, `-inf` and `nan` texts; times ISO 8601 text; text what it is, cut when long; structs and
arrays lists; everything else its bytes in hexadecimal.
"""

from __future__ import annotations

from math import isfinite
from typing import Any

import numpy as np

from hpcprov.data.types import Array, Binary, List, Struct, Text, Type
from hpcprov.data.values import Values, encode_each, missing_of, pack
from hpcprov.quality import times
from hpcprov.quality.elements import is_number, numbers_of

#: Characters of text, and elements of lists, that are told.
MOST_TEXT, MOST_ITEMS = 200, 20


def plain(values: Values, kind: Type) -> Any:
    """The only element of an array; None when it is missing."""
    if missing_of(values, 1) is not None:
        return None
    found = np.ma.getdata(values)
    inner = kind.shape if isinstance(kind, Array) else ()
    return _plain(found.reshape((1, *inner)), kind)


def _plain(flat: Values, kind: Type) -> Any:
    if kind.text == "bool":
        return bool(numbers_of(flat, kind)[0])
    if is_number(kind):
        return number(_short(numbers_of(flat, kind)[0]))
    if isinstance(kind, Struct) and flat.dtype.names:
        parts = list(zip(flat.dtype.names, kind.members, strict=True))[:MOST_ITEMS]
        return [_plain(flat[name], member) for name, (_, member) in parts]
    if isinstance(kind, Array):
        every = flat.reshape((-1, *flat.shape[1 + len(kind.shape) :]))
        return [_plain(every[at : at + 1], kind.item) for at in range(min(MOST_ITEMS, len(every)))]
    if isinstance(kind, List):
        every = np.asarray(flat[0] if flat[0] is not None else ())
        return [_plain(every[at : at + 1], kind.item) for at in range(min(MOST_ITEMS, len(every)))]
    if isinstance(kind, Text):
        return _text(encode_each(flat, kind)[0][8:], kind)
    if times.is_time(kind.text):
        return times.text_of(int(pack(flat, kind).view("<i8")[0, 0]), kind.text)
    return _cut(pack(flat, kind).tobytes().hex())


def number(value: Any) -> Any:
    """A number that JSON has, else its name."""
    if isinstance(value, complex):
        return str(value).strip("()")
    return value if not isinstance(value, float) or isfinite(value) else str(value)


def _short(value: Any) -> Any:
    """A number as Python has it; of a short float the digits that it has."""
    return float(str(value)) if isinstance(value, np.float16 | np.float32) else value.item()


def _text(raw: bytes, kind: Type) -> str:
    return _cut(raw.hex() if isinstance(kind, Binary) else raw.decode("utf-8", "surrogateescape"))


def _cut(text: str) -> str:
    return text if len(text) <= MOST_TEXT else f"{text[: MOST_TEXT - 1]}…"
