"""The signature, slowly: docs/signature.md written down in plain Python, to test everything else against.

Types are plain text or nested tuples, values are flat lists in C order; nothing but BLAKE3 is imported.

    type                                   an element
    "f4", "bool", "V3", "M8[1ns]", ...     its little-endian bytes
    "str", "bytes"                         its raw bytes
    ("struct", ((b"x", "f4"), ...))        a tuple of its members' values
    ("list", type)                         a list of elements
    ("array", (2, 3), type)                a flat list of 6 elements

    >>> field_root("u1", (3,), [b"a", b"b", b"c"]).hex()[:16]
    'b055e2bb9e55f85a'
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from itertools import product
from math import floor, log2
from typing import Any

from blake3 import blake3

SIZES = {"bool": 1, "bf16": 2, "c8": 8, "c16": 16}


def h(context: str, message: bytes) -> bytes:
    """H(c, m)."""
    return blake3(message, derive_key_context="hpcprov signature v1 " + context).digest()


def u64(number: int) -> bytes:
    return number.to_bytes(8, "little")


def s(data: bytes) -> bytes:
    return u64(len(data)) + data


def token(kind: Any) -> bytes:
    """The type token as bytes."""
    if isinstance(kind, str):
        return kind.encode("ascii")
    if kind[0] == "struct":
        members = [s(name) + s(token(member)) for name, member in kind[1]]
        return b"struct[" + str(len(members)).encode() + b"](" + b"".join(members) + b")"
    if kind[0] == "list":
        return b"list(" + token(kind[1]) + b")"
    return b"array[" + ",".join(str(extent) for extent in kind[1]).encode() + b"](" + token(kind[2]) + b")"


def packed_size(kind: str) -> int:
    """Bytes of an element of a fixed type without structure."""
    if kind in SIZES:
        return SIZES[kind]
    return int(kind[1:]) if kind[0] in "iufV" else 8


def nominal(kind: Any) -> int:
    """The bytes that an element counts, before the rule "at least 1"."""
    if kind in ("str", "bytes") or kind[0] == "list":
        return 16
    if isinstance(kind, str):
        return packed_size(kind)
    if kind[0] == "struct":
        return sum(nominal(member) for _, member in kind[1])
    return prod(kind[1]) * nominal(kind[2])


def prod(extents: Sequence[int]) -> int:
    product_so_far = 1
    for extent in extents:
        product_so_far *= extent
    return product_so_far


def encode(kind: Any, value: Any) -> bytes:
    """The element bytes of one value."""
    if kind in ("str", "bytes"):
        return s(value)
    if isinstance(kind, str):
        if len(value) != packed_size(kind):
            raise ValueError(f"{value!r} is not an element of type {kind}")
        return bytes(value)
    if kind[0] == "struct":
        return b"".join(encode(member, part) for (_, member), part in zip(kind[1], value, strict=True))
    if kind[0] == "list":
        return u64(len(value)) + b"".join(encode(kind[1], item) for item in value)
    if len(value) != prod(kind[1]):
        raise ValueError(f"{value!r} is not an element of {prod(kind[1])} parts")
    return b"".join(encode(kind[2], item) for item in value)


def tile_extents(shape: Sequence[int], w: int) -> list[int]:
    """Rule 6, word by word."""
    tile = [1 for _ in shape]
    doublings = floor(log2(max(1, (2**20) // w)))
    last = len(shape) - 1
    while last >= 0 and tile[last] < shape[last] and tile[last] * w < 1024 and doublings > 0:
        tile[last] *= 2
        doublings -= 1
    for _ in range(doublings):
        growing = [axis for axis in range(len(shape)) if tile[axis] < shape[axis]]
        if not growing:
            break
        smallest = min(tile[axis] for axis in growing)
        tile[max(axis for axis in growing if tile[axis] == smallest)] *= 2
    return tile


def tile_indices(shape: Sequence[int], tile: Sequence[int]) -> Iterator[list[int]]:
    """For each tile, in C order of the grid: the flat indices of its elements, in C order."""
    grid = [range(0, extent, step) for extent, step in zip(shape, tile, strict=True)]
    for corner in product(*grid):
        spans = [range(at, min(at + step, n)) for at, step, n in zip(corner, tile, shape, strict=True)]
        yield [at for row in rows(spans, shape) for at in row]


def rows(spans: Sequence[range], shape: Sequence[int]) -> Iterator[range]:
    """The flat indices of a box, row by row along the last axis."""
    if not spans:
        yield range(1)
    for index in product(*spans[:-1]) if spans else ():
        start = flat_index((*index, spans[-1].start), shape)
        yield range(start, start + len(spans[-1]))


def flat_index(index: Sequence[int], shape: Sequence[int]) -> int:
    flat = 0
    for at, extent in zip(index, shape, strict=True):
        flat = flat * extent + at
    return flat


def leaves(
    kind: Any, shape: Sequence[int], values: Sequence[Any], missing: frozenset[int] = frozenset()
) -> list[bytes]:
    """The leaf digests; `missing` are the flat indices of a nullable column's missing values, whatever stands there."""
    tile = tile_extents(shape, max(1, nominal(kind)))
    whole = [blank(kind) if at in missing else value for at, value in enumerate(values)] if missing else values
    return [
        leaf(kind, [whole[at] for at in flat], [at not in missing for at in flat]) for flat in tile_indices(shape, tile)
    ]


def leaf(kind: Any, values: Sequence[Any], valid: Sequence[bool]) -> bytes:
    body = b"".join(encode(kind, value) for value in values)
    return h("leaf", body) if all(valid) else h("leaf-null", bitmap(valid) + body)


def blank(kind: Any) -> Any:
    """What stands for a missing value: zeros, or empty."""
    if kind in ("str", "bytes"):
        return b""
    if isinstance(kind, str):
        return bytes(packed_size(kind))
    if kind[0] == "struct":
        return tuple(blank(member) for _, member in kind[1])
    return [] if kind[0] == "list" else [blank(kind[2])] * prod(kind[1])


def bitmap(valid: Sequence[bool]) -> bytes:
    """One bit for each value, least significant bit of the first byte first; spare bits are 0."""
    octets = bytearray((len(valid) + 7) // 8)
    for at, present in enumerate(valid):
        if present:
            octets[at // 8] |= 1 << (at % 8)
    return bytes(octets)


def field_root(
    kind: Any, shape: Sequence[int] | None, values: Sequence[Any], missing: frozenset[int] = frozenset()
) -> bytes:
    """The signature of a field; shape None is HDF5's null dataspace."""
    if shape is None:
        return h("field", s(token(kind)) + u64(2**64 - 1))
    tile = tile_extents(shape, max(1, nominal(kind)))
    numbers = [len(shape), *shape, *tile]
    return h("field", s(token(kind)) + b"".join(map(u64, numbers)) + b"".join(leaves(kind, shape, values, missing)))


def dataset_root(kind: str, fields: Sequence[tuple[bytes, bytes]]) -> bytes:
    """The signature of a dataset from (path, root) of its fields; kind is `tree` or `table`."""
    listed = sorted(fields) if kind == "tree" else list(fields)
    return h(
        "dataset", {"tree": b"\0", "table": b"\1"}[kind] + u64(len(listed)) + b"".join(s(p) + r for p, r in listed)
    )


def elements(values: Any, size: int) -> list[bytes]:
    """The elements of packed little-endian bytes (or of an array that gives them with `tobytes`)."""
    octets = values if isinstance(values, bytes) else values.tobytes()
    return [octets[at : at + size] for at in range(0, len(octets), size)]
