"""Types of numpy arrays, for every reader whose library speaks numpy.

>>> type_of(np.dtype([("x", ">f4"), ("t", "M8[25ns]")])).text
'struct(x f4, t M8[25ns])'
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcprov.data.types import Text, Type, Unsigned, array, datetime, opaque, plain, struct
from hpcprov.data.values import null_padded

#: Extended floats: their bytes depend on the machine that wrote them.
LONG_DOUBLE = "long double"


def type_of(dtype: np.dtype[Any]) -> Type:
    """The type of an array's elements. Raises Unsigned for types that the rules leave out."""
    if dtype.subdtype is not None:
        return array(dtype.subdtype[1], type_of(dtype.subdtype[0]))
    if dtype.names is not None:
        return struct([(_name(name), type_of(dtype[name])) for name in dtype.names])
    if dtype.kind in "SUT":
        return Text(null_padded if dtype.kind == "S" else None)
    if dtype.kind in "mM":
        return datetime(dtype.newbyteorder("=").str[1:])
    if dtype.kind == "V":
        return _void(dtype)
    return _number(dtype)


def _number(dtype: np.dtype[Any]) -> Type:
    if dtype.kind == "O":
        raise Unsigned("Python objects have no signature")
    if dtype.char in "gG":
        raise Unsigned(f"{LONG_DOUBLE} has no signature: its bytes depend on the machine")
    return plain("bool" if dtype.kind == "b" else f"{dtype.kind}{dtype.itemsize}")


def _void(dtype: np.dtype[Any]) -> Type:
    if dtype.type is np.void:
        return opaque(dtype.itemsize)
    if dtype.name == "bfloat16":
        return plain("bf16")
    raise Unsigned(f"the type {dtype.name} has no signature")


def _name(name: str) -> bytes:
    return name.encode("utf-8", "surrogatepass")
