"""Leaves of tiles, computed by one thread: its memory is used again for every tile.

    maker = LeafMaker(field.type)
    maker.leaf(values, (512, 512))         # digest of the tile, and the canonical bytes that it has

Values whose memory is canonical are hashed where they lie; those that differ in order or layout are copied once; all
others are encoded.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.memory import Memory
from hpcprov.data.types import Array, Type
from hpcprov.data.values import Values, emptied, encode, missing_of, octets_of, plain_dtype
from hpcprov.signature import tree

Extents = tuple[int, ...]


class LeafMaker:
    """For the tiles of one field, in one thread."""

    def __init__(self, kind: Type) -> None:
        self.kind = kind
        self.inner = kind.shape if isinstance(kind, Array) else ()
        self.memory = Memory()
        self.found: dict[np.dtype[Any], np.dtype[Any] | None] = {}

    def leaf(self, values: Values, extents: Extents) -> tuple[bytes, int]:
        """Digest of a tile of `extents` elements and its canonical bytes; missing values are masked."""
        missing = missing_of(values, prod(extents))
        octets = self.octets(values, extents, missing)
        digest = tree.leaf(octets) if missing is None else tree.leaf_null(~missing, octets)
        return digest, len(octets)

    def octets(self, values: Values, extents: Extents, missing: NDArray[np.bool_] | None) -> bytes | memoryview:
        """Canonical bytes of the values, valid until the next call."""
        if missing is not None:
            return _bytes(encode(emptied(values, missing), self.kind, prod(extents)))
        values = np.ma.getdata(values)
        canonical = self.canonical(values.dtype)
        if canonical is None:
            return _bytes(encode(values.reshape((*extents, *self.inner)), self.kind, prod(extents)))
        if canonical == values.dtype and values.flags.c_contiguous:
            return octets_of(values)
        copy = self.memory.empty(values.shape, canonical)
        np.copyto(copy, values)
        return octets_of(copy)

    def canonical(self, dtype: np.dtype[Any]) -> np.dtype[Any] | None:
        """As `plain_dtype`, looked up once."""
        if dtype not in self.found:
            self.found[dtype] = plain_dtype(self.kind, dtype)
        return self.found[dtype]


def _bytes(octets: NDArray[np.uint8] | bytes) -> bytes | memoryview:
    return octets if isinstance(octets, bytes) else octets.data
