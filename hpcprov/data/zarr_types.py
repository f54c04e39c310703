"""Data types and fill values of Zarr's metadata, for elements of fixed size. None where zarr-python has to decide.

>>> dtype2("<M8[ns]"), dtype3({"name": "numpy.datetime64", "configuration": {"unit": "ns", "scale_factor": 1}})
(dtype('<M8[ns]'), dtype('<M8[ns]'))
>>> fill3("0x7fc00001", np.dtype(">f4")).tobytes().hex()
'7fc00001'
"""

from __future__ import annotations

import base64
import binascii
import re
from collections.abc import Callable
from typing import Any

import numpy as np

from hpcprov.data.values import Values

#: v2: numpy's own names, of these kinds.
TYPESTR = re.compile(r"[<>|](b1|[iu][1248]|f[248]|c(8|16)|[SUV][1-9][0-9]{0,7}|[mM]8\[[0-9]*[a-zA-Z]+\])")
NUMBERS = {
    "bool": "?",
    **{f"{sign}int{8 * size}": f"{kind}{size}" for sign, kind in (("", "i"), ("u", "u")) for size in (1, 2, 4, 8)},
    **{f"float{8 * size}": f"f{size}" for size in (2, 4, 8)},
    **{"complex64": "c8", "complex128": "c16"},
}
RAW = re.compile(r"r([1-9][0-9]{0,9})")
TIMES = {"numpy.datetime64": "M8", "numpy.timedelta64": "m8"}
LENGTHS = {"fixed_length_utf32": "U", "null_terminated_bytes": "S", "raw_bytes": "V"}
SPECIAL = {"NaN": np.nan, "Infinity": np.inf, "-Infinity": -np.inf}
#: Elements may not be larger than this.
MAX_ELEMENT = 1 << 24
MAX_MEMBERS = 1000


def dtype2(declared: Any) -> np.dtype[Any] | None:
    """The type that `dtype` of a v2 array says: a string, or a list of members (name, type, and perhaps shape)."""
    try:
        if isinstance(declared, str):
            return _sized(np.dtype(declared)) if TYPESTR.fullmatch(declared) else None
        if isinstance(declared, list) and 0 < len(declared) <= MAX_MEMBERS:
            return _sized(np.dtype([_member(item) for item in declared]))
    except (TypeError, ValueError, OverflowError):
        pass
    return None


def _member(item: Any) -> Any:
    name, inner, *shape = item
    dtype = dtype2(inner)
    if dtype is None or not isinstance(name, str):
        raise ValueError("not a member that is known here")
    return (name, dtype, *(tuple(map(int, extents)) for extents in shape))


def _sized(dtype: np.dtype[Any]) -> np.dtype[Any] | None:
    return dtype if 0 < dtype.itemsize <= MAX_ELEMENT else None


def dtype3(declared: Any) -> np.dtype[Any] | None:
    """The type that `data_type` of a v3 array says, little-endian."""
    name, options = named(declared)
    try:
        if not options and name in NUMBERS:
            return np.dtype(NUMBERS[name]).newbyteorder("<")
        if not options and (raw := RAW.fullmatch(name)) and int(raw[1]) % 8 == 0:
            return _sized(np.dtype(f"V{int(raw[1]) // 8}"))
        if name in TIMES and set(options) == {"unit", "scale_factor"}:
            return np.dtype(f"<{TIMES[name]}[{int(options['scale_factor'])}{options['unit']}]")
        if name in LENGTHS and set(options) == {"length_bytes"}:
            return _of_length(LENGTHS[name], options["length_bytes"])
    except (TypeError, ValueError, OverflowError):
        pass
    return None


def _of_length(kind: str, length: Any) -> np.dtype[Any] | None:
    width = 4 if kind == "U" else 1
    if type(length) is not int or not 0 < length <= MAX_ELEMENT or length % width:
        return None
    return np.dtype(f"<{kind}{length // width}")


def named(declared: Any) -> tuple[str, dict[str, Any]]:
    """Name and configuration of one of v3's extension points, which may be a bare name; an empty name for neither."""
    if isinstance(declared, str):
        return declared, {}
    if isinstance(declared, dict) and isinstance(declared.get("name"), str):
        options = declared.get("configuration") or {}
        if isinstance(options, dict):
            return declared["name"], options
    return "", {}


def fill2(declared: Any, dtype: np.dtype[Any]) -> Values | None:
    """The fill value of a v2 array; null, which leaves it undefined, is zeros."""
    return np.zeros((), dtype) if declared is None else _fill(declared, dtype)


def fill3(declared: Any, dtype: np.dtype[Any]) -> Values | None:
    """The fill value of a v3 array."""
    if dtype.kind == "V" and isinstance(declared, list):
        return _of_bytes(bytes(declared), dtype) if all(_is_octet(item) for item in declared) else None
    return None if declared is None else _fill(declared, dtype)


def _is_octet(item: Any) -> bool:
    return type(item) is int and 0 <= item < 256


def _fill(declared: Any, dtype: np.dtype[Any]) -> Values | None:
    try:
        return FILLS[dtype.kind](declared, dtype)
    except (TypeError, ValueError, OverflowError, KeyError, binascii.Error):
        return None


def _bool(declared: Any, dtype: np.dtype[Any]) -> Values:
    if declared not in (True, False):
        raise ValueError("neither true nor false")
    return np.array(bool(declared), dtype)


def _integer(declared: Any, dtype: np.dtype[Any]) -> Values:
    if isinstance(declared, (bool, str)) or declared != int(declared):
        raise ValueError("not an integer")
    return np.array(int(declared), dtype)


def _float(declared: Any, dtype: np.dtype[Any]) -> Values:
    if isinstance(declared, str) and declared.startswith("0x"):
        raw = bytes.fromhex(declared[2:])
        return _of_bytes(raw, dtype.newbyteorder(">")).astype(dtype)
    if isinstance(declared, str):
        declared = SPECIAL[declared]
    if isinstance(declared, bool):
        raise ValueError("not a number")
    with np.errstate(over="ignore"):
        return np.array(declared, "f8").astype(dtype)


def _complex(declared: Any, dtype: np.dtype[Any]) -> Values:
    part = np.dtype(f"f{dtype.itemsize // 2}").newbyteorder(dtype.byteorder)
    real, imaginary = declared if isinstance(declared, list) else (declared, 0)
    return np.array([_float(real, part), _float(imaginary, part)], part).view(dtype).reshape(())


def _time(declared: Any, dtype: np.dtype[Any]) -> Values:
    if declared == "NaT":
        return np.array("NaT", dtype)
    if type(declared) is not int:
        raise ValueError("not an integer")
    return np.array(declared, np.dtype("i8").newbyteorder(dtype.byteorder)).view(dtype)


def _text(declared: Any, dtype: np.dtype[Any]) -> Values:
    if not isinstance(declared, str) or len(declared) > dtype.itemsize // 4:
        raise ValueError("not text that fits")
    return np.array(declared, dtype)


def _padded(declared: Any, dtype: np.dtype[Any]) -> Values:
    raw = base64.b64decode(declared, validate=True)
    return _of_bytes(raw + bytes(max(0, dtype.itemsize - len(raw))), dtype)


def _opaque(declared: Any, dtype: np.dtype[Any]) -> Values:
    return _of_bytes(base64.b64decode(declared, validate=True), dtype)


def _of_bytes(raw: bytes, dtype: np.dtype[Any]) -> Values:
    if len(raw) != dtype.itemsize:
        raise ValueError(f"{len(raw)} bytes where {dtype.itemsize} are declared")
    return np.frombuffer(raw, dtype).reshape(())


FILLS: dict[str, Callable[[Any, np.dtype[Any]], Values]] = {
    **{"b": _bool, "i": _integer, "u": _integer, "f": _float, "c": _complex, "m": _time, "M": _time},
    **{"U": _text, "S": _padded, "V": _opaque},
}
