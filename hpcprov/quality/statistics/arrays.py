"""Arrays of numbers: which of them count, their extremes, sums and order. Pure functions over numpy's arrays.

extremes(numpy.array([3.0, 1.0]))  ->  (1.0, 3.0)
run_of(numpy.array([1, 2, 4]), 10, int).up  ->  True        # the elements 10 to 12 of a field
"""

from __future__ import annotations

from collections.abc import Callable
from math import frexp
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.quality.statistics.distinct import SAMPLE
from hpcprov.quality.statistics.order import Run
from hpcprov.quality.statistics.subject import Subject
from hpcprov.signature.counting import Content

Numbers: TypeAlias = NDArray[Any]

#: Values lie scattered when they begin or end more often than once in so many.
SCATTERED = 64
#: Squares of numbers with exponents beyond that are taken of scaled ones.
LARGEST = 400


def numbers_of(content: Content, subject: Subject) -> Numbers:
    """Canonical bytes as numbers, of complex ones the parts."""
    assert not isinstance(content, list)
    return np.frombuffer(content, subject.dtype)


def chosen(values: Numbers, wanted: NDArray[np.bool_]) -> Numbers:
    """Some of the values. Where those that are not wanted lie scattered, a processor guesses wrong at every second one,
    and looking up the places of the others first is three times as fast."""
    edges = int(np.count_nonzero(wanted[1:] != wanted[:-1]))
    return np.compress(wanted, values) if edges > len(values) // SCATTERED else values[wanted]


def extremes(values: Numbers) -> tuple[Any, Any]:
    """The smallest and the largest, NaN where there is one; of no values 0."""
    return (np.minimum.reduce(values), np.maximum.reduce(values)) if len(values) else (0, 0)


def scale_of(largest: float) -> int:
    """The power of two by which deviations are divided, so that their squares are floats."""
    exponent = frexp(largest)[1]
    return exponent if abs(exponent) > LARGEST else 0


def total_of(values: Numbers, low: int, high: int) -> int:
    """The exact sum."""
    if max(-low, high) * len(values) < 1 << 63:
        return int(np.add.reduce(values, dtype=np.int64))
    upper, lower = values >> values.dtype.type(32), values & values.dtype.type((1 << 32) - 1)
    return (int(np.add.reduce(upper, dtype=np.int64)) << 32) + int(np.add.reduce(lower, dtype=np.int64))


def run_of(values: Numbers, start: int, python: Callable[[Any], Any]) -> Run:
    """The elements of a tile of one dimension, none of them missing."""
    ends = {"first": python(values[0]), "last": python(values[-1])}
    for some in (values[:SAMPLE], values):  # most that are in no order show it soon
        before, after = some[:-1], some[1:]
        up, down = bool((after > before).any()), bool((after < before).any())
        if up and down:
            return Run(start, start + len(values), up=True, down=True, **ends)
    level = bool((after == before).any())
    least, most = _steps(before, after, down) if len(before) else (None, None)
    return Run(start, start + len(values), up=up, down=down, level=level, least=least, most=most, **ends)


def _steps(before: Numbers, after: Numbers, down: bool) -> tuple[Any, Any]:
    """The smallest and the largest step; all of them go the same way."""
    if before.dtype.kind == "f":
        with np.errstate(all="ignore"):
            steps = np.subtract(after, before, dtype=np.float64)
        return float(steps.min()), float(steps.max())
    one, other = (before, after) if down else (after, before)
    steps = one.astype("u8") - other.astype("u8")  # modulo 2^64, which is right whatever the sign
    least, most = int(steps.min()), int(steps.max())
    return (-most, -least) if down else (least, most)
