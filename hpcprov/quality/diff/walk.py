"""Blocks of two arrays of one shape, read once each and worked on by several threads.

    for found in walk(blocks(one, other, regions=None), work, threads=2): ...

A block holds whole chunks of both arrays where memory allows. Results come in the order of the blocks; no more blocks
are held than there are threads, and as many results.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from itertools import chain, islice
from math import lcm, prod
from typing import TypeAlias, TypeVar

from hpcprov.data.interface import Box, Field
from hpcprov.signature.plan import redecoding

Extents: TypeAlias = tuple[int, ...]
Found = TypeVar("Found")

#: Bytes of a block in each array: what is read at once, and what a block grows to.
LIMIT, TARGET = 64 << 20, 8 << 20
#: Elements without a fixed size take as much as they like: fewer at once.
MOST_VARIABLE = 1 << 16


def block_extents(one: Field, other: Field, shape: Extents) -> Extents:
    """The extents of blocks that cover whole chunks of both arrays where they fit, and else cost least decoding."""
    width = max(1, one.width, other.width)
    grids = [_clipped(field.chunks, shape) for field in (one, other) if field.chunks is not None]
    usual = tuple(1 for _ in shape)
    choices = {usual, *grids}
    if len(grids) == 2:
        pairs = list(zip(*grids, strict=True))
        choices |= {tuple(max(pair) for pair in pairs)}
        choices |= {_clipped(tuple(lcm(*pair) for pair in pairs), shape)}
    fitting = [choice for choice in choices if prod(choice) * width <= LIMIT] or [min(choices, key=prod)]
    best = min(fitting, key=lambda choice: (_cost(shape, choice, grids, width), prod(choice)))
    return _grown(best, shape, width, variable=one.type.size is None or other.type.size is None)


def _clipped(extents: Extents, shape: Extents) -> Extents:
    return tuple(max(1, min(extent, whole)) for extent, whole in zip(extents, shape, strict=True))


def _cost(shape: Extents, choice: Extents, grids: list[Extents], width: int) -> float:
    grown = _grown(choice, shape, width)
    return sum(redecoding(shape, grown, grid) for grid in grids)


def _grown(extents: Extents, shape: Extents, width: int, *, variable: bool = False) -> Extents:
    """As many times as fit, along the last axis first: rows lie together."""
    grown = list(extents)
    for axis in reversed(range(len(shape))):
        room = TARGET // max(1, width * prod(grown))
        if variable:
            room = min(room, MOST_VARIABLE // max(1, prod(grown)))
        if room < 2:
            break
        grown[axis] = min(max(1, shape[axis]), grown[axis] * room)
    return tuple(grown)


def blocks(outer: Iterable[Box], extents: Extents) -> Iterator[Box]:
    """The boxes cut along a grid of `extents` that begins at the array's origin."""
    for box in outer:
        yield from _cut(box, extents)


def _cut(box: Box, extents: Extents) -> Iterator[Box]:
    if not box:
        yield ()
        return
    (start, stop), step = box[0], extents[0]
    for at in range(start // step * step, stop, step):
        for rest in _cut(box[1:], extents[1:]):
            yield ((max(at, start), min(at + step, stop)), *rest)


def walk(items: Iterable[Box], work: Callable[[Box], Found], *, threads: int) -> Iterator[Found]:
    """What `work` gives for each box, in their order. Raises what it raises."""
    source = iter(items)
    begin = list(islice(source, 2))
    if threads < 2 or len(begin) < 2:  # no threads for a single block
        yield from map(work, chain(begin, source))
        return
    source = chain(begin, source)
    with ThreadPoolExecutor(threads) as pool:
        waiting: deque[Future[Found]] = deque(pool.submit(work, box) for box in islice(source, threads + 1))
        try:
            while waiting:
                found = waiting.popleft().result()
                waiting.extend(pool.submit(work, box) for box in islice(source, 1))
                yield found
        finally:
            for one in waiting:
                one.cancel()
