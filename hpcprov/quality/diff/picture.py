"""A map of where two fields differ and by how much, small enough for a page whatever the size of the fields.

    drawing = Picture(shape)
    diff_field(one, other, options, seen=drawing.seen)
    drawing.facts([])  ->  {"axes": [1, 2], "cells": [256, 384], "levels": [1e-7, ..., 0.5], "maps": [...], ...}

The last two axes with more than one element are the map's rows and columns; each cell stands for a block of elements,
of all slices across the other axes, and holds the largest difference among them. Of more axes the slices with the most
differences have maps of their own.

A map is one byte for each cell (compressed, base64): 0 for equal, 1 to 9 for the largest difference on a logarithmic
scale, 10 for elements that differ without a distance (NaN, text).
"""

from __future__ import annotations

import base64
import zlib
from collections.abc import Sequence
from math import isfinite, log10, prod
from threading import Lock
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Field
from hpcprov.quality.diff.block import NOTHING, Block, Declared
from hpcprov.quality.diff.options import Options
from hpcprov.quality.diff.walk import block_extents, blocks, walk

Facts: TypeAlias = dict[str, Any]
Places: TypeAlias = NDArray[np.int64]

MOST_ROWS, MOST_COLUMNS, LEAST_CELLS = 256, 384, 24
#: Levels of the scale, the level of what has no distance, and how many powers of ten the scale spans at most.
LEVELS, NO_DISTANCE, MOST_DECADES = 9, 10, 9
#: Slices with maps of their own; bars of the profile across the leading axes.
MOST_SLICES, MOST_BARS = 3, 256


class Map:
    """Cells of one map of a plane of `extents` elements."""

    def __init__(self, extents: tuple[int, int]) -> None:
        self.extents = extents
        self.cells = cells_of(extents)
        self.largest = np.zeros(prod(self.cells))
        self.others = np.zeros(prod(self.cells), np.bool_)
        self.differing = 0

    def add(self, rows: Places, columns: Places, apart: Any) -> None:
        """Elements that differ: their indices in the plane, and their distances."""
        down, across = (
            index * cells // extent
            for index, cells, extent in zip((rows, columns), self.cells, self.extents, strict=True)
        )
        cell = down * self.cells[1] + across
        self.differing += len(cell)
        known = np.zeros(len(cell), np.bool_) if apart is None else np.isfinite(apart) & (apart > 0)
        self.others[cell[~known]] = True
        if known.any():
            np.maximum.at(self.largest, cell[known], apart[known])

    def facts(self, levels: list[float], at: list[int] | None) -> Facts:
        """The map by the levels of a scale."""
        drawn = np.digitize(self.largest, levels[:-1], right=False) if levels else np.zeros(len(self.largest), int)
        found = np.where(self.largest > 0, np.clip(drawn, 1, LEVELS), np.where(self.others, NO_DISTANCE, 0))
        packed = zlib.compress(found.astype(np.uint8).tobytes(), 6)
        return {"at": at, "differing": self.differing, "cells": base64.b64encode(packed).decode()}


class Picture:
    """The maps of one field of `shape`; several threads may add to it."""

    def __init__(self, shape: tuple[int, ...]) -> None:
        self.shape, self.lock = shape, Lock()
        self.axes = axes_of(shape)
        self.leading = tuple(extent for axis, extent in enumerate(shape) if axis not in self.axes)
        self.whole = Map(self._plane())
        self.bars = np.zeros(min(MOST_BARS, prod(self.leading)), np.int64)
        self.slices = np.zeros(prod(self.leading) if prod(self.leading) <= 1 << 20 else 0, np.int64)

    def _plane(self) -> tuple[int, int]:
        extents = [self.shape[axis] for axis in self.axes]
        return (1, 1) if not extents else (1, extents[0]) if len(extents) == 1 else (extents[0], extents[1])

    def seen(self, places: Places, apart: Any) -> None:
        """Elements that differ, by their places in C order."""
        index = np.unravel_index(places, self.shape) if self.shape else ()
        rows, columns = self._in_plane(index, len(places))
        number = np.zeros(len(places), np.int64)
        for axis, extent in enumerate(self.shape):
            if axis not in self.axes:
                number = number * extent + index[axis]
        with self.lock:
            self.whole.add(rows, columns, apart)
            count = max(1, prod(self.leading))
            np.add.at(self.bars, number * len(self.bars) // count, 1)
            if len(self.slices):
                np.add.at(self.slices, number, 1)

    def _in_plane(self, index: Sequence[Any], count: int) -> tuple[Places, Places]:
        none = np.zeros(count, np.int64)
        found = [index[axis] for axis in self.axes]
        return (none, none) if not found else (none, found[0]) if len(found) == 1 else (found[0], found[1])

    def best(self) -> list[list[int]]:
        """The slices with the most differences, by their indices across the leading axes."""
        if not self.leading or len(self.slices) < 2:
            return []
        order = np.argsort(-self.slices, kind="stable")[:MOST_SLICES]
        chosen = [int(at) for at in order if self.slices[at]]
        return [[int(at) for at in np.unravel_index(number, self.leading)] for number in chosen]

    def facts(self, slices: list[tuple[list[int], Map]]) -> Facts:
        """The picture, with the maps of some slices."""
        levels = scale(self.whole.largest)
        maps = [self.whole.facts(levels, None), *(one.facts(levels, at) for at, one in slices)]
        return {
            "axes": list(self.axes),
            "extents": list(self.whole.extents),
            "cells": list(self.whole.cells),
            "levels": levels,
            "maps": maps,
            "bars": self.bars.tolist() if len(self.bars) > 1 else [],
            "leading": list(self.leading),
        }


def cells_of(extents: tuple[int, int]) -> tuple[int, int]:
    """Cells of a map: of the plane's proportions, unless these are extreme."""
    most = min(MOST_ROWS, extents[0]), min(MOST_COLUMNS, extents[1])
    elements = max(1.0, extents[0] / MOST_ROWS, extents[1] / MOST_COLUMNS)
    found = max(1, round(extents[0] / elements)), max(1, round(extents[1] / elements))
    return found if min(found) >= min(LEAST_CELLS, *extents) else most


def axes_of(shape: tuple[int, ...]) -> tuple[int, ...]:
    """The axes of the map: the last two with more than one element, or as many as there are."""
    wide = [axis for axis, extent in enumerate(shape) if extent > 1]
    return tuple(wide[-2:])


def scale(largest: NDArray[np.float64]) -> list[float]:
    """The bounds of the levels, ten for nine of them: logarithmic from the smallest to the largest distance."""
    there = largest[(largest > 0) & np.isfinite(largest)]
    if not len(there):
        return []
    high = float(there.max())
    low = max(float(there.min()), high / 10**MOST_DECADES, 5e-324)
    if not isfinite(high / low) or high / low < 1.0001:
        low = high / 10
    steps = np.linspace(log10(max(low, 1e-320)), log10(max(high, 1e-320)), LEVELS + 1)
    return [low, *(10.0 ** float(step) for step in steps[1:-1]), high]


def drawn(
    one: Field,
    other: Field,
    common: tuple[int, ...],
    picture: Picture,
    options: Options,
    declared: Declared = NOTHING,
) -> Facts:
    """The facts of a picture whose field has been read once: the slices with the most differences are read again."""
    slices = [(at, _slice(one, other, common, picture, at, options, declared)) for at in picture.best()]
    return picture.facts(slices)


def _slice(
    one: Field,
    other: Field,
    common: tuple[int, ...],
    picture: Picture,
    at: list[int],
    options: Options,
    declared: Declared,
) -> Map:
    leading = iter(at)
    box: Box = tuple(
        (0, extent) if axis in picture.axes else (here := next(leading), here + 1) for axis, extent in enumerate(common)
    )
    made, lock = Map(picture.whole.extents), Lock()

    def seen(places: Places, apart: Any) -> None:
        rows, columns = picture._in_plane(np.unravel_index(places, common), len(places))
        with lock:
            made.add(rows, columns, apart)

    def work(part: Box) -> None:
        block = Block(part, common, one.type, other.type, options.tolerance, seen, declared)
        block.compare(one.read(part), other.read(part))

    for _ in walk(blocks([box], block_extents(one, other, common)), work, threads=options.threads):
        pass
    return made
