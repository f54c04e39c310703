"""Canonical JSON: one value, one byte string, so that equal values have equal digests. RFC 8785 (JCS), and a bit more.

Members sorted by the UTF-16 code units of their names, no spaces, UTF-8, numbers as ECMAScript writes them.

    canonical({"b": 1.0, "a": "é"})  ->  '{"a":"é","b":1}' in UTF-8
    digest({})                       ->  "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"

RFC 8785 speaks of I-JSON, which has no lone surrogates and no integers of more than 53 bits. Records have both: bytes
of names that are not UTF-8 (PEP 383), and nanoseconds. A lone surrogate is written as its escape, `\\udcff`, as
ECMAScript's JSON.stringify does; an integer is written with all its digits. Of a value without these the bytes are
those of RFC 8785.
"""

from __future__ import annotations

import codecs
import json
from hashlib import sha256
from json.encoder import encode_basestring

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from typing import Any, TypeAlias

    Order: TypeAlias = Callable[[Iterable[tuple[str, Any]]], list[tuple[str, Any]]]

FORM = "RFC 8785"
ALGORITHM = "sha256:"
# Values that the standard library writes as RFC 8785 does; it is quicker at arrays that are not SHORT.
PLAIN = {str, int, bool, type(None)}
SHORT = 16
# UTF-8 of characters beyond U+FFFF begins with one of these; only they are sorted otherwise by UTF-16.
ASTRAL = tuple(bytes([lead]) for lead in range(0xF0, 0xF5))
SURROGATES = "hpcprov-surrogates"


def canonical(value: Any) -> bytes:
    """The canonical JSON of `value`. Raises ValueError for NaN, infinities, and what is nested too deeply."""
    try:
        data = _text(value, sorted).encode("utf-8", SURROGATES)
        if any(lead in data for lead in ASTRAL):
            data = _text(value, _by_utf_16).encode("utf-8", SURROGATES)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return data


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical JSON of `value`."""
    return digest_bytes(canonical(value))


def digest_bytes(data: bytes) -> str:
    return ALGORITHM + sha256(data).hexdigest()


def former(value: Any) -> bytes:
    """The canonical JSON of records whose seal names no form: ASCII, numbers as Python writes them."""
    try:
        text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    except RecursionError as error:
        raise ValueError("it is nested too deeply") from error
    return text.encode("ascii")


def _by_utf_16(items: Iterable[tuple[str, Any]]) -> list[tuple[str, Any]]:
    return sorted(items, key=lambda item: item[0].encode("utf-16-be", "surrogatepass"))


def _text(value: Any, in_order: Order) -> str:
    kind = type(value)
    if kind in WRITERS:
        return WRITERS[kind](value)
    if isinstance(value, dict):
        members = [f"{encode_basestring(name)}:{_text(item, in_order)}" for name, item in in_order(value.items())]
        return f"{{{','.join(members)}}}"
    if isinstance(value, (list, tuple)):
        return _array(value, in_order)
    raise TypeError(f"{kind.__name__} has no canonical JSON")


def _array(value: list[Any] | tuple[Any, ...], in_order: Order) -> str:
    if len(value) > SHORT and PLAIN.issuperset(map(type, value)):  # the column of a table
        return _plain_text(value)
    return f"[{','.join([_text(item, in_order) for item in value])}]"


def _number(value: float) -> str:
    """A number as ECMA-262, Number::toString, writes it: Python's digits, another place for the point."""
    text = float.__repr__(value)
    if text.endswith(".0"):
        return text[:-2] if value else "0"
    digits, exponent, power = text.partition("e")
    if not exponent:
        return _finite(text)
    if -7 < int(power) < 0 or 0 < int(power) < 21:
        return _decimal(digits, int(power))
    return f"{digits}e{'+' if power[0] == '+' else '-'}{power[1:].lstrip('0')}"


def _finite(text: str) -> str:
    if text[-1] in "nf":
        raise ValueError(f"{text} is no JSON number")
    return text


def _decimal(digits: str, power: int) -> str:
    """`1.5`, -5 -> `0.000015`; `1.5`, 16 -> `15000000000000000`."""
    sign, digits = ("-", digits[1:]) if digits[0] == "-" else ("", digits)
    whole, _, rest = digits.partition(".")
    if power < 0:
        return f"{sign}0.{'0' * (-power - 1)}{whole}{rest}"
    return f"{sign}{whole}{rest:0<{power}}"


def _surrogates(error: UnicodeError) -> tuple[bytes, int]:
    """Lone surrogates as escapes; two that make a pair are the character that they stand for."""
    assert isinstance(error, UnicodeEncodeError)
    units = error.object[error.start : error.end].encode("utf-16-be", "surrogatepass")
    return units.decode("utf-16-be", "surrogatepass").encode("utf-8", "backslashreplace"), error.end


_plain_text = json.JSONEncoder(separators=(",", ":"), ensure_ascii=False, check_circular=False).encode
WRITERS: dict[type, Callable[[Any], str]] = {
    str: encode_basestring,
    int: int.__repr__,
    float: _number,
    bool: lambda value: "true" if value else "false",
    type(None): lambda value: "null",
}

codecs.register_error(SURROGATES, _surrogates)
