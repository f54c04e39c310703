"""How hashing is cut into parts that nodes claim: the same parts, by the same names, on every node."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, TypeAlias

from blake3 import blake3

from hpcprov.data.interface import Box, Field
from hpcprov.signature import plan, tree
from hpcprov.signature.counting import Counter
from hpcprov.signature.field import Grid
from hpcprov.signature.threads import Signer

#: (path, role) of each artifact.
Artifacts: TypeAlias = Sequence[tuple[str, str]]

#: States that every node would find alike.
FINAL = ("ok", "unreadable")
#: Artifacts of that many bytes are shared out by groups of tiles, smaller ones whole.
LARGE = 256 << 20
GROUP = 128 << 20
#: Bytes of a tile in an entry: its leaf and a u64.
LEAF = tree.DIGEST + 8


def key_of(at: int, path: str, role: str) -> str:
    """The name of an artifact in claims and shares: its place in the list and a digest, never its own text."""
    name = f"{role}\0{path}".encode("utf-8", "surrogateescape")
    return f"{at:06d}-{blake3(name).hexdigest(8)}"


def identity(field: Field) -> dict[str, Any]:
    """What an entry with leaves says about its field, so that it is not taken for another's."""
    return {"kind": "leaves", "field": field.name, "token": field.type.token.hex(), "shape": list(field.shape or ())}


def leaves_of(signer: Signer, box: Box, counter: Counter | None = None) -> bytes:
    """For each tile of the box in C order: its leaf, and as u64 the canonical bytes that it covers; then what a counter
    of these tiles alone has counted."""
    found: dict[int, bytes] = {}

    def put(number: int, digest: bytes, size: int) -> None:
        found[number] = digest + size.to_bytes(8, "little")

    signer.sign(box, put, counter)
    leaves = b"".join(found[signer.grid.number(tile)] for tile in plan.boxes(box, signer.grid.tile))
    return leaves + (counter.pack() if counter is not None else b"")


def groups(field: Field, grid: Grid, size: int, counter: Counter | None = None) -> Iterable[Box]:
    """The boxes of whole tiles, about `size` bytes each, that nodes claim; the same on every node. A field that one
    process must count is one."""
    if not grid.count:
        return ()
    if counter is not None and counter.whole:
        return (grid.whole,)
    extents = plan.unit_extents(grid.shape, grid.tile, field.chunks, field.width, limit=size, target=size)
    return plan.boxes(grid.whole, extents)
