"""Digests of signature version 1: leaf, field and dataset roots (rules 1, 7, 8 and 10 of docs/signature.md).

`H(c, m)` is BLAKE3 in derive-key mode with the context `hpcprov signature v1 <c>`; integers are u64 little-endian.

    root = field_root(token, (2, 3), (2, 4), leaf(values))
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Literal, TypeAlias

import numpy as np
from blake3 import blake3
from numpy.typing import NDArray

from hpcprov.data.types import sized

Buffer: TypeAlias = bytes | bytearray | memoryview | Any

#: The rank that stands for HDF5's null dataspace.
NULL_RANK = 2**64 - 1
DIGEST = 32
KINDS = {"tree": b"\x00", "table": b"\x01"}
PREFIX = "hpcprov1:"


def hasher(context: str) -> Any:
    """A new H(context, ...) to be fed; one thread, as its callers are threads themselves."""
    return blake3(derive_key_context=f"hpcprov signature v1 {context}", max_threads=1)


def leaf(values: Buffer) -> bytes:
    """Digest of a tile's values, canonical bytes in C order."""
    digest: bytes = hasher("leaf").update(values).digest()
    return digest


def leaf_null(valid: Sequence[bool] | NDArray[np.bool_], values: Buffer) -> bytes:
    """Digest of a tile with missing values: validity bitmap, least significant bit first, then the values."""
    digest: bytes = hasher("leaf-null").update(bitmap(valid)).update(values).digest()
    return digest


def bitmap(valid: Sequence[bool] | NDArray[np.bool_]) -> bytes:
    """One bit for each element, least significant first, spare bits 0."""
    return np.packbits(np.asarray(valid, np.bool_), bitorder="little").tobytes()


def field_root(token: bytes, shape: tuple[int, ...] | None, tile: tuple[int, ...], leaves: Buffer) -> bytes:
    """Digest of a field; `leaves` are its leaf digests, joined, in C order of the tile grid; a null dataspace has
    shape None."""
    digest: bytes = hasher("field").update(field_message(token, shape, tile)).update(leaves).digest()
    return digest


def field_message(token: bytes, shape: tuple[int, ...] | None, tile: tuple[int, ...]) -> bytes:
    """What stands before the leaves in the message whose digest is a field's root."""
    rank = NULL_RANK if shape is None else len(shape)
    return sized(token) + b"".join(map(_u64, (rank, *(shape or ()), *tile)))


def dataset_root(kind: Literal["tree", "table"], fields: Iterable[tuple[bytes, bytes]]) -> bytes:
    """Digest of a dataset from (path, root) of each field: a tree's are sorted here, a table's keep their order."""
    listed = list(fields) if kind == "table" else sorted(fields)
    body = b"".join(sized(path) + root for path, root in listed)
    digest: bytes = hasher("dataset").update(KINDS[kind] + _u64(len(listed)) + body).digest()
    return digest


def _u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def text(root: bytes) -> str:
    """A root as people see it: `hpcprov1:<hex>`."""
    return PREFIX + root.hex()
