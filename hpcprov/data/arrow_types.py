"""Types of Arrow columns, for every reader that goes through pyarrow.

>>> column_type("t", pa.timestamp("ms", "Europe/Berlin")).text
'M8[1ms,UTC]'

Decimals, times of day, intervals, maps, unions and extension types have no signature, nor has nothing below the top.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import pyarrow as pa
from pyarrow import types

from hpcprov.data.interface import Unread
from hpcprov.data.types import Binary, Text, Type, Unsigned, array, check_distinct, list_of, opaque, plain, struct, time

NUMBERS = {
    pa.bool_(): "bool",
    **{getattr(pa, f"{name}{8 * size}")(): f"{name[0]}{size}" for name in ("int", "uint") for size in (1, 2, 4, 8)},
    pa.float16(): "f2",
    pa.float32(): "f4",
    pa.float64(): "f8",
}
#: Characters of a type's name.
MOST_TYPE = 100
TEXTS = {pa.string(), pa.large_string(), pa.string_view()}
BINARIES = {pa.binary(), pa.large_binary(), pa.binary_view()}
LISTS: tuple[Callable[[Any], bool], ...] = (types.is_list, types.is_large_list)


def column_type(name: str, kind: Any) -> Type:
    """The type of a column's elements; one without a type, in which everything is missing, is text. Raises Unsigned,
    naming the column."""
    if types.is_null(kind):
        return Text()
    try:
        return type_of(kind)
    except Unsigned as refusal:
        raise Unsigned(f"{name}: {refusal}") from refusal


def column_types(schema: Any, rows: int, *, partial: bool) -> tuple[dict[int, Type], tuple[Unread, ...]]:
    """The types of the columns of a table, by their numbers, and with `partial` those that have none. Raises Unsigned,
    naming the column."""
    kinds: dict[int, Type] = {}
    unread = []
    for at, item in enumerate(schema):
        try:
            kinds[at] = column_type(item.name, item.type)
        except Unsigned as refusal:
            if not partial:
                raise
            unread.append(Unread(item.name, at, str(item.type)[:MOST_TYPE], (rows,), str(refusal.__cause__)))
    return kinds, tuple(unread)


def type_of(kind: Any) -> Type:
    """The type that an Arrow type stands for; a dictionary stands for its values."""
    if kind in NUMBERS:
        return plain(NUMBERS[kind])
    if kind in TEXTS or kind in BINARIES:
        return Text() if kind in TEXTS else Binary()
    if isinstance(kind, pa.BaseExtensionType):
        raise Unsigned(f"the extension type {kind.extension_name} has no signature")
    return _time_of(kind) or _nested(kind)


def _time_of(kind: Any) -> Type | None:
    if types.is_timestamp(kind):
        return time("M8", kind.unit, utc=kind.tz is not None)
    if types.is_duration(kind):
        return time("m8", kind.unit)
    if types.is_date(kind):
        return time("M8", "D" if types.is_date32(kind) else "ms")
    return None


def _nested(kind: Any) -> Type:
    if types.is_fixed_size_binary(kind) and not types.is_decimal(kind):
        return opaque(kind.byte_width)
    if types.is_dictionary(kind):
        return type_of(kind.value_type)
    if any(is_list(kind) for is_list in LISTS):
        return list_of(type_of(kind.value_type))
    if types.is_fixed_size_list(kind):
        return array((kind.list_size,), type_of(kind.value_type))
    if types.is_struct(kind):
        fields = [kind.field(at) for at in range(kind.num_fields)]
        return struct([(field.name.encode("utf-8", "surrogatepass"), type_of(field.type)) for field in fields])
    raise Unsigned(f"the type {str(kind)[:MOST_TYPE]} has no signature")


def check_names(names: list[str]) -> None:
    """Raises Unsigned when two columns have one name."""
    check_distinct(names, "two columns have this name")
