"""Two fields or datasets compared block by block, in any two formats, with little memory.

    with open_data("out.h5") as one, open_data("out.zarr") as other:
        compare(one, other, rtol=1e-6)
    ->  [{"path": "depth", "status": "within", "count": 138632, "differing": 12, "outside": 0, "max_abs": 3e-16,
          "max_rel": 2e-13, "where": [17, 3], "first": [17, 3], "reason": None}]

The second is the one that counts as right, as in numpy.isclose. `where` is where the absolute difference is largest,
`first` the first element, in C order of the blocks, that lies outside the tolerance, or that differs where none does.
"""

from __future__ import annotations

from collections.abc import Iterator
from math import prod
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.interface import Box, Dataset, Field, lengths
from hpcprov.quality.elements import compared, is_number
from hpcprov.signature.plan import boxes
from hpcprov.signature.watch import Watch

Facts: TypeAlias = dict[str, Any]

SAME, WITHIN, DIFFERENT, MISSING, NEW = "same", "within", "different", "missing", "new"
#: Bytes of one field that are compared at once; a block is at least a chunk.
BLOCK = 32 << 20


def compare(
    one: Dataset, other: Dataset, *, rtol: float = 0.0, atol: float = 0.0, watch: Watch | None = None
) -> list[Facts]:
    """What each field of `other` has become in `one`, then what is new in `one`; a table without names by their order.
    Raises what its readers raise."""
    found = {field.path: field for field in one.fields}
    pairs = [(field, found.pop(field.path, None)) for field in other.fields]
    watch = watch or Watch()
    for _, mine in pairs:
        watch.expect(_octets(mine))
    results = []
    for right, mine in pairs:
        if mine is None:
            results.append(_facts(right, MISSING, "it is not there"))
        else:
            results.append(compare_fields(mine, right, rtol=rtol, atol=atol, watch=watch))
    return results + [_facts(field, NEW, "it was not there") for field in found.values()]


def compare_fields(
    one: Field, other: Field, *, rtol: float = 0.0, atol: float = 0.0, watch: Watch | None = None
) -> Facts:
    """How the values of two fields differ. Numbers of two types are compared as numbers."""
    reason = _unlike(one, other)
    if reason is not None:
        return _facts(one, DIFFERENT, reason)
    shape = one.shape or ()
    tally = _Tally(prod(shape))
    for box in _blocks(one, other):
        count = prod(lengths(box))
        if count:
            tally.add(box, compared(one.read(box), one.type, other.read(box), other.type, count, rtol=rtol, atol=atol))
        if watch is not None:
            watch.add(count * one.width)
    said = None if one.type.text == other.type.text else f"its type is {one.type.text}, was {other.type.text}"
    return _facts(one, tally.status, said) | tally.facts()


def _unlike(one: Field, other: Field) -> str | None:
    """Why two fields cannot be compared element by element."""
    if one.shape != other.shape:
        return f"its shape is {_shape(one.shape)}, was {_shape(other.shape)}"
    if one.type.token != other.type.token and not (is_number(one.type) and is_number(other.type)):
        return f"its type is {one.type.text}, was {other.type.text}"
    return None


def _shape(shape: tuple[int, ...] | None) -> str:
    return "null" if shape is None else " x ".join(map(str, shape)) or "scalar"


def _blocks(one: Field, other: Field) -> Iterator[Box]:
    """Boxes that cover the array: whole chunks, as many as fit; without chunks whole rows."""
    if one.shape is None:
        return iter(())
    width = max(1, one.width, other.width)
    chunks = max((field.chunks for field in (one, other) if field.chunks is not None), key=prod, default=None)
    extents = [
        max(1, min(chunk, extent)) for chunk, extent in zip(chunks or (1,) * len(one.shape), one.shape, strict=True)
    ]
    for axis in reversed(range(len(extents))):
        room = BLOCK // (width * max(1, prod(extents)))
        if room < 2:
            break
        extents[axis] = min(one.shape[axis] or 1, extents[axis] * room)
    return boxes(tuple((0, extent) for extent in one.shape), tuple(extents))


def _octets(field: Field | None) -> int:
    return 0 if field is None or field.shape is None else prod(field.shape) * field.width


def _facts(field: Field, status: str, reason: str | None) -> Facts:
    return {
        "path": field.name, "status": status, "reason": reason, "count": None, "differing": None, "outside": None,
        "max_abs": None, "max_rel": None, "where": None, "first": None,
    }  # fmt: skip


class _Tally:
    """What has been found so far in a field of `count` elements."""

    def __init__(self, count: int) -> None:
        self.count, self.differing, self.outside = count, 0, 0
        self.max_abs: float | None = None
        self.max_rel: float | None = None
        self.where: list[int] | None = None
        self.first: list[int] | None = None
        self.outside_first = False

    @property
    def status(self) -> str:
        return DIFFERENT if self.outside else WITHIN if self.differing else SAME

    def add(self, box: Box, found: Any) -> None:
        differing, outside = int(found.differs.sum()), int(found.outside.sum())
        if outside and not self.outside_first:
            self.first, self.outside_first = _index(box, int(found.outside.argmax())), True
        elif differing and self.first is None:
            self.first = _index(box, int(found.differs.argmax()))
        self.differing, self.outside = self.differing + differing, self.outside + outside
        if differing and found.apart is not None:
            self._measure(box, found)

    def _measure(self, box: Box, found: Any) -> None:
        if not np.isnan(found.apart).all():
            at = int(np.nanargmax(found.apart))
            if self.max_abs is None or found.apart[at] > self.max_abs:
                self.max_abs, self.where = float(found.apart[at]), _index(box, at)
        if not np.isnan(found.relative).all():
            self.max_rel = max(self.max_rel or 0.0, float(np.nanmax(found.relative)))

    def facts(self) -> Facts:
        names = ("count", "differing", "outside", "max_abs", "max_rel", "where", "first")
        return {name: getattr(self, name) for name in names}


def _index(box: Box, at: int) -> list[int]:
    """The index in the array of the element `at` of a box, counted in C order."""
    inner = np.unravel_index(at, lengths(box)) if box else ()
    return [begin + int(step) for (begin, _), step in zip(box, inner, strict=True)]
