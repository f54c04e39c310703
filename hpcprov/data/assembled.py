"""Boxes put together from the chunks of a grid.

    assembled(((0, 100), (5, 700)), (1000, 1000), (64, 64), blank, part)

`part(index, within, whole)` gives the elements `within` one chunk, in the chunk's own coordinates; `whole` says that
these are all that the chunk has in the array.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from itertools import product
from threading import Lock
from typing import TypeAlias

from hpcprov.data.interface import Box, Index
from hpcprov.data.values import Values

Part: TypeAlias = Callable[[Index, Box, bool], Values]


def assembled(box: Box, shape: tuple[int, ...], chunks: tuple[int, ...], values: Values, part: Part) -> Values:
    """Fill `values`, whose first axes are those of the box, from the chunks that the box touches."""
    spans = [range(start // extent, -(-stop // extent)) for (start, stop), extent in zip(box, chunks, strict=True)]
    for index in product(*spans) if values.size else ():
        seen = visible(index, shape, chunks)
        common = tuple((max(a, b), min(c, d)) for (a, c), (b, d) in zip(box, seen, strict=True))
        target = tuple(slice(a - at, b - at) for (a, b), (at, _) in zip(common, box, strict=True))
        within = tuple(
            (a - at * extent, b - at * extent) for (a, b), at, extent in zip(common, index, chunks, strict=True)
        )
        values[target] = part(index, within, common == seen)
    return values


def visible(index: Index, shape: tuple[int, ...], chunks: tuple[int, ...]) -> Box:
    """The part of a chunk that lies in the array."""
    return tuple(
        (at * extent, min((at + 1) * extent, whole)) for at, extent, whole in zip(index, chunks, shape, strict=True)
    )


@dataclass
class LastChunk:
    """The chunk of which part was wanted last: the next box is likely to want more of it. One at a time, so that memory
    is bounded by one chunk."""

    held: tuple[Index, Values | None] | None = None
    turn: Lock = field(default_factory=Lock)

    def get(self, index: Index, read: Callable[[Index], Values | None]) -> Values | None:
        """As `read`, from memory when it is the same chunk again."""
        with self.turn:
            if self.held is None or self.held[0] != index:
                self.held = None  # before the next takes as much
                self.held = index, read(index)
            return self.held[1]
