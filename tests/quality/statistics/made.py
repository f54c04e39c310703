"""Fields in memory, and what is in them by other means: plain Python, fractions, numpy."""

from __future__ import annotations

import math
from collections import Counter
from fractions import Fraction
from typing import Any

import numpy as np

from hpcprov.data.interface import Field
from hpcprov.data.opened import array_field, opened
from hpcprov.quality.statistics import Counter as FieldCounter
from hpcprov.quality.statistics import statistics_of
from hpcprov.signature.field import grid_of
from hpcprov.signature.threads import Signer


def of(values: Any, *, threads: int = 1) -> dict[str, Any]:
    """The statistics of an array or scalar."""
    return statistics_of(opened(values), threads=threads)[""]


def counted(field: Field, missing: Any = (), *, threads: int = 1, limit: int | None = None) -> dict[str, Any]:
    """The statistics of a field, read in parts of at most `limit` bytes."""
    assert field.shape is not None
    grid, counter = grid_of(field.shape, field.type), FieldCounter(field, missing)
    Signer(field, grid, threads=threads, limit=limit).sign(grid.whole, lambda *_: None, counter)
    return counter.result()


def with_missing(values: Any, *missing: Any) -> dict[str, Any]:
    return counted(array_field(np.asarray(values)), missing)


def root(value: Fraction) -> float:
    """Its square root; it may be a float where the value is none."""
    scaled = math.isqrt((value.numerator << 4400) // value.denominator)
    return float(Fraction(scaled, 1 << 2200))


def expected(values: np.ndarray[Any, Any]) -> dict[str, Any]:
    """What Python says of an array of numbers: sums as fractions."""
    flat = [value.item() for value in values.reshape(-1)]
    present = [value for value in flat if value == value]
    finite = [Fraction(value) for value in present if not (isinstance(value, float) and math.isinf(value))]
    mean = sum(finite) / len(finite) if finite else None
    spread = sum((value - mean) ** 2 for value in finite) / len(finite) if mean is not None else None
    return {
        "count": len(flat),
        "missing": len(flat) - len(present),
        "zeros": sum(value == 0 for value in present),
        "positive": sum(value > 0 for value in present),
        "negative": sum(value < 0 for value in present),
        "min": min(present, default=None),
        "max": max(present, default=None),
        "mean": None if mean is None else float(mean),
        "std": None if spread is None else root(spread),
        "distinct": len(set(present)),
        "values": sorted(Counter(present).items()),
    }
