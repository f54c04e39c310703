"""Signing a field whose last signature is known: tiles that have not changed keep their leaves and are not read.

A tile is taken from the last time when it covers the same values, by proof or because somebody says so:

* In a Zarr directory, when all of the array's metadata but its shape is as it was, and every file that the tile touches
  is the same (device, inode, size, modification and change time) as when it was read, or was absent then and now.
* In a single file, when somebody says `appended`: that only rows were added along the first axis.

The tiles' extents must be those of the last time, and elements of a fixed size: text and lists are always read.

    reuse = Reuse(past, tiles_dir, appended=False)
    signed = reuse.sign(field, threads=4)
    reuse.read, reuse.reused               # tiles
"""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Field
from hpcprov.signature import manifest, tree
from hpcprov.signature.counting import Counter
from hpcprov.signature.field import Grid, Leaves, Signed, finish, grid_of
from hpcprov.signature.manifest import Manifest
from hpcprov.signature.past import Past
from hpcprov.signature.regions import regions
from hpcprov.signature.threads import Signer, sign_field
from hpcprov.signature.watch import Watch

#: When the tiles to be read lie scattered in more boxes than that, the field is read whole.
MOST_BOXES = 4096

Mask = NDArray[np.bool_]


@dataclass
class Reuse:
    """Signs the fields of one artifact; counts the tiles that were `read` and those `reused`, and the `files` of a
    directory whose digests are those of the last time. `on_word`: some rest on what somebody said."""

    past: Past
    tiles_dir: str | None
    appended: bool = False
    read: int = 0
    reused: int = 0

    @property
    def files(self) -> int:
        return self.past.matching

    @property
    def on_word(self) -> bool:
        return self.appended and not self.past.held and self.reused > 0

    def sign(
        self,
        target: Field,
        *,
        threads: int = 1,
        deadline: float | None = None,
        watch: Watch | None = None,
        counter: Counter | None = None,
    ) -> Signed:
        """The signature of a field, as `sign_field` gives it; what is counted is read. Raises what that raises."""
        grid = grid_of(target.shape, target.type) if target.shape is not None else None
        old = self._old(target, grid) if grid is not None and counter is None else None
        todo = self._todo(target, grid, old) if grid is not None and old is not None else None
        if grid is None or old is None or todo is None:
            signed = sign_field(target, threads=threads, deadline=deadline, watch=watch, counter=counter)
            self.read += len(signed.leaves) // tree.DIGEST
            return signed
        wanted = np.flatnonzero(todo)
        self.read += len(wanted)
        self.reused += grid.count - len(wanted)
        leaves = Leaves(_taken(old, grid, todo), _octets(target, grid))
        signer = Signer(target, grid, threads=threads, deadline=deadline, watch=watch)
        for box in regions(grid, wanted):
            signer.sign(box, lambda number, digest, _: leaves.put(number, digest, 0))
        return finish(target, grid, leaves)

    def _old(self, target: Field, grid: Grid) -> Manifest | None:
        """The tile digests of the last time, when they are of the same grid except for its length."""
        known = self.past.fields.get(target.name)
        if self.tiles_dir is None or not isinstance(known, dict) or target.type.size is None or not grid.shape:
            return None
        root = str(known.get("signature")).removeprefix(tree.PREFIX)
        old = manifest.load(self.tiles_dir, root, most=2 * grid.count)
        alike = old is not None and (old.token, old.tile, old.shape[1:]) == (
            target.type.token,
            grid.tile,
            grid.shape[1:],
        )
        return old if alike else None

    def _todo(self, target: Field, grid: Grid, old: Manifest) -> Mask | None:
        """Which tiles must be read; None when all must."""
        dirty = [] if self.appended and not self.past.held else self.past.dirty(target)
        if dirty is None:
            return None
        todo = np.ones(grid.counts, np.bool_)
        todo[: _rows(old, grid)] = False
        for box in dirty:
            tiles = zip(box, grid.tile, strict=True)
            todo[tuple(slice(begin // step, -(-end // step)) for (begin, end), step in tiles)] = True
        scattered = todo.size > MOST_BOXES and len(regions(grid, np.flatnonzero(todo))) > MOST_BOXES
        return None if todo.all() or scattered else todo.reshape(-1)


def _rows(old: Manifest, grid: Grid) -> int:
    """Rows of tiles that lie whole, or ended alike, within both lengths."""
    if old.shape[0] == grid.shape[0]:
        return grid.counts[0]
    return min(old.shape[0], grid.shape[0]) // grid.tile[0]


def _taken(old: Manifest, grid: Grid, todo: Mask) -> bytearray:
    """The leaves of the last time where they stand, the others blank."""
    leaves = bytearray(grid.count * tree.DIGEST)
    kept = np.flatnonzero(~todo)
    rows = np.frombuffer(leaves, np.uint8).reshape(-1, tree.DIGEST)
    rows[kept] = np.frombuffer(old.leaves, np.uint8).reshape(-1, tree.DIGEST)[kept]
    return leaves


def _octets(target: Field, grid: Grid) -> int:
    return prod(grid.shape) * int(target.type.size or 0)
