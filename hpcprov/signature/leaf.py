"""Leaves of tiles, computed by one thread: its memory is used again for every tile.

    maker = LeafMaker(field.type)
    maker.leaf(values, ((0, 512), (0, 512)))       # digest of the tile, and the canonical bytes that it has

Values whose memory is canonical are hashed where they lie; those that differ in order or layout are copied once; all
others are encoded. A `tally` counts what is hashed.
"""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, lengths
from hpcprov.data.memory import Memory
from hpcprov.data.types import Array, Type
from hpcprov.data.values import Values, emptied, encode, encode_each, missing_of, octets_of, plain_dtype
from hpcprov.signature import tree
from hpcprov.signature.counting import Content, Tally

Extents = tuple[int, ...]


class LeafMaker:
    """For the tiles of one field, in one thread."""

    def __init__(self, kind: Type) -> None:
        self.kind = kind
        self.inner = kind.shape if isinstance(kind, Array) else ()
        self.memory = Memory()
        self.found: dict[np.dtype[Any], np.dtype[Any] | None] = {}
        self.tally: Tally | None = None

    def leaf(self, values: Values, box: Box) -> tuple[bytes, int]:
        """Digest of the tile in `box` and its canonical bytes; missing values are masked."""
        extents = lengths(box)
        missing = missing_of(values, prod(extents))
        content = self.content(values, extents, missing)
        octets = joined(content)
        digest = tree.leaf(octets) if missing is None else tree.leaf_null(~missing, octets)
        if self.tally is not None:
            self.tally.add(content, box, missing)
        return digest, len(octets)

    def content(self, values: Values, extents: Extents, missing: NDArray[np.bool_] | None) -> Content:
        """Canonical bytes of the values, of each where they differ in length; valid until the next call."""
        if self.kind.size is not None:
            return self.octets(values, extents, missing)
        flat = emptied(values, missing) if missing is not None else np.ma.getdata(values)
        return encode_each(flat.reshape((prod(extents), *self.inner)), self.kind)

    def octets(self, values: Values, extents: Extents, missing: NDArray[np.bool_] | None) -> bytes | memoryview:
        """Canonical bytes of values of fixed size."""
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


def joined(content: Content) -> bytes | bytearray | memoryview:
    """The canonical bytes in one."""
    return b"".join(content) if isinstance(content, list) else content


def _bytes(octets: NDArray[np.uint8] | bytes) -> bytes | memoryview:
    return octets if isinstance(octets, bytes) else octets.data
