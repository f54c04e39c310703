"""The threaded signer: threads take work units in turn, read each once and hash its tiles.

    signed = sign_field(field, threads=4)
    signed.root                            # 32 bytes

Leaves land in one array by tile number, so neither the plan nor the number of threads can change a digest. Tiles that
no stored chunk touches hold only the fill value: one of each shape is read and stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from threading import Lock, Thread
from typing import TypeAlias

from hpcprov.data.interface import Box, Field, lengths, part
from hpcprov.data.types import Array
from hpcprov.data.values import Values, encode
from hpcprov.signature import plan, tree
from hpcprov.signature.deadline import check
from hpcprov.signature.field import Grid, Leaves, Signed, finish, grid_of
from hpcprov.signature.watch import Watch

#: Fields with fewer tiles are read whole: asking which chunks exist would cost more.
SPARSE_FROM = 64

#: Takes a tile's number, its leaf and the bytes that it covers; called from several threads.
Put: TypeAlias = Callable[[int, bytes, int], None]


def sign_field(
    target: Field, *, threads: int = 1, deadline: float | None = None, watch: Watch | None = None
) -> Signed:
    """The signature of a field. Raises TimeUp, UnreadableData, Unsigned, or what the reader's library raises."""
    if target.shape is None:
        return finish(target, None, None)
    grid = grid_of(target.shape, target.type)
    leaves = Leaves(bytearray(grid.count * tree.DIGEST))
    Signer(target, grid, threads=threads, deadline=deadline, watch=watch).sign(grid.whole, leaves.put)
    return finish(target, grid, leaves)


class _Shared:
    """Units taken in turn by several threads; the first error ends them all."""

    def __init__(self, units: Iterator[Box], work: Callable[[Box], None]) -> None:
        self.units, self.work = units, work
        self.lock = Lock()
        self.error: BaseException | None = None

    def run(self, threads: int) -> None:
        """Work off all units, one thread being the caller's. Raises the first error."""
        others = [Thread(target=self._drain, daemon=True) for _ in range(threads - 1)]
        for thread in others:
            thread.start()
        self._drain()
        for thread in others:
            thread.join()
        if self.error is not None:
            raise self.error

    def _drain(self) -> None:
        try:
            while (unit := self._take()) is not None:
                self.work(unit)
        except BaseException as error:
            self.error = self.error or error

    def _take(self) -> Box | None:
        with self.lock:
            return None if self.error is not None else next(self.units, None)


class Signer:
    """Signs boxes of whole tiles of one field."""

    def __init__(
        self,
        target: Field,
        grid: Grid,
        *,
        threads: int = 1,
        deadline: float | None = None,
        limit: int | None = None,
        watch: Watch | None = None,
    ) -> None:
        self.target, self.grid = target, grid
        self.threads, self.deadline = threads, deadline
        self.watch = watch or Watch()
        self.limit = limit or plan.limit_for(threads)
        self.extents = plan.unit_extents(grid.shape, grid.tile, target.chunks, target.width, limit=self.limit)
        self.blank = _blank_tiles(target, grid)
        self.known: dict[tuple[int, ...], tuple[bytes, int]] = {}

    def sign(self, box: Box, put: Put) -> None:
        """Give `put` the leaf of every tile of `box`."""
        if not self.grid.count:
            return
        shared = _Shared(plan.boxes(box, self.extents), lambda unit: self._sign_unit(unit, put))
        wanted = prod(-(-(stop - start) // extent) for (start, stop), extent in zip(box, self.extents, strict=True))
        shared.run(min(self.threads, wanted))

    def _sign_unit(self, unit: Box, put: Put) -> None:
        check(self.deadline)
        inside = list(plan.boxes(unit, self.grid.tile))
        if self.blank is not None and all(self.blank[self.grid.number(box)] for box in inside):
            for box in inside:
                put(self.grid.number(box), *self._blank_leaf(box))
        elif prod(lengths(unit)) * self.target.width > self.limit and len(inside) == 1:
            put(self.grid.number(unit), *self._by_pieces(unit))
        else:
            self._by_tiles(unit, inside, put)

    def _by_tiles(self, unit: Box, inside: list[Box], put: Put) -> None:
        values = self.target.read(unit)
        for box in inside:
            check(self.deadline)
            within = tuple((start - at, stop - at) for (start, stop), (at, _) in zip(box, unit, strict=True))
            octets = self._encode(values[part(within)], box)
            put(self.grid.number(box), tree.leaf(octets), len(octets))

    def _by_pieces(self, tile: Box) -> tuple[bytes, int]:
        """A tile whose elements are wide in memory (fixed-width text), read in parts."""
        hasher, size = tree.hasher("leaf"), 0
        for piece in plan.pieces(tile, max(1, self.limit // 4 // max(1, self.target.width))):
            check(self.deadline)
            octets = self._encode(self.target.read(piece), piece)
            hasher.update(octets)
            size += len(octets)
        return hasher.digest(), size

    def _blank_leaf(self, tile: Box) -> tuple[bytes, int]:
        extents = lengths(tile)
        if extents not in self.known:
            octets = self._encode(self.target.read(tile), tile)
            self.known[extents] = tree.leaf(octets), len(octets)
        return self.known[extents]

    def _encode(self, values: Values, box: Box) -> bytes | memoryview:
        inner = self.target.type.shape if isinstance(self.target.type, Array) else ()
        octets = encode(values.reshape((*lengths(box), *inner)), self.target.type, prod(lengths(box)))
        return octets if isinstance(octets, bytes) else octets.data


def _blank_tiles(target: Field, grid: Grid) -> bytearray | None:
    """For each tile, 1 when no stored chunk touches it; None when that is not known."""
    stored = target.stored() if grid.count >= SPARSE_FROM else None
    if stored is None:
        return None
    blank = bytearray(b"\1") * grid.count
    for chunk in stored:
        outer = tuple((start // step * step, stop) for (start, stop), step in zip(chunk, grid.tile, strict=True))
        for tile in plan.boxes(outer, grid.tile):
            blank[grid.number(tile)] = 0
    return blank
