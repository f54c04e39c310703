"""The threaded signer: threads take work units in turn, read each once and hash its tiles.

    signed = sign_field(field, threads=4)
    signed.root                            # 32 bytes

Leaves land in one array by tile number, so neither the plan nor the number of threads can change a digest. Tiles that
no stored chunk touches hold only the fill value: one of each shape is hashed and stands for all.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import prod
from typing import TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Field, lengths, part
from hpcprov.data.values import missing_of
from hpcprov.signature import plan, tree
from hpcprov.signature.chunked import ChunkedUnit
from hpcprov.signature.counting import Content, Counter, Tally
from hpcprov.signature.deadline import check
from hpcprov.signature.field import Grid, Leaves, Signed, finish, grid_of
from hpcprov.signature.leaf import LeafMaker, joined
from hpcprov.signature.turns import work_off
from hpcprov.signature.watch import Watch

#: Fields with fewer tiles are read whole: asking which chunks exist would cost more.
SPARSE_FROM = 64
#: So many missing chunks are sooner tried one by one than asked for.
TRIED = 1 << 14
#: Elements of unknown length are first read so many at once, and then as many as their length lets.
FIRST_PIECE, FIRST_STRIDE = 256, 4096
#: Elements of at most so many bytes are counted by whole tiles, since sums depend on where they are cut.
NUMBER = 16

#: Takes a tile's number, its leaf and the bytes that it covers; called from several threads.
Put: TypeAlias = Callable[[int, bytes, int], None]


def sign_field(
    target: Field,
    *,
    threads: int = 1,
    deadline: float | None = None,
    watch: Watch | None = None,
    counter: Counter | None = None,
) -> Signed:
    """The signature of a field, whose values `counter` counts. Raises TimeUp, UnreadableData, Unsigned, or what the
    reader's library raises."""
    if target.shape is None:
        return finish(target, None, None, counter)
    grid = grid_of(target.shape, target.type)
    leaves = Leaves(bytearray(grid.count * tree.DIGEST))
    Signer(target, grid, threads=threads, deadline=deadline, watch=watch).sign(grid.whole, leaves.put, counter)
    return finish(target, grid, leaves, counter)


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
        self.deadline, self.watch = deadline, watch or Watch()
        by_chunk, divisible, chunks = _by_chunk(target), target.divisible, target.chunks
        if limit is None:
            threads = plan.threads_for(
                grid.shape, grid.tile, chunks, target.width, threads, by_chunk=by_chunk, divisible=divisible
            )
        self.limit = limit or plan.limit_for(threads)
        layout = plan.layout(chunks, target.width, limit=self.limit, by_chunk=by_chunk, divisible=divisible)
        self.by_chunk, self.threads = layout.by_chunk, min(threads, layout.threads)
        self.extents = plan.extents_for(grid.shape, grid.tile, target.width, layout, limit=self.limit)
        self.blank = _blank_tiles(target, grid, self.by_chunk)
        #: extents of a tile: leaf and size of one without stored values, and what it counts
        self.known: dict[tuple[int, ...], tuple[bytes, int, Tally | None]] = {}
        #: Whoever signed before has memory to use again.
        self.idle: list[_Hand] = []
        #: Bytes that an element of unknown length has taken so far.
        self.average = 0.0

    def sign(self, box: Box, put: Put, counter: Counter | None = None) -> None:
        """Give `put` the leaf of every tile of `box`, and `counter` what has been counted of it."""
        if not self.grid.count:
            return
        self.watch.expect(prod(lengths(box)) * self.target.width)
        hands: list[_Hand] = []

        def work() -> Callable[[Box], None]:
            hand = self.idle.pop() if self.idle else _Hand(self, put)
            hand.put, hand.maker.tally = put, counter.tally() if counter is not None else None
            hands.append(hand)
            return hand.sign

        wanted = prod(-(-(stop - start) // extent) for (start, stop), extent in zip(box, self.extents, strict=True))
        work_off(plan.boxes(box, self.extents), work, threads=min(self.threads, wanted))
        for hand in hands:
            if counter is not None and hand.maker.tally is not None:
                counter.take(hand.maker.tally)
            hand.maker.tally = None
        self.idle += hands


def _by_chunk(target: Field) -> bool:
    return target.chunk is not None and target.chunks is not None and target.fill is not None


class _Hand:
    """What one thread does with units, and the memory that it uses again."""

    def __init__(self, signer: Signer, put: Put) -> None:
        self.signer, self.target, self.grid = signer, signer.target, signer.grid
        self.maker = LeafMaker(self.target.type)
        self.put = put
        self.chunks = ChunkedUnit(self.target, self.grid, self.maker, self._blank_leaf) if signer.by_chunk else None

    def sign(self, unit: Box) -> None:
        """Put the leaves of a unit's tiles."""
        check(self.signer.deadline)
        if self.signer.blank is not None and self._all_blank(unit):
            for box in plan.boxes(unit, self.grid.tile):
                self._done(box, *self._blank_leaf(box))
        elif self.chunks is not None:
            self.chunks.sign(unit, self._done)
            self.signer.watch.count(chunks=self.chunks.begun, decoded=self.chunks.decoded)
        elif self._is_large(unit):
            for box in plan.boxes(unit, self.grid.tile):
                self._done(box, *self._by_pieces(box))
        else:
            self._by_tiles(unit)
        self.signer.watch.add(prod(lengths(unit)) * self.target.width)

    def _done(self, box: Box, digest: bytes, size: int) -> None:
        check(self.signer.deadline)
        self.put(self.grid.number(box), digest, size)

    def _all_blank(self, unit: Box) -> bool:
        blank = self.signer.blank
        return blank is not None and all(blank[self.grid.number(box)] for box in plan.boxes(unit, self.grid.tile))

    def _is_large(self, unit: Box) -> bool:
        """Whether reading the unit at once could take too much memory."""
        if self.target.type.size is None and not self.signer.average:
            return prod(lengths(unit)) > FIRST_PIECE
        return prod(lengths(unit)) * max(self.target.width, self.signer.average) > self.signer.limit

    def _by_tiles(self, unit: Box) -> None:
        values = self.target.read(unit)
        for box in plan.boxes(unit, self.grid.tile):
            within = tuple((start - at, stop - at) for (start, stop), (at, _) in zip(box, unit, strict=True))
            self._done(box, *self.maker.leaf(values[part(within)], box))

    def _by_pieces(self, tile: Box) -> tuple[bytes, int]:
        """A tile whose elements are wide in memory or of unknown length, read in parts; where values are missing, once
        for the bitmap, which comes first, and once more for the values."""
        hasher, size, valid, whole, count = tree.hasher("leaf"), 0, [], True, _Count(self.maker.tally, self.target)
        for piece in self._pieces(tile):
            values = self.target.read(piece)
            missing = missing_of(values, prod(lengths(piece)))
            whole = whole and missing is None
            valid.append(np.ones(prod(lengths(piece)), np.bool_) if missing is None else ~missing)
            if whole:
                content = self._content(values, piece, None)
                octets = joined(content)
                hasher.update(octets)
                count.add(content, piece, None)
                size += len(octets)
        if not whole:
            return self._with_missing(tile, np.concatenate(valid))
        count.end(tile)
        return hasher.digest(), size

    def _with_missing(self, tile: Box, valid: NDArray[np.bool_]) -> tuple[bytes, int]:
        hasher, size = tree.hasher("leaf-null").update(tree.bitmap(valid)), 0
        count = _Count(self.maker.tally, self.target)
        for piece in self._pieces(tile):
            values = self.target.read(piece)
            missing = missing_of(values, prod(lengths(piece)))
            content = self._content(values, piece, missing)
            octets = joined(content)
            hasher.update(octets)
            count.add(content, piece, missing)
            size += len(octets)
        count.end(tile, None if valid.all() else ~valid)
        return hasher.digest(), size

    def _content(self, values: NDArray[np.generic], piece: Box, missing: NDArray[np.bool_] | None) -> Content:
        content = self.maker.content(values, lengths(piece), missing)
        if isinstance(content, list):
            self.signer.average = max(self.signer.average, sum(map(len, content)) / len(content))
        return content

    def _pieces(self, tile: Box) -> Iterator[Box]:
        for stride in plan.pieces(tile, max(FIRST_STRIDE, self._most())):
            for piece in plan.pieces(stride, self._most()):
                check(self.signer.deadline)
                yield piece

    def _most(self) -> int:
        """How many elements may be read at once."""
        if self.target.type.size is None and not self.signer.average:
            return FIRST_PIECE
        return max(1, int(self.signer.limit // 4 // max(1, self.target.width, self.signer.average)))

    def _blank_leaf(self, tile: Box) -> tuple[bytes, int]:
        extents, known, tally = lengths(tile), self.signer.known, self.maker.tally
        if extents not in known or (tally is not None and known[extents][2] is None):
            known[extents] = self._blank(tile)
        digest, size, counted = known[extents]
        if tally is not None:
            tally.again(counted, tile)
        return digest, size

    def _blank(self, tile: Box) -> tuple[bytes, int, Tally | None]:
        """Leaf and size of a tile that holds the fill value only, and a tally that has counted it from 0."""
        extents, tally = lengths(tile), self.maker.tally
        if self.chunks is not None and self.target.fill is not None:
            fill = self.target.fill
            values = np.empty((*extents, *np.shape(fill)), fill.dtype)
            values[...] = fill
        else:
            values = self.target.read(tile)
        counted = tally.empty() if tally is not None else None
        self.maker.tally = counted
        try:
            return (*self.maker.leaf(values, tuple((0, extent) for extent in extents)), counted)
        finally:
            self.maker.tally = tally


class _Count:
    """Counts a tile that is read in parts, once it is complete: numbers as one, others part by part."""

    def __init__(self, tally: Tally | None, target: Field) -> None:
        self.tally = tally
        self.tile = bytearray() if target.type.size is not None and target.type.nominal <= NUMBER else None
        self.parts = tally.empty() if tally is not None else None

    def add(self, content: Content, piece: Box, missing: NDArray[np.bool_] | None) -> None:
        if self.parts is None:
            return
        if self.tile is not None and not isinstance(content, list):
            self.tile += content
        else:
            self.parts.add(content, piece, missing)

    def end(self, tile: Box, missing: NDArray[np.bool_] | None = None) -> None:
        if self.tally is None or self.parts is None:
            return
        if self.tile is not None:
            self.parts.add(self.tile, tile, missing)
        self.tally.merge(self.parts)


def _blank_tiles(target: Field, grid: Grid, by_chunk: bool) -> bytearray | None:
    """For each tile, 1 when no stored chunk touches it; None when that is not known."""
    if grid.count < SPARSE_FROM or (by_chunk and _chunk_count(target) <= TRIED):
        return None
    stored = target.stored()
    if stored is None:
        return None
    blank = bytearray(b"\1") * grid.count
    for chunk in stored:
        outer = tuple((start // step * step, stop) for (start, stop), step in zip(chunk, grid.tile, strict=True))
        for tile in plan.boxes(outer, grid.tile):
            blank[grid.number(tile)] = 0
    return blank


def _chunk_count(target: Field) -> int:
    return prod(-(-extent // chunk) for extent, chunk in zip(target.shape or (), target.chunks or (), strict=True))
