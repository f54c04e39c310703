"""The canonical grid: which blocks of an array get a digest each (rule 6 of docs/signature.md). Pure arithmetic.

>>> tile_extents((8760, 721, 1440), 4)
(32, 32, 256)
"""

from __future__ import annotations

from math import prod

TILE_BYTES = 1 << 20
RUN_BYTES = 1024


def nominal_size(nominal: int) -> int:
    """w of rule 4: bytes an element counts, at least 1."""
    return max(1, nominal)


def tile_extents(shape: tuple[int, ...], w: int) -> tuple[int, ...]:
    """Elements of a tile along each axis, powers of two, for an array of `shape` whose elements count `w` bytes."""
    extents = [1] * len(shape)
    left = max(1, TILE_BYTES // w).bit_length() - 1
    while left and shape and extents[-1] < shape[-1] and extents[-1] * w < RUN_BYTES:
        extents[-1] *= 2
        left -= 1
    while left:
        axis = _next_axis(extents, shape)
        if axis is None:
            break
        extents[axis] *= 2
        left -= 1
    return tuple(extents)


def _next_axis(extents: list[int], shape: tuple[int, ...]) -> int | None:
    open_axes = [axis for axis, extent in enumerate(extents) if extent < shape[axis]]
    return min(open_axes, key=lambda axis: (extents[axis], -axis), default=None)


def grid_of(shape: tuple[int, ...], tile: tuple[int, ...]) -> tuple[int, ...]:
    """How many tiles there are along each axis."""
    return tuple(-(-extent // step) for extent, step in zip(shape, tile, strict=True))


def count_of(grid: tuple[int, ...]) -> int:
    """How many tiles there are; one for a scalar, none when an axis is empty."""
    return prod(grid)
