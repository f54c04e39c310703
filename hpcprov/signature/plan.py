"""Work units: boxes of whole tiles that cover whole chunks where memory allows. Pure arithmetic.

A chunk that several units touch is decoded once for each, so a unit grows first along the axes where that saves most
decoding; memory wins over decode-once. `redecoding` says what is left.

    >>> unit_extents((1000, 1000), (512, 512), (100, 1000), 4, limit=64 << 20)
    (1024, 1024)
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import lcm, log, prod

from hpcprov.data.interface import Box

#: A unit may take this much memory, and should not be smaller than TARGET when the array is large.
LIMIT = 64 << 20
TARGET = 8 << 20
#: What all threads' units may take together.
TOTAL = 192 << 20
#: And what chunks that are larger than a unit may take together, decoded.
HELD = 4 << 30
MOST_THREADS = 64
#: Threads that would get less than a tenth more done are left to others.
WORTH = 0.9

Extents = tuple[int, ...]


def unit_extents(
    shape: Extents, tile: Extents, chunks: Extents | None, width: int, *, limit: int = LIMIT, target: int = TARGET
) -> Extents:
    """Elements of a unit along each axis, multiples of the tile's, for elements of `width` bytes in memory and at most
    `limit` bytes.

    A unit is never less than one tile. Without chunks the array is taken to lie in rows, of which any part of one can
    be read as well as the whole."""
    rows = tuple(1 if axis < len(shape) - 1 else max(1, extent) for axis, extent in enumerate(shape))
    grain = chunks or (rows if len(shape) > 1 else tile)
    extents = tile
    while volume(extents, shape, 1) and (better := _best_step(extents, shape, tile, grain, width, limit)) is not None:
        extents = better
    return _grown(extents, shape, width, min(limit, target))


@dataclass(frozen=True)
class Layout:
    """How a field is read: chunk by chunk or box by box, the chunks that count then, by how many threads at most."""

    by_chunk: bool
    chunks: Extents | None
    threads: int
    huge: bool = False


def layout(chunks: Extents | None, width: int, *, limit: int, by_chunk: bool, divisible: bool) -> Layout:
    """Chunks larger than `limit` are read in parts where they are divisible; others are held by few threads at once."""
    size = prod(chunks or ()) * width
    if chunks is None or size <= limit:
        return Layout(by_chunk, chunks, MOST_THREADS)
    if divisible or not by_chunk:
        return Layout(False, None if divisible else chunks, MOST_THREADS)
    return Layout(True, chunks, max(1, HELD // size), huge=True)


def extents_for(shape: Extents, tile: Extents, width: int, how: Layout, *, limit: int = LIMIT) -> Extents:
    """The extents of a unit, as `unit_extents`, for a field that is read like this: of chunks decoded one at a time no
    unit is larger than it needs to be, and one of huge chunks covers one of them unless its edges take too much."""
    if how.huge and how.chunks is not None:
        cover = tuple(-(-chunk // step) * step for chunk, step in zip(how.chunks, tile, strict=True))
        if _edges(cover, tile, how.chunks) * width <= limit:
            return cover
    return unit_extents(shape, tile, how.chunks, width, limit=limit, target=0 if how.by_chunk else TARGET)


def _edges(cover: Extents, tile: Extents, chunks: Extents) -> int:
    """Elements of a unit in tiles that may have parts in several chunks."""
    inner = prod(
        extent if chunk % step == 0 else max(0, extent - 2 * step)
        for extent, step, chunk in zip(cover, tile, chunks, strict=True)
    )
    return prod(cover) - inner


def limit_for(threads: int) -> int:
    """The memory bound of a unit when `threads` of them are held at once."""
    return min(LIMIT, TOTAL // max(1, threads))


def threads_for(
    shape: Extents, tile: Extents, chunks: Extents | None, width: int, threads: int, *, by_chunk: bool, divisible: bool
) -> int:
    """How many of `threads` are worth having: many share the memory, and decode a chunk once more for each unit that it
    no longer fits. The fewest that get done nearly as much as any number would."""
    if chunks is None or not prod(shape):
        return threads
    done: dict[int, float] = {}
    for count in range(1, threads + 1):
        limit = limit_for(count)
        how = layout(chunks, width, limit=limit, by_chunk=by_chunk, divisible=divisible)
        if how.chunks is None:
            return threads
        times = redecoding(shape, extents_for(shape, tile, width, how, limit=limit), chunks)
        done[count] = min(count, how.threads) / times
    return next(count for count in done if done[count] >= WORTH * max(done.values()))


def volume(extents: Extents, shape: Extents, width: int) -> int:
    """Bytes that the largest unit takes in memory."""
    return prod(min(extent, whole) for extent, whole in zip(extents, shape, strict=True)) * width


def _best_step(
    extents: Extents, shape: Extents, tile: Extents, chunks: Extents, width: int, limit: int
) -> Extents | None:
    """The enlargement that saves most decoding for its memory, or None."""
    now, cost = volume(extents, shape, width), redecoding(shape, extents, chunks)
    steps = []
    for candidate in _steps(extents, shape, tile, chunks):
        then = volume(candidate, shape, width)
        saved = cost / redecoding(shape, candidate, chunks)
        if saved > 1 and then <= limit:
            steps.append((log(saved) / max(log(then / now), 1e-9), candidate))
    return max(steps, default=(0.0, None))[1]


def _steps(extents: Extents, shape: Extents, tile: Extents, chunks: Extents) -> Iterator[Extents]:
    for axis, extent in enumerate(extents):
        if extent < shape[axis]:
            for longer in {2 * extent, lcm(tile[axis], chunks[axis]), -(-shape[axis] // tile[axis]) * tile[axis]}:
                if longer > extent:
                    yield (*extents[:axis], longer, *extents[axis + 1 :])


def _grown(extents: Extents, shape: Extents, width: int, target: int) -> Extents:
    for axis in reversed(range(len(shape))):
        while extents[axis] < shape[axis]:
            longer = (*extents[:axis], 2 * extents[axis], *extents[axis + 1 :])
            if volume(longer, shape, width) > target:
                return extents
            extents = longer
    return extents


def redecoding(shape: Extents, extents: Extents, chunks: Extents) -> float:
    """How often a chunk is decoded on average: 1.0 is best."""
    return prod(
        _touches(whole, extent, chunk) / max(1, -(-whole // chunk))
        for whole, extent, chunk in zip(shape, extents, chunks, strict=True)
    )


def _touches(whole: int, extent: int, chunk: int) -> int:
    """Along one axis: chunks touched by each unit, summed over units. A boundary of units that is none of chunks cuts
    one in two."""
    inner = max(0, whole - 1)
    return max(1, -(-whole // chunk)) + inner // extent - inner // lcm(extent, chunk)


def boxes(outer: Box, extents: Extents) -> Iterator[Box]:
    """The box `outer` cut from its corner into boxes of `extents`, clipped, in C order; one box for a scalar."""
    if not outer:
        yield ()
        return
    start, stop = outer[0]
    for at in range(start, stop, extents[0]):
        for rest in boxes(outer[1:], extents[1:]):
            yield ((at, min(at + extents[0], stop)), *rest)


def pieces(box: Box, most: int) -> Iterator[Box]:
    """The box cut into boxes of at most `most` elements (at least 1) that follow each other in C order."""
    extents = [stop - start for start, stop in box]
    for axis in range(len(box)):
        below = prod(extents[axis + 1 :])
        extents[axis] = 1 if below >= most else min(extents[axis], max(1, most // max(1, below)))
        if below < most:
            break
    return boxes(box, tuple(max(1, extent) for extent in extents))
