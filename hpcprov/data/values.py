"""The canonical bytes of values: what a leaf of the signature is computed over.

Readers return numpy arrays as they find them: any byte order, padding between members, fixed-width text. `encode` turns
such an array into the bytes of docs/signature.md: little-endian bit patterns in C order, packed, without arithmetic.

    >>> bytes(encode(np.array([1, 2], ">u2"), plain("u2"), 2))
    b'\\x01\\x00\\x02\\x00'
"""

from __future__ import annotations

import sys
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Array, List, Plain, Struct, Text, Type, plain, sized

Values: TypeAlias = NDArray[Any]
Octets: TypeAlias = NDArray[np.uint8]

#: The count of a time that is none.
NOT_A_TIME = np.iinfo(np.int64).min
#: Parts that are swapped on their own when the byte order differs.
PARTS = {"c8": 4, "c16": 8}


def encode(values: Values, kind: Type, count: int) -> Octets | bytes:
    """Canonical bytes of `count` elements; `values` has the elements' axes first, then those of an array type."""
    inner = kind.shape if isinstance(kind, Array) else ()
    flat = values.reshape((count, *inner))
    return pack(flat, kind).reshape(-1) if kind.size is not None else b"".join(encode_each(flat, kind))


def pack(flat: Values, kind: Type) -> Octets:
    """Elements of fixed size, first axis of `flat`, as bytes of shape (elements, size), C-contiguous."""
    if isinstance(kind, Struct):
        return _pack_struct(flat, kind)
    if isinstance(kind, Array):
        count = len(flat)
        return pack(flat.reshape(-1), kind.item).reshape(count, kind.size or 0)
    assert isinstance(kind, Plain)
    return _pack_complex(flat, kind) if flat.dtype.names else _pack_plain(flat, kind)


def _pack_struct(flat: Values, kind: Struct) -> Octets:
    assert kind.size is not None and flat.dtype.names is not None
    packed = np.empty((len(flat), kind.size), np.uint8)
    start = 0
    for name, (_, member) in zip(flat.dtype.names, kind.members, strict=True):
        columns = pack(flat[name], member)
        packed[:, start : start + columns.shape[1]] = columns
        start += columns.shape[1]
    return packed


def _pack_complex(flat: Values, kind: Plain) -> Octets:
    assert flat.dtype.names is not None
    part = plain("f4" if kind.text == "c8" else "f8")
    return np.concatenate([_pack_plain(flat[name], part) for name in flat.dtype.names], axis=1)


def _pack_plain(flat: Values, kind: Plain) -> Octets:
    if kind.size == 0:
        return np.empty((len(flat), 0), np.uint8)
    octets = np.ascontiguousarray(flat).view(np.uint8).reshape(len(flat), kind.size)
    if kind.text == "bool":
        return np.not_equal(octets, 0).view(np.uint8)
    part = PARTS.get(kind.text, kind.size)
    if part == 1 or not is_big_endian(flat.dtype):
        return octets
    swapped = octets.reshape(len(flat), kind.size // part, part)[:, :, ::-1]
    return np.ascontiguousarray(swapped).reshape(len(flat), kind.size)


def plain_dtype(kind: Type, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    """The dtype whose bytes in memory are canonical and that differs from `dtype` in no more than byte order, so that
    copying is encoding; None where there is none."""
    simple = isinstance(kind, Plain) and kind.size == dtype.itemsize > 0 and kind.text != "bool"
    if not simple or dtype.subdtype is not None or dtype.names is not None:
        return None
    return dtype.newbyteorder("<") if dtype.kind in "iufcmM" or dtype.type is np.void else None


def octets_of(values: Values) -> memoryview:
    """The memory of a C-contiguous array without Python objects, as bytes."""
    return values.reshape(-1).view(np.uint8).data


def missing_of(values: Values, count: int) -> NDArray[np.bool_] | None:
    """Which of `count` elements are missing, in C order; None when none is."""
    mask = np.ma.getmask(values)
    if mask is np.ma.nomask or not count:
        return None
    flags = np.ascontiguousarray(mask)
    missing: NDArray[np.bool_] = np.logical_and.reduce(flags.view(np.bool_).reshape(count, -1), axis=1)
    return missing if missing.any() else None


def joined(parts: list[Values]) -> Values:
    """Arrays one after the other, masked when any of them is."""
    if len(parts) == 1:
        return parts[0]
    join = np.ma.concatenate if any(np.ma.isMaskedArray(part) for part in parts) else np.concatenate
    values: Values = join(parts)
    return values


def emptied(values: Values, missing: NDArray[np.bool_]) -> Values:
    """The elements in C order, those that are `missing` as zeros or empty; the first axis counts elements."""
    plain_values = np.ma.getdata(values)
    flat = plain_values.reshape((len(missing), *_inner(plain_values, len(missing)))).copy()
    _empty(flat, missing)
    return flat


def _inner(values: Values, count: int) -> tuple[int, ...]:
    """The extents of the axes that belong to each element: the trailing ones."""
    axes, left = [], values.size // count
    for extent in reversed(values.shape):
        if left == 1:
            break
        axes.append(extent)
        left //= extent
    return tuple(reversed(axes))


def _empty(flat: Values, missing: NDArray[np.bool_]) -> None:
    if flat.dtype.names:
        for name in flat.dtype.names:
            _empty(flat[name], missing)
    else:
        flat[missing] = None if flat.dtype.kind == "O" else np.zeros((), flat.dtype)


def is_big_endian(dtype: np.dtype[Any]) -> bool:
    """Whether elements of `dtype` lie in memory with the most significant byte first."""
    return dtype.byteorder == ">" or (dtype.byteorder == "=" and sys.byteorder == "big")


def encode_each(flat: Values, kind: Type) -> list[bytes]:
    """Canonical bytes of each element, for types whose elements differ in length (and any other)."""
    if kind.size is not None:
        octets, size = pack(flat, kind).tobytes(), kind.size
        return [octets[at * size : (at + 1) * size] for at in range(len(flat))]
    if isinstance(kind, Text):
        return [sized(text) for text in (kind.decode or text_of)(flat)]
    if isinstance(kind, List):
        return [_encode_list(item, kind) for item in flat]
    if isinstance(kind, Array):
        return _grouped(encode_each(flat.reshape(-1), kind.item), len(flat))
    assert isinstance(kind, Struct) and flat.dtype.names is not None
    columns = [
        encode_each(flat[name], member) for name, (_, member) in zip(flat.dtype.names, kind.members, strict=True)
    ]
    return [b"".join(row) for row in zip(*columns, strict=True)]


def _encode_list(item: Any, kind: List) -> bytes:
    values = np.asarray(item if item is not None else ())
    count = len(values)
    return count.to_bytes(8, "little") + (bytes(encode(values, kind.item, count)) if count else b"")


def _grouped(parts: list[bytes], count: int) -> list[bytes]:
    width = len(parts) // count if count else 0
    return [b"".join(parts[at * width : (at + 1) * width]) for at in range(count)]


def text_of(flat: Values) -> list[bytes]:
    """UTF-8 of an array of Python strings, byte strings or fixed-width UTF-32 (whose trailing NULs are padding).

    Lone surrogates are kept in their three-byte form, so that text that is not well-formed still differs."""
    return [_utf8(item) for item in flat.tolist()]


def _utf8(item: Any) -> bytes:
    if isinstance(item, str):
        return item.encode("utf-8", "surrogatepass")
    if isinstance(item, bytes):
        return bytes(item)
    if item is None:
        return b""
    raise ValueError(f"{type(item).__name__} where text was declared")


def null_padded(flat: Values) -> list[bytes]:
    """Fixed-width text whose trailing NULs are padding."""
    return [raw.rstrip(b"\0") for raw in _fixed_width(flat)]


def null_terminated(flat: Values) -> list[bytes]:
    """Fixed-width text that ends at its first NUL."""
    return [raw.split(b"\0", 1)[0] for raw in _fixed_width(flat)]


def space_padded(flat: Values) -> list[bytes]:
    """Fixed-width text whose trailing spaces are padding."""
    return [raw.rstrip(b" ") for raw in _fixed_width(flat)]


def _fixed_width(flat: Values) -> list[bytes]:
    octets, width = flat.tobytes(), flat.dtype.itemsize
    return [octets[at * width : (at + 1) * width] for at in range(len(flat))]
