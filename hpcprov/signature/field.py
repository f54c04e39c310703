"""A field's canonical grid, its leaves, and the signature that they add up to.

grid = grid_of((1000, 1000), plain("f4"))      # tiles of 512 x 512, 2 x 2 of them
leaves = Leaves(bytearray(grid.count * 32))    # filled by a runner, in any order
signed = finish(field, grid, leaves)
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from hpcprov.data.interface import Box, Field
from hpcprov.data.types import Type
from hpcprov.signature import tiles, tree
from hpcprov.signature.counting import Counter


@dataclass(frozen=True)
class Grid:
    """A field's canonical grid: its shape, the extents of its tiles and how many there are along each axis."""

    shape: tuple[int, ...]
    tile: tuple[int, ...]
    counts: tuple[int, ...]

    @property
    def count(self) -> int:
        return tiles.count_of(self.counts)

    @property
    def whole(self) -> Box:
        return tuple((0, extent) for extent in self.shape)

    def number(self, box: Box) -> int:
        """The place of the tile that begins where `box` begins, in C order of the grid."""
        number = 0
        for (start, _), step, count in zip(box, self.tile, self.counts, strict=True):
            number = number * count + start // step
        return number


@dataclass(frozen=True)
class Signed:
    """The signature of a field: `root` is 32 bytes, `size` the canonical bytes of all its values; `leaves` are its
    tiles' digests, 32 bytes each, in C order of the grid; `statistics` are there when somebody counted."""

    path: bytes
    type: Type
    shape: tuple[int, ...] | None
    tile: tuple[int, ...]
    root: bytes
    size: int
    leaves: bytes | bytearray = b""
    statistics: dict[str, Any] | None = None


@dataclass
class Leaves:
    """Leaf digests by tile number, and the canonical bytes that they cover."""

    digests: bytearray
    size: int = 0
    lock: Lock = field(default_factory=Lock)

    def put(self, number: int, digest: bytes, size: int) -> None:
        self.digests[number * tree.DIGEST : (number + 1) * tree.DIGEST] = digest
        with self.lock:
            self.size += size


def grid_of(shape: tuple[int, ...], kind: Type) -> Grid:
    """The canonical grid of an array."""
    tile = tiles.tile_extents(shape, tiles.nominal_size(kind.nominal))
    return Grid(shape, tile, tiles.grid_of(shape, tile))


def finish(target: Field, grid: Grid | None, leaves: Leaves | None, counter: Counter | None = None) -> Signed:
    """The signature over a field's leaves; neither grid nor leaves for a null dataspace. `counter` has counted all."""
    tile = grid.tile if grid is not None else ()
    digests = leaves.digests if leaves is not None else b""
    root = tree.field_root(target.type.token, target.shape, tile, digests)
    size = leaves.size if leaves is not None else 0
    counted = counter.result() if counter is not None else None
    return Signed(target.path, target.type, target.shape, tile, root, size, digests, counted)
