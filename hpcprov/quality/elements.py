"""Elements of two arrays compared, whatever their types: equal, close, and how far apart.

    compared(values, kind, other, other_kind, count, rtol=0.0, atol=0.5).outside  ->  array([False, True, ...])

Numbers are close as numpy.isclose says: |a - b| <= atol + rtol * |b|, where b is the one that counts as right; or when
they are at most so many units in the last place apart (`ulp`). NaN equals NaN unless `nan_differs`, and what is missing
equals what is missing. Everything that is no number is equal or not.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Array, Struct, Type
from hpcprov.data.values import Values, emptied, encode_each, missing_of, pack
from hpcprov.quality.ulps import ulps, unit_of

Flags: TypeAlias = NDArray[np.bool_]

#: How the canonical bytes of a number are read; a bfloat16 is the upper half of a float.
NUMBERS = {
    **{f"{kind}{size}": f"<{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)},
    **{"bool": "u1", "f2": "<f2", "f4": "<f4", "f8": "<f8", "c8": "<c8", "c16": "<c16"},
}
HALF = "bf16"


class Tolerance(NamedTuple):
    """What is close enough: absolute, relative, in units in the last place (None: these do not count)."""

    rtol: float = 0.0
    atol: float = 0.0
    ulp: int | None = None
    nan_differs: bool = False


@dataclass
class Compared:
    """Of each element whether it `differs` and lies `outside` the tolerance; `apart` is |a - b| and `relative` that
    over |b|, NaN where one of them is no finite number; `ulps` the units in the last place between two floats. None for
    types that hold no numbers."""

    differs: Flags
    outside: Flags
    apart: NDArray[np.float64] | None = None
    relative: NDArray[np.float64] | None = None
    ulps: NDArray[np.uint64] | None = None


def compared(
    one: Values,
    kind: Type,
    other: Values,
    other_kind: Type,
    count: int,
    *,
    rtol: float = 0.0,
    atol: float = 0.0,
    ulp: int | None = None,
    nan_differs: bool = False,
) -> Compared:
    """`count` elements of two arrays, in C order. Both kinds are equal, or both are numbers."""
    left, gone = present(one, count)
    right, lost = present(other, count)
    found = _flat(left, kind, right, other_kind, Tolerance(rtol, atol, ulp, nan_differs))
    if gone is not None or lost is not None:
        here, there = (np.zeros(count, np.bool_) if flags is None else flags for flags in (gone, lost))
        found.differs = np.where(here | there, here != there, found.differs)
        found.outside = np.where(here | there, here != there, found.outside)
        for measured in (found.apart, found.relative):
            if measured is not None:
                measured[here | there] = np.nan
        if found.ulps is not None:
            found.ulps[here | there] = 0
    return found


def is_number(kind: Type) -> bool:
    return kind.text in NUMBERS or kind.text == HALF


def present(values: Values, count: int) -> tuple[Values, Flags | None]:
    """The elements along one axis, and which of them are missing."""
    missing = missing_of(values, count)
    if missing is not None:
        return emptied(values, missing), missing
    plain = np.ma.getdata(values)
    return plain.reshape((count, *plain.shape[plain.ndim - _inner(plain, count) :])), None


def _inner(values: Values, count: int) -> int:
    """How many trailing axes belong to each element."""
    axes, left = 0, values.size // max(1, count)
    for extent in reversed(values.shape):
        if left <= 1:
            break
        axes, left = axes + 1, left // extent
    return axes


def _flat(left: Values, kind: Type, right: Values, other_kind: Type, within: Tolerance) -> Compared:
    if is_number(kind) and is_number(other_kind):
        return numbers(numbers_of(left, kind), numbers_of(right, other_kind), within, unit_of(kind, other_kind))
    if isinstance(kind, Struct) and isinstance(other_kind, Struct) and left.dtype.names and right.dtype.names:
        names = zip(left.dtype.names, right.dtype.names, kind.members, strict=True)
        return _together([_flat(left[a], member, right[b], member, within) for a, b, (_, member) in names])
    if isinstance(kind, Array) and is_number(kind.item):
        inner = _flat(left.reshape(-1), kind.item, right.reshape(-1), kind.item, within)
        return _reduced(inner, len(left))
    return _exact(left, right, kind)


def _exact(left: Values, right: Values, kind: Type) -> Compared:
    if kind.size is not None:
        differs = (pack(left, kind) != pack(right, kind)).any(axis=1)
    else:
        pairs = zip(encode_each(left, kind), encode_each(right, kind), strict=True)
        differs = np.fromiter((a != b for a, b in pairs), np.bool_, len(left))
    return Compared(differs, differs.copy())


def numbers_of(flat: Values, kind: Type) -> NDArray[Any]:
    """Numbers of any kind as numpy has them, little-endian; a bfloat16 as a float."""
    octets = np.ascontiguousarray(pack(flat, kind))
    if kind.text == HALF:
        return (octets.reshape(-1).view("<u2").astype("<u4") << 16).view("<f4")
    return octets.reshape(-1).view(NUMBERS[kind.text])


def numbers(one: NDArray[Any], other: NDArray[Any], within: Tolerance, unit: str | None = None) -> Compared:
    """Two arrays of numbers along one axis; `other` is the one that counts as right. `unit` is the type whose last
    place counts."""
    differs = unequal(one, other, nan_differs=within.nan_differs)
    found = measured(one, other, within, unit)
    assert found.apart is not None and found.relative is not None
    found.apart[~differs], found.relative[~differs] = 0.0, 0.0
    return Compared(differs, differs & found.outside, found.apart, found.relative, found.ulps)


def measured(one: NDArray[Any], other: NDArray[Any], within: Tolerance, unit: str | None = None) -> Compared:
    """As `numbers`, of elements that are known to differ."""
    with np.errstate(all="ignore"):
        apart = _apart(one, other)
        size = np.abs(other.astype(_wide(other), copy=False)).astype(np.float64, copy=False)
        relative = apart / size
        close = apart <= within.atol + within.rtol * size
    if not size.all():
        relative[size == 0] = np.nan
    steps = ulps(one, other, unit) if unit is not None else None
    if steps is not None and within.ulp is not None:
        close |= steps <= within.ulp
    if not np.isfinite(apart).all():
        odd = ~(np.isfinite(one) & np.isfinite(other))
        close[odd] = False  # infinities are close to themselves only
        apart[odd], relative[odd] = np.nan, np.nan
    return Compared(np.ones(len(one), np.bool_), ~close, apart, relative, steps)


def unequal(one: NDArray[Any], other: NDArray[Any], *, nan_differs: bool = False) -> Flags:
    """Where two arrays of numbers of any types have other values."""
    differs: Flags = one != other
    if (one.dtype.kind in "iu") != (other.dtype.kind in "iu"):
        differs |= _rounded(*((one, other.real) if one.dtype.kind in "iu" else (other, one.real)))
    return differs if nan_differs else differs & ~((one != one) & (other != other))


def _rounded(integers: NDArray[Any], floats: NDArray[Any]) -> Flags:
    """Where an integer and a float are told apart by what the float has no digits for."""
    wide = floats.astype(np.float64)
    large = np.abs(wide) >= 2.0**53
    if not large.any():
        return np.zeros(len(wide), np.bool_)
    held = (wide >= np.iinfo(integers.dtype).min) & (wide < float(np.iinfo(integers.dtype).max))
    exact = np.where(held, wide, 0.0).astype(integers.dtype)
    return np.asarray(large & (~held | (exact != integers)))


def _wide(values: NDArray[Any]) -> np.dtype[Any]:
    return np.dtype(np.complex128 if values.dtype.kind == "c" else np.float64)


def _apart(one: NDArray[Any], other: NDArray[Any]) -> NDArray[np.float64]:
    """|one - other|; of integers exactly, as long as a float can hold it."""
    if one.dtype.kind in "iu" and one.dtype == other.dtype:
        high, low = np.maximum(one, other).astype(np.uint64), np.minimum(one, other).astype(np.uint64)
        return np.asarray((high - low).astype(np.float64))  # modulo 2**64, which is right for signed ones too
    wide = np.result_type(_wide(one), _wide(other))
    if any(values.dtype.kind in "iu" and values.dtype.itemsize == 8 for values in (one, other)):
        wide = np.result_type(wide, np.longdouble)  # which tells 2**53 + 1 from 2**53
    apart = np.abs(one.astype(wide, copy=False) - other.astype(wide, copy=False))
    return np.asarray(apart.astype(np.float64, copy=False))


def _together(parts: list[Compared]) -> Compared:
    """A struct differs where any member does, by as much as the member that is farthest apart."""
    apart = [part.apart for part in parts if part.apart is not None]
    relative = [part.relative for part in parts if part.relative is not None]
    steps = [part.ulps for part in parts if part.ulps is not None]
    return Compared(
        np.logical_or.reduce([part.differs for part in parts]),
        np.logical_or.reduce([part.outside for part in parts]),
        np.fmax.reduce(apart) if apart else None,
        np.fmax.reduce(relative) if relative else None,
        np.maximum.reduce(steps) if steps else None,
    )


def _reduced(inner: Compared, count: int) -> Compared:
    assert inner.apart is not None and inner.relative is not None
    return Compared(
        np.logical_or.reduce(inner.differs.reshape(count, -1), axis=1),
        np.logical_or.reduce(inner.outside.reshape(count, -1), axis=1),
        np.fmax.reduce(inner.apart.reshape(count, -1), axis=1, initial=0.0),
        np.fmax.reduce(inner.relative.reshape(count, -1), axis=1, initial=0.0),
        None if inner.ulps is None else np.maximum.reduce(inner.ulps.reshape(count, -1), axis=1, initial=0),
    )
