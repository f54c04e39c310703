"""Distances between floating-point numbers in units in the last place: how many numbers of the type lie from one to
the other.

    ulps(np.array([1.0]), np.array([1.0000000000000002]), "f8")  ->  [1]

The numbers of a type are counted in order through zero, so that signs may differ: from the smallest negative to the
smallest positive number it is 2. -0.0 and 0.0 are one. NaN and infinities have no distance: 0 stands for it. Of two
types the one with fewer digits counts, to which the other is rounded.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Type

#: Types with the fewest digits first, and the integer that has their bits.
FLOATS = {"bf16": "i2", "f2": "i2", "f4": "i4", "f8": "i8"}


def unit_of(kind: Type, other: Type) -> str | None:
    """The type whose last place counts; None where one of them is no float."""
    found = {kind.text, other.text}
    return next((name for name in FLOATS if name in found), None) if found <= FLOATS.keys() else None


def ulps(one: NDArray[Any], other: NDArray[Any], unit: str) -> NDArray[np.uint64]:
    """The distances; a bfloat16 is given as the f4 that it is the upper half of."""
    with np.errstate(all="ignore"):
        left, right = _place(one, unit), _place(other, unit)
    found: NDArray[np.uint64]
    if left.dtype.itemsize < 8:
        found = np.abs(left.astype(np.int64) - right).view(np.uint64)
    else:
        found = np.maximum(left, right).view(np.uint64)
        found -= np.minimum(left, right).view(np.uint64)  # modulo 2**64: right for any signs
    finite = np.isfinite(one) & np.isfinite(other)
    if not finite.all():
        found[~finite] = 0
    return found


def _place(values: NDArray[Any], unit: str) -> NDArray[Any]:
    """Where each number stands among all of its type; zero at 0."""
    bits = _upper_half(values) if unit == "bf16" else values.astype(f"<{unit}").view(f"<{FLOATS[unit]}")
    sign = bits >> bits.dtype.type(8 * bits.dtype.itemsize - 1)  # -1 of negative numbers
    return np.asarray((bits ^ (sign & np.iinfo(bits.dtype).max)) - sign)


def _upper_half(values: NDArray[Any]) -> NDArray[np.int16]:
    """Rounded to bfloat16, ties to even; the bits."""
    bits = values.astype("<f4").view("<u4").astype(np.uint64)
    rounded = (bits + 0x7FFF + ((bits >> np.uint64(16)) & np.uint64(1))) >> np.uint64(16)
    return rounded.astype(np.uint16).view(np.int16)
