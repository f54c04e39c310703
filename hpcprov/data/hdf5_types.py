"""HDF5 datatypes as types of the signature, with the memory layout to read them into.

Whatever has a fixed size is read with the file's own type, so that HDF5 converts nothing and every bit pattern
survives. Only what lies outside of the element (variable-length text and lists) is read as Python objects, and
integers of an odd precision are widened by HDF5.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from h5py import h5t

from hpcprov.data.types import (
    Array,
    Decode,
    List,
    Text,
    Type,
    Unsigned,
    array,
    complex_of,
    datetime,
    list_of,
    opaque,
    plain,
    struct,
)
from hpcprov.data.values import Values, null_padded, null_terminated, space_padded, text_of

#: (size, (sign position, exponent position and size, mantissa position and size), exponent bias): token
FLOATS = {
    (2, (15, 10, 5, 0, 10), 15): "f2",
    (2, (15, 7, 8, 0, 7), 127): "bf16",
    (4, (31, 23, 8, 0, 23), 127): "f4",
    (8, (63, 52, 11, 0, 52), 1023): "f8",
}
NATURAL = {"f2": "f2", "bf16": "u2", "f4": "f4", "f8": "f8"}
COMPLEX = {"f4": "c8", "f8": "c16"}
PADDING: dict[int, Decode] = {
    h5t.STR_NULLTERM: null_terminated,
    h5t.STR_NULLPAD: null_padded,
    h5t.STR_SPACEPAD: space_padded,
}
BOOL_NAMES = {b"FALSE": 0, b"TRUE": 1}
#: Bit fields by their type, of which h5py tells neither precision nor byte order.
BIT_FIELDS = [
    (getattr(h5t, f"STD_B{8 * size}{order}"), np.dtype(f"{sign}u{size}"))
    for size in (1, 2, 4, 8)
    for order, sign in (("LE", "<"), ("BE", ">"))
]
WIDER = {1: h5t.STD_I8LE, 2: h5t.STD_I16LE, 4: h5t.STD_I32LE, 8: h5t.STD_I64LE}
WIDER_UNSIGNED = {1: h5t.STD_U8LE, 2: h5t.STD_U16LE, 4: h5t.STD_U32LE, 8: h5t.STD_U64LE}


@dataclass(frozen=True)
class Layout:
    """A type, the numpy type to read into, and the HDF5 type of that memory; `exact` when it is the file's own."""

    type: Type
    dtype: np.dtype[Any]
    memory: Any
    exact: bool = True
    inner: tuple[Layout, ...] = ()


def layout_of(tid: Any, references: Decode) -> Layout:
    """How to read elements of the HDF5 type `tid`; `references` gives the paths of object addresses. Raises
    Unsigned."""
    reader = CLASSES.get(tid.get_class())
    if reader is None:
        raise Unsigned(f"HDF5 {NAMES.get(tid.get_class(), 'types of a new class')} have no signature")
    return reader(tid, references)


def _integer(tid: Any, _: Decode) -> Layout:
    size, signed = tid.get_size(), tid.get_sign() == h5t.SGN_2
    if size in WIDER and tid.get_precision() == 8 * size:
        return _number(f"{'i' if signed else 'u'}{size}", tid)
    if size > 8:
        raise Unsigned(f"integers of {size} bytes have no signature")
    wide = next(width for width in WIDER if width >= size)
    memory = (WIDER if signed else WIDER_UNSIGNED)[wide]
    return Layout(
        plain(f"{'i' if signed else 'u'}{wide}"), np.dtype(f"<{'i' if signed else 'u'}{wide}"), memory, exact=False
    )


def _bitfield(tid: Any, _: Decode) -> Layout:
    dtype = next((dtype for known, dtype in BIT_FIELDS if tid.equal(known)), None)
    if dtype is None:
        raise Unsigned("bit fields of an odd precision have no signature")
    return Layout(plain(dtype.str[1:]), dtype, tid)


def _float(tid: Any, _: Decode) -> Layout:
    size = tid.get_size()
    regular = tid.get_precision() == 8 * size and tid.get_offset() == 0 and tid.get_norm() == h5t.NORM_IMPLIED
    token = FLOATS.get((size, tid.get_fields(), tid.get_ebias())) if regular else None
    if token is None:
        raise Unsigned(
            "long double has no signature: its bytes depend on the machine"
            if size > 8
            else f"floats of {tid.get_precision()} bits that are not IEEE 754 or bfloat16 have no signature"
        )
    return _number(NATURAL[token], tid, token)


def _complex(tid: Any, references: Decode) -> Layout:
    part = layout_of(tid.get_super(), references)
    kind = complex_of(part.type)
    whole = COMPLEX.get(part.type.text)
    pair = np.dtype([("r", part.dtype), ("i", part.dtype)])
    return Layout(kind, np.dtype(part.dtype.byteorder + whole) if whole else pair, tid)


def _number(name: str, tid: Any, token: str | None = None) -> Layout:
    order = tid.get_order()
    if order not in (h5t.ORDER_LE, h5t.ORDER_BE, h5t.ORDER_NONE):
        raise Unsigned("numbers in VAX byte order have no signature")
    return Layout(plain(token or name), np.dtype(f"{'>' if order == h5t.ORDER_BE else '<'}{name}"), tid)


def _string(tid: Any, _: Decode) -> Layout:
    if tid.is_variable_str():
        return Layout(Text(text_of), np.dtype("O"), h5t.py_create(np.dtype("O")), exact=False)
    return Layout(Text(PADDING[tid.get_strpad()]), np.dtype(f"V{tid.get_size()}"), tid)


def _opaque(tid: Any, _: Decode) -> Layout:
    size = tid.get_size()
    stamp = re.fullmatch(rb"NUMPY:([<>|=]?)([Mm]8\[.*\])", tid.get_tag())
    if stamp is None or size != 8:
        return Layout(opaque(size), np.dtype(f"V{size}"), tid)
    return Layout(datetime(stamp[2].decode("ascii", "replace")), np.dtype(">u8" if stamp[1] == b">" else "<u8"), tid)


def _enum(tid: Any, references: Decode) -> Layout:
    base = layout_of(tid.get_super(), references)
    if tid.get_size() == 1 and _members(tid) == BOOL_NAMES:
        return Layout(plain("bool"), base.dtype, tid)
    if not base.exact:
        raise Unsigned("enumerations over integers of an odd precision have no signature")
    return Layout(base.type, base.dtype, tid)


def _members(tid: Any) -> dict[bytes, int]:
    if tid.get_nmembers() != len(BOOL_NAMES):
        return {}
    return {tid.get_member_name(at): tid.get_member_value(at) for at in range(tid.get_nmembers())}


def _compound(tid: Any, references: Decode) -> Layout:
    indices = range(tid.get_nmembers())
    inner = [layout_of(tid.get_member_type(at), references) for at in indices]
    kind = struct([(tid.get_member_name(at), part.type) for at, part in zip(indices, inner, strict=True)])
    if all(part.exact for part in inner):
        return Layout(kind, _placed(inner, [tid.get_member_offset(at) for at in indices], tid.get_size()), tid)
    offsets = [sum(part.dtype.itemsize for part in inner[:at]) for at in indices]
    dtype = _placed(inner, offsets, sum(part.dtype.itemsize for part in inner))
    memory = h5t.create(h5t.COMPOUND, dtype.itemsize)
    for at, part, offset in zip(indices, inner, offsets, strict=True):
        memory.insert(tid.get_member_name(at), offset, part.memory)
    return Layout(kind, dtype, memory, exact=False, inner=tuple(inner))


def _placed(inner: list[Layout], offsets: list[int], size: int) -> np.dtype[Any]:
    names = [f"f{at}" for at in range(len(inner))]
    formats = [part.dtype for part in inner]
    return np.dtype({"names": names, "formats": formats, "offsets": offsets, "itemsize": size})


def _array(tid: Any, references: Decode) -> Layout:
    base, shape = layout_of(tid.get_super(), references), tid.get_array_dims()
    memory = tid if base.exact else h5t.array_create(base.memory, shape)
    return Layout(array(shape, base.type), np.dtype((base.dtype, shape)), memory, exact=base.exact, inner=(base,))


def _list(tid: Any, references: Decode) -> Layout:
    base = layout_of(tid.get_super(), references)
    if not base.exact and not isinstance(base.type, Text | List):
        raise Unsigned(f"lists of {base.type.text} cannot be read from HDF5 by this version")
    if base.exact and (isinstance(base.type, Text) and base.dtype.kind != "V"):
        raise Unsigned("lists of references cannot be read from HDF5 by this version")
    return Layout(list_of(base.type), np.dtype("O"), h5t.py_create(tid.dtype), exact=False, inner=(base,))


def _reference(tid: Any, references: Decode) -> Layout:
    if tid.equal(h5t.STD_REF_OBJ):
        return Layout(Text(references), np.dtype("<u8"), tid)
    raise Unsigned("region references have no signature")


def relabel(values: Values, layout: Layout) -> Values:
    """Lists with the byte order of the file: h5py returns their bytes unconverted but calls them native."""
    if layout.exact or not values.dtype.hasobject:
        return values
    if isinstance(layout.type, List):
        flat = values.reshape(-1)
        for at, item in enumerate(flat):
            flat[at] = _relabelled(item, layout.inner[0])
    elif isinstance(layout.type, Array):
        relabel(values, layout.inner[0])
    else:
        for at, member in enumerate(layout.inner):
            relabel(values[f"f{at}"], member)
    return values


def _relabelled(item: Any, base: Layout) -> Any:
    if item is None or not len(item):
        return ()
    if not base.exact:
        return relabel(item, base)
    if item.dtype.hasobject or item.dtype.itemsize != base.dtype.itemsize:
        raise Unsigned(f"lists of {base.type.text} cannot be read from HDF5 by this version")
    return item.view(base.dtype)


NAMES = {h5t.TIME: "time types"}
CLASSES: dict[int, Callable[[Any, Decode], Layout]] = {
    h5t.INTEGER: _integer,
    h5t.BITFIELD: _bitfield,
    h5t.FLOAT: _float,
    h5t.STRING: _string,
    h5t.OPAQUE: _opaque,
    h5t.ENUM: _enum,
    h5t.COMPOUND: _compound,
    h5t.ARRAY: _array,
    h5t.VLEN: _list,
    h5t.REFERENCE: _reference,
}
if hasattr(h5t, "COMPLEX"):  # HDF5 2.0
    CLASSES[h5t.COMPLEX] = _complex
