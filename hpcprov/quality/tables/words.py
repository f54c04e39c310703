"""Cells of a column as 64-bit words: equal words for equal values, whatever types the two columns have.

    hasher = words_of(plain("i4"), plain("f8"))
    hasher.one(np.array([1, 2], "i4"))  ==  hasher.other(np.array([1.0, 2.0]))

Numbers are equal by value, times when they are the same instant, text by its bytes; text against numbers or times by
what it says. -0.0 is 0.0 and every NaN is the same, as in `quality.elements`. The words of fixed-size values are a
bijection of their bits; those of text are Python's keyed hash, so that nobody can make a file whose cells collide.
Words hold in one process only.
"""

from __future__ import annotations

from hpcprov.data.types import Text, Type
from hpcprov.data.values import encode_each
from hpcprov.quality.elements import Tolerance, is_number
from hpcprov.quality.tables.hashing import Hash, Hasher, hashes, masked, texts
from hpcprov.quality.tables.words_numbers import number_hasher
from hpcprov.quality.tables.words_said import said_hasher
from hpcprov.quality.tables.words_times import time_hasher


def words_of(one: Type, other: Type, within: Tolerance | None = None, *, untyped: bool = False) -> Hasher | None:
    """How cells of two types are compared; None when they cannot be. `untyped` when one of the tables is text, where
    all floats look alike: then the type of the other counts."""
    if is_number(one) and is_number(other):
        return number_hasher(one, other, within or Tolerance(), untyped)
    if _is_time(one) and _is_time(other):
        return time_hasher(one.text, other.text)
    if isinstance(one, Text) and isinstance(other, Text):
        note = None if one.text == other.text else f"{one.text} against {other.text}: compared as bytes"
        return Hasher(_text_words(one), _text_words(other), note=note)
    if isinstance(one, Text) or isinstance(other, Text):
        return said_hasher(one, other)
    if one.token != other.token:
        return None
    same = masked(lambda flat: hashes(encode_each(flat, one)))
    return Hasher(same, same)


def _text_words(kind: Text) -> Hash:
    return masked(lambda flat: hashes(texts(flat, kind)))


def _is_time(kind: Type) -> bool:
    return kind.text.startswith(("M8", "m8"))
