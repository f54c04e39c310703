"""Cases of the vectors as values: for the reference (plain Python) and for the signer (numpy arrays behind a Field)."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np

from hpcprov.data.interface import Box, Field, slices
from hpcprov.data.types import Binary, List, Struct, Text, Type, array, datetime, list_of, opaque, plain, struct, time
from hpcprov.signature import reference

REPEATING = bytes(range(251))


def stream(length: int) -> bytes:
    """Bytes 00 01 .. fa 00 01 .., `length` of them."""
    return (REPEATING * (length // 251 + 1))[:length]


def reference_type(kind: Any) -> Any:
    """A case's type as the reference takes it."""
    if isinstance(kind, str):
        return kind
    if kind[0] == "struct":
        return "struct", tuple((bytes.fromhex(name), reference_type(member)) for name, member in kind[1])
    if kind[0] == "list":
        return "list", reference_type(kind[1])
    return "array", tuple(kind[1]), reference_type(kind[2])


def signer_type(kind: Any) -> Type:
    """A case's type as readers give it."""
    if isinstance(kind, str):
        return _named(kind)
    if kind[0] == "struct":
        return struct([(bytes.fromhex(name), signer_type(member)) for name, member in kind[1]])
    return list_of(signer_type(kind[1])) if kind[0] == "list" else array(tuple(kind[1]), signer_type(kind[2]))


def _named(kind: str) -> Type:
    if kind in ("str", "bytes"):
        return Text() if kind == "str" else Binary()
    if kind.endswith(",UTC]"):
        return time("M8", kind[4:-5], count=int(kind[3]), utc=True)
    if kind[:2] in ("M8", "m8"):
        return datetime(kind)
    return opaque(int(kind[1:])) if kind[0] == "V" else plain(kind)


def packed(values: dict[str, Any]) -> bytes:
    return stream(values["repeat"]) if "repeat" in values else bytes.fromhex(values["hex"])


def reference_values(kind: Any, shape: list[int] | None, values: dict[str, Any]) -> list[Any]:
    """The flat list of elements that the reference takes."""
    if shape is None:
        return []
    if "numbers" in values:
        return [str(number).encode() for number in range(values["numbers"])]
    if "items" in values:
        return [_item(kind, item) for item in values["items"]]
    octets, count = packed(values), prod(shape)
    size = len(octets) // count if count else 0
    return [_cut(kind, octets[at * size : (at + 1) * size]) for at in range(count)]


def _item(kind: Any, item: Any) -> Any:
    if isinstance(kind, str):
        return bytes.fromhex(item)
    if kind[0] == "struct":
        return tuple(_item(member, part) for (_, member), part in zip(kind[1], item, strict=True))
    return [_item(kind[-1], part) for part in item]


def _cut(kind: Any, octets: bytes) -> Any:
    if isinstance(kind, str):
        return octets
    if kind[0] == "struct":
        sizes = [reference.nominal(reference_type(member)) for _, member in kind[1]]
        starts = [sum(sizes[:at]) for at in range(len(sizes))]
        return tuple(_cut(member, octets[a : a + n]) for (_, member), a, n in zip(kind[1], starts, sizes, strict=True))
    size = len(octets) // prod(kind[1])
    return [_cut(kind[2], octets[at * size : (at + 1) * size]) for at in range(prod(kind[1]))]


def dtype_of(kind: Any, order: str = "<") -> np.dtype[Any]:
    """A numpy type for elements of fixed size, in either byte order."""
    if isinstance(kind, str):
        name = {"bool": "u1", "bf16": "u2"}.get(kind, kind).replace(",UTC", "")
        return np.dtype(name if name[0] == "V" else order + name)
    if kind[0] == "struct":
        return np.dtype([(f"m{at}", dtype_of(member, order)) for at, (_, member) in enumerate(kind[1])])
    return np.dtype((dtype_of(kind[2], order), tuple(kind[1])))


def numpy_values(kind: Any, shape: list[int], values: dict[str, Any]) -> Any:
    """The array that a reader would return for the whole field, little-endian."""
    if "repeat" in values or "hex" in values:
        return _from_octets(kind, shape, packed(values))
    return _objects(signer_type(kind), reference_values(kind, shape, values), tuple(shape))


def _from_octets(kind: Any, shape: list[int], octets: bytes) -> Any:
    dtype = dtype_of(kind)
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    base, inner = dtype.subdtype or (dtype, ())
    return np.frombuffer(octets, base).reshape((*shape, *inner))


def _objects(kind: Type, items: list[Any], shape: tuple[int, ...]) -> Any:
    if isinstance(kind, Struct):
        columns = [
            _objects(member, [item[at] for item in items], (len(items),)) for at, (_, member) in enumerate(kind.members)
        ]
        rows = np.zeros(len(items), [(f"m{at}", column.dtype) for at, column in enumerate(columns)])
        for at, column in enumerate(columns):
            rows[f"m{at}"] = column
        return rows.reshape(shape)
    if kind.size is not None:
        return np.frombuffer(b"".join(items), dtype_of(kind.text)).reshape(shape)
    if not isinstance(kind, Text | List):
        return _objects(kind.item, [part for item in items for part in item], (*shape, *kind.shape))
    values = np.empty(len(items), object)
    for at, item in enumerate(items):
        values[at] = item if isinstance(kind, Text) else _objects(kind.item, item, (len(item),))
    return values.reshape(shape)


def field_over(kind: Type, values: Any, shape: tuple[int, ...] | None, chunks: tuple[int, ...] | None = None) -> Field:
    """A field whose reader cuts boxes out of an array."""

    def read(box: Box) -> Any:
        return values[(*slices(box), ...)]

    return Field(b"x", kind, shape, chunks, max(1, values.dtype.itemsize), read)
