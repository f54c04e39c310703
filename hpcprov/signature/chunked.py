"""Tiles out of chunks: each chunk of a unit is decoded once, and its parts go where they belong.

    chunks   |----0----|----1----|----2----|
    tiles    |------0------|------1------|--

A tile that lies in one chunk is hashed there. One that several chunks share is put together in memory of its own; of
the chunks only the one at hand is held. A tile whose chunks are all missing has the leaf of its fill value.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass, field
from itertools import islice, product
from math import prod
from typing import Any, NamedTuple, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Field, Index, lengths
from hpcprov.data.values import Values
from hpcprov.signature.field import Grid
from hpcprov.signature.leaf import LeafMaker

#: Small chunks are decoded so many at once, and so many bytes.
MOST_AT_ONCE, BYTES_AT_ONCE = 64, 1 << 20

#: Takes a tile's box, its leaf and its canonical bytes.
Done: TypeAlias = Callable[[Box, bytes, int], None]
#: An index into an array: slices, and the rest whole.
Where: TypeAlias = Any


class _Part(NamedTuple):
    """What a chunk and a tile have in common along one axis: where the tile begins, and the range in either."""

    tile: int
    chunk_range: slice
    tile_range: slice
    length: int


class _Slab(NamedTuple):
    """A chunk along one axis: its place in the grid, whether it begins in the unit, and what it has of each tile."""

    at: int
    begins: bool
    parts: list[_Part]


@dataclass(slots=True)
class _Tile:
    """A tile that is being put together: elements still missing, memory, and what is to be filled in."""

    box: Box
    left: int
    block: NDArray[np.uint8] | None = None
    values: Values | None = None
    gaps: list[Where] = field(default_factory=list)


class ChunkedUnit:
    """Signs units of one field in one thread; `decoded` counts chunks, `begun` those that begin in the unit."""

    def __init__(self, target: Field, grid: Grid, maker: LeafMaker, blank: Callable[[Box], tuple[bytes, int]]) -> None:
        assert target.chunk is not None and target.chunks is not None
        self.chunk, self.chunks, self.fill = target.chunk, target.chunks, target.fill
        self.grid, self.maker, self.blank = grid, maker, blank
        self.several = target.several
        self.at_once = min(MOST_AT_ONCE, BYTES_AT_ONCE // max(1, prod(target.chunks) * target.width))
        self.free: list[NDArray[np.uint8]] = []
        self.decoded = self.begun = 0

    def sign(self, unit: Box, done: Done) -> None:
        """Give `done` the leaf of every tile of the unit."""
        self.decoded = self.begun = 0
        tiles: dict[tuple[int, ...], _Tile] = {}
        walk = _walk(unit, self.grid.tile, self.chunks)
        while group := list(islice(walk, max(1, self.at_once))):
            # Turned round, since each chunk of some kilobytes counts: the axes' indices, and so on.
            turned = [tuple(zip(*across, strict=True)) or ((), (), ()) for across in group]
            for (_, begins, parts), values in zip(
                turned, self._decoded([index for index, _, _ in turned]), strict=True
            ):
                if values is not None:
                    self.decoded += 1
                    self.begun += all(begins)
                for part in product(*parts):
                    self._place(tiles, part, values, done)
                del values  # its memory is the next one's

    def _decoded(self, indices: list[Index]) -> Iterable[Values | None]:
        return map(self.chunk, indices) if self.several is None or len(indices) < 2 else self.several(indices)

    def _place(
        self, tiles: dict[tuple[int, ...], _Tile], across: tuple[_Part, ...], values: Values | None, done: Done
    ) -> None:
        corner, taken, where, extents = zip(*across, strict=True) if across else ((), (), (), ())
        count = prod(extents)
        tile = tiles.get(corner)
        if tile is None:
            box = self._box(corner)
            whole = prod(lengths(box))
            if count == whole and values is not None:
                done(box, *self.maker.leaf(values[(*taken, ...)], box))
                return
            tile = tiles[corner] = _Tile(box, whole)
        if values is None:
            tile.gaps.append((*where, ...))
        else:
            self._memory(tile, values)[(*where, ...)] = values[(*taken, ...)]
        tile.left -= count
        if not tile.left:
            del tiles[corner]
            self._finish(tile, done)

    def _box(self, corner: tuple[int, ...]) -> Box:
        grid = self.grid
        return tuple(
            (at, min(at + step, extent)) for at, step, extent in zip(corner, grid.tile, grid.shape, strict=True)
        )

    def _memory(self, tile: _Tile, values: Values) -> Values:
        if tile.values is None:
            extents, inner = lengths(tile.box), values.shape[len(tile.box) :]
            dtype = self.maker.canonical(values.dtype) or values.dtype
            tile.block, tile.values = self._empty((*extents, *inner), dtype)
        return tile.values

    def _empty(self, shape: tuple[int, ...], dtype: np.dtype[Any]) -> tuple[NDArray[np.uint8], Values]:
        size = prod(shape) * dtype.itemsize
        block = self.free.pop() if self.free else np.empty(0, np.uint8)
        if len(block) < size:
            block = np.empty(size, np.uint8)
        return block, block[:size].view(dtype).reshape(shape)

    def _finish(self, tile: _Tile, done: Done) -> None:
        if tile.values is None or tile.block is None:
            done(tile.box, *self.blank(tile.box))
            return
        for gap in tile.gaps:
            tile.values[gap] = self.fill
        done(tile.box, *self.maker.leaf(tile.values, tile.box))
        self.free.append(tile.block)


def _walk(unit: Box, tile: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[_Slab, ...]]:
    """The chunks that the unit touches, in C order."""
    if not unit:
        yield ()
        return
    inner = [list(_along(*axis)) for axis in zip(unit[1:], tile[1:], chunks[1:], strict=True)]
    for first in _along(unit[0], tile[0], chunks[0]):
        for rest in product(*inner):
            yield (first, *rest)


def _along(span: tuple[int, int], tile: int, chunk: int) -> Iterator[_Slab]:
    start, stop = span
    for at in range(start // chunk, -(-stop // chunk)):
        first, last = max(start, at * chunk), min(stop, (at + 1) * chunk)
        corners = range(first // tile * tile, last, tile)
        parts = [_part(max(first, corner), min(last, corner + tile), at * chunk, corner) for corner in corners]
        yield _Slab(at, start <= at * chunk, parts)


def _part(first: int, last: int, chunk: int, corner: int) -> _Part:
    return _Part(corner, slice(first - chunk, last - chunk), slice(first - corner, last - corner), last - first)
