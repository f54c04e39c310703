"""The signature of an array whose blocks lie in the memory of MPI ranks, before anything is written.

    sign_blocks(block, comm, (100 * comm.rank, 0), (100 * comm.size, 50), threads=2)

A tile belongs to the rank that holds its first element. Tiles that lie within one block are signed where they are; of
those that straddle blocks the owner asks the others for their parts, a few tiles at a time, so that memory stays
bounded.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import islice, pairwise
from math import prod
from typing import Any, NamedTuple

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Field, lengths, part
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values
from hpcprov.record.errors import HpcprovError
from hpcprov.signature import mpi, plan, tree
from hpcprov.signature.field import Grid, Leaves, Signed, finish, grid_of
from hpcprov.signature.threads import Signer

#: Straddling tiles (of about 1 MiB) that a rank puts together at a time.
BATCH = 16


class BadBlocks(HpcprovError):
    """The blocks of the ranks do not fill the array, overlap, or hold different types."""


class Block(NamedTuple):
    """What a rank says of its block: its dtype (byte order and the width of text left out), bytes of an element, place,
    and the shape of the whole array."""

    dtype: str
    width: int
    box: Box
    shape: tuple[int, ...]


def sign_blocks(values: Any, comm: Any, offset: tuple[int, ...], shape: tuple[int, ...], *, threads: int) -> Signed:
    """The signature of the array of `shape` of which this rank holds `values` at `offset`. Collective. Raises BadBlocks
    or Unsigned on all ranks alike."""
    error, block = None, None
    try:
        values = np.asanyarray(values)
        block = _block(values, offset, shape)
    except (Unsigned, HpcprovError, TypeError, ValueError) as failure:
        error = failure
    mpi.raise_together(comm, error)
    blocks: list[Block] = comm.allgather(block)
    check_alike(blocks)
    boxes = [one.box for one in blocks]
    check(boxes, blocks[0].shape)
    width = max(one.width for one in blocks)
    if values.dtype.kind in "SU" and values.dtype.itemsize < width:
        values = values.astype(f"S{width}" if values.dtype.kind == "S" else f"U{width // 4}")
    return _Exchange(values, comm, boxes, blocks[0].shape, threads).sign()


def _block(values: Values, offset: tuple[int, ...], shape: tuple[int, ...]) -> Block:
    type_of(values.dtype)
    numbers = tuple(int(number) for number in (*offset, *shape))
    if not values.ndim == len(offset) == len(shape) or any(number < 0 for number in numbers):
        raise BadBlocks(f"a block of {values.ndim} axes at {offset!r} does not fit an array of the shape {shape!r}")
    box = tuple((int(at), int(at) + extent) for at, extent in zip(offset, values.shape, strict=True))
    if any(stop > extent for (_, stop), extent in zip(box, shape, strict=True)):
        raise BadBlocks(f"the block {shown(box)} lies outside of the array of the shape {shape!r}")
    return Block(_descr(values.dtype), values.dtype.itemsize, box, tuple(int(extent) for extent in shape))


def _descr(dtype: np.dtype[Any]) -> str:
    native = dtype.newbyteorder("=")
    return native.kind if native.kind in "SU" else repr(native)


def check_alike(blocks: Sequence[Block]) -> None:
    """Raises BadBlocks unless all ranks mean an array of one type and shape."""
    for rank, one in enumerate(blocks):
        if one.shape != blocks[0].shape:
            raise BadBlocks(f"rank 0 says that the array's shape is {blocks[0].shape!r}, rank {rank} {one.shape!r}")
        if one.dtype != blocks[0].dtype:
            raise BadBlocks(f"rank 0 holds {blocks[0].dtype}, rank {rank} holds {one.dtype}")


def check(boxes: Sequence[Box], shape: tuple[int, ...]) -> None:
    """Raises BadBlocks unless the boxes fill the array and none overlaps another; the message names where."""
    full = [(rank, box) for rank, box in enumerate(boxes) if all(start < stop for start, stop in box)]
    if shape:
        starts = np.array([[start for start, _ in box] for _, box in full]).reshape(len(full), len(shape))
        stops = np.array([[stop for _, stop in box] for _, box in full]).reshape(len(full), len(shape))
        for at, (rank, box) in enumerate(full):
            meets = ((starts[at + 1 :] < stops[at]) & (stops[at + 1 :] > starts[at])).all(axis=1)
            if meets.any():
                other, theirs = full[at + 1 + int(meets.argmax())]
                raise BadBlocks(f"the ranks {rank} and {other} both hold {shown(common(box, theirs))}")
    elif len(full) > 1:
        raise BadBlocks(f"the ranks {full[0][0]} and {full[1][0]} both hold the scalar")
    if sum(prod(lengths(box)) for _, box in full) != prod(shape):
        whole = tuple((0, extent) for extent in shape)
        raise BadBlocks(f"no rank holds {shown(gap(whole, [box for _, box in full]) or whole)}")


def common(one: Box, other: Box) -> Box:
    """The box that lies in both."""
    return tuple((max(a, c), min(b, d)) for (a, b), (c, d) in zip(one, other, strict=True))


def gap(outer: Box, boxes: Sequence[Box]) -> Box | None:
    """A box within `outer` that none of `boxes` touches; None when they fill it."""
    if not outer:
        return None if boxes else ()
    start, stop = outer[0]
    cuts = sorted({start, stop, *(edge for box in boxes for edge in box[0] if start < edge < stop)})
    for first, last in pairwise(cuts):
        inner = gap(outer[1:], [box[1:] for box in boxes if box[0][0] <= first and last <= box[0][1]])
        if inner is not None:
            return ((first, last), *inner)
    return None


def shown(box: Box) -> str:
    """`[0:10, 5:20]`"""
    return f"[{', '.join(f'{start}:{stop}' for start, stop in box)}]"


class _Exchange:
    """One rank's part in signing the array."""

    def __init__(self, values: Values, comm: Any, boxes: Sequence[Box], shape: tuple[int, ...], threads: int) -> None:
        self.values, self.comm, self.boxes = values, comm, boxes
        self.box = boxes[comm.rank]
        self.kind = type_of(values.dtype)
        self.grid = grid_of(shape, self.kind)
        self.threads = threads
        self.starts = np.array([[start for start, _ in box] for box in boxes]).reshape(len(boxes), len(shape))
        self.stops = np.array([[stop for _, stop in box] for box in boxes]).reshape(len(boxes), len(shape))
        self.found: dict[int, tuple[bytes, int]] = {}
        self.error: Exception | None = None

    def sign(self) -> Signed:
        inner, rest = split(self.box, self.grid)
        if inner is not None:
            self._sign(inner, self._held)
        straddling = [tile for outer in rest for tile in plan.boxes(outer, self.grid.tile)]
        rounds = self.comm.allgather(-(-len(straddling) // BATCH))
        tiles = iter(straddling)
        for _ in range(max(rounds)):
            self._round(list(islice(tiles, BATCH)))
        mpi.raise_together(self.comm, self.error)
        return self._joined()

    def _held(self, box: Box) -> Values:
        """Values of this rank's block."""
        within = tuple((start - at, stop - at) for (start, stop), (at, _) in zip(box, self.box, strict=True))
        values: Values = self.values[part(within)]
        return values

    def _sign(self, box: Box, read: Any) -> None:
        """Sign a box of whole tiles; after an error nothing more, but the exchange goes on."""
        if self.error is not None:
            return
        field = Field(b"", self.kind, self.grid.shape, None, max(1, self.values.dtype.itemsize), read)
        try:
            Signer(field, self.grid, threads=self.threads).sign(box, self._put)
        except Exception as error:
            self.error = error

    def _put(self, number: int, digest: bytes, size: int) -> None:
        self.found[number] = digest, size

    def _round(self, tiles: list[Box]) -> None:
        """Ask for the parts of these tiles, answer what others ask for, and sign them."""
        wanted: list[list[Box]] = [[] for _ in self.boxes]
        for tile in tiles:
            for rank in self._holders(tile):
                wanted[rank].append(common(tile, self.boxes[rank]))
        asked = self.comm.alltoall(wanted)
        parts = self.comm.alltoall([[self._held(box).copy() for box in boxes] for boxes in asked])
        received: dict[Box, Values] = {}
        for boxes, theirs in zip(wanted, parts, strict=True):
            received.update(zip(boxes, theirs, strict=True))
        for tile in tiles:
            values = self._assembled(tile, received)
            self._sign(tile, lambda box, tile=tile, values=values: _cut(values, box, tile))

    def _holders(self, tile: Box) -> list[int]:
        """The ranks whose blocks touch a tile."""
        starts, stops = np.array([start for start, _ in tile]), np.array([stop for _, stop in tile])
        filled = (self.starts < self.stops).all(axis=1)
        touching = ((self.starts < stops) & (self.stops > starts)).all(axis=1) & filled
        return [int(rank) for rank in np.flatnonzero(touching)]

    def _assembled(self, tile: Box, received: dict[Box, Values]) -> Values:
        pieces = [(box, received[box]) for box in (common(tile, self.boxes[rank]) for rank in self._holders(tile))]
        masked = any(isinstance(values, np.ma.MaskedArray) for _, values in pieces)
        whole: Values = (np.ma.zeros if masked else np.zeros)(lengths(tile), self.values.dtype)
        for box, values in pieces:
            whole[part(tuple((a - at, b - at) for (a, b), (at, _) in zip(box, tile, strict=True)))] = values
        return whole

    def _joined(self) -> Signed:
        """All ranks' leaves make the root, on rank 0; the signature, on all."""
        numbers = sorted(self.found)
        digests = b"".join(self.found[number][0] for number in numbers)
        size = sum(octets for _, octets in self.found.values())
        gathered = self.comm.gather((np.array(numbers, np.int64), digests, size), root=0)
        signed = None
        if gathered is not None:
            leaves = Leaves(bytearray(tree.DIGEST * self.grid.count), sum(size for _, _, size in gathered))
            table = np.frombuffer(leaves.digests, np.uint8).reshape(-1, tree.DIGEST)
            for theirs, content, _ in gathered:
                table[theirs] = np.frombuffer(content, np.uint8).reshape(-1, tree.DIGEST)
            empty = Field(b"", self.kind, self.grid.shape, None, 1, self._held)
            signed = finish(empty, self.grid, leaves)
            signed = Signed(signed.path, signed.type, signed.shape, signed.tile, signed.root, signed.size)
        found: Signed = self.comm.bcast(signed, root=0)
        return found


def _cut(values: Values, box: Box, tile: Box) -> Values:
    within = tuple((start - at, stop - at) for (start, stop), (at, _) in zip(box, tile, strict=True))
    taken: Values = values[part(within)]
    return taken


def split(box: Box, grid: Grid) -> tuple[Box | None, list[Box]]:
    """Of the tiles that begin in a block: the box of those that also end in it (None when there is none), and boxes of
    the others."""
    if any(start >= stop for start, stop in box) or not grid.count:
        return None, []
    begins, inner_ends, ends = [], [], []
    for (start, stop), step, extent in zip(box, grid.tile, grid.shape, strict=True):
        begin = -(-start // step) * step
        begins.append(begin)
        inner_ends.append(max(begin, extent if stop == extent else stop // step * step))
        ends.append(max(begin, min(-(-stop // step) * step, extent)))
    inner = tuple(zip(begins, inner_ends, strict=True))
    rest = []
    for axis in range(len(box)):
        before = tuple(zip(begins[:axis], inner_ends[:axis], strict=True))
        after = tuple(zip(begins[axis + 1 :], ends[axis + 1 :], strict=True))
        rest.append((*before, (inner_ends[axis], ends[axis]), *after))
    return inner if all(a < b for a, b in inner) else None, [one for one in rest if all(a < b for a, b in one)]
