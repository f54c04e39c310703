"""What is counted of a field: by its type, its shape and the values that its attributes declare to be missing.

Subject.of(field, missing=[-9999.0]).family  ->  'float'
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from hpcprov.data.interface import Field
from hpcprov.data.types import Binary, List, Plain, Text, Type
from hpcprov.quality import times
from hpcprov.quality.statistics.distinct import KEYED

#: How the canonical bytes of an element are read; those of a bfloat16 are the upper half of a float.
NUMBERS = {
    **{f"{kind}{size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{"bool": "u1", "f2": "<f2", "bf16": "<u2", "f4": "<f4", "f8": "<f8", "c8": "<f4", "c16": "<f8"},
}
COMPLEX = ("c8", "c16")
#: Digits of each float's mantissa, with the hidden one.
DIGITS = {"f2": 11, "bf16": 8, "f4": 24, "f8": 53}


@dataclass(frozen=True)
class Subject:
    """`family`: bool, integer, float, time (points in time and durations), complex, opaque, text, bytes, list or other.
    `line`: in one dimension; `ordered`: and of a type with an order; `keyed`: and short enough to count all
    distinct values. `absent`: missing values as
    Python has them, text as bytes."""

    kind: Type
    family: str
    line: bool
    ordered: bool
    keyed: bool
    absent: tuple[Any, ...] = ()

    @classmethod
    def of(cls, field: Field, missing: Iterable[Any] = ()) -> Subject:
        one = field.shape is not None and len(field.shape) == 1
        short = one and field.shape is not None and field.shape[0] <= KEYED
        family = family_of(field.type)
        absent = tuple(_raw(value) if isinstance(value, str) else value for value in missing)
        return cls(field.type, family, one, one and family in ORDERED, short and family in KEYS, absent)

    @property
    def dtype(self) -> str:
        """Of a number or time, as numpy names what its canonical bytes are."""
        return NUMBERS.get(self.kind.text, "<i8")


ORDERED = ("integer", "float", "time", "text")
#: Families whose values can be told apart.
KEYS = ("integer", "float", "time", "text", "bytes", "complex", "opaque")


def family_of(kind: Type) -> str:
    """What is meaningful for a type."""
    if isinstance(kind, Plain):
        if kind.text == "bool":
            return "bool"
        if kind.text in COMPLEX:
            return "complex"
        if kind.text in NUMBERS:
            return "float" if kind.text in DIGITS else "integer"
        return "time" if times.is_time(kind.text) else "opaque"
    if isinstance(kind, Text):
        return "bytes" if isinstance(kind, Binary) else "text"
    return "list" if isinstance(kind, List) else "other"


def _raw(text: str) -> bytes:
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "surrogatepass")
