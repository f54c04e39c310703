"""Chunks decoded one at a time, missing values, text of any length: the signature is that of the whole array."""

from __future__ import annotations

from math import prod
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.interface import Box, Field, slices
from hpcprov.data.types import Text, array, list_of, plain, struct
from hpcprov.signature import plan, reference, tiles, tree
from hpcprov.signature.field import Leaves, finish, grid_of
from hpcprov.signature.threads import Signer, sign_field
from hpcprov.signature.watch import Watch

from .build import field_over
from .test_threads import arrays, signed_with


def chunked(values: Any, kind: Any, shape: tuple[int, ...], chunks: tuple[int, ...], missing: set[Any]) -> Field:
    """A field that gives whole chunks out of `values`, whose `missing` chunks hold the fill value; beyond the edge of
    the array lies rubbish."""
    fill = np.full(values.shape[len(shape) :], 7).astype(values.dtype) if values.dtype.kind != "V" else None
    fill = np.zeros(values.shape[len(shape) :], values.dtype) if fill is None else fill
    stored = values.copy()
    for index in missing:
        stored[_box(index, chunks)] = fill

    def chunk(index: tuple[int, ...]) -> Any:
        if index in missing:
            return None
        inner = values.shape[len(shape) :]
        whole = np.full(prod(chunks) * prod(inner) * values.dtype.itemsize, 0xA5, np.uint8)
        decoded = whole.view(values.dtype).reshape((*chunks, *inner))
        part = stored[_box(index, chunks)]
        decoded[tuple(slice(0, extent) for extent in part.shape[: len(shape)])] = part
        return decoded

    def read(box: Box) -> Any:
        return stored[(*slices(box), ...)]

    width = values.dtype.itemsize * prod(values.shape[len(shape) :])
    several = (lambda indices: [chunk(index) for index in indices]) if prod(chunks) % 2 else None
    return Field(b"x", kind, shape, chunks, max(1, width), read, chunk=chunk, fill=fill, several=several)


def _box(index: tuple[int, ...], chunks: tuple[int, ...]) -> tuple[slice, ...]:
    return tuple(slice(at * extent, (at + 1) * extent) for at, extent in zip(index, chunks, strict=True))


@settings(max_examples=80, deadline=None)
@given(arrays(), st.integers(1, 5), st.integers(1, 2**25), st.sampled_from("<>"), st.data())
def test_one_signature_of_chunks(
    given_array: tuple[Any, list[int], dict[str, Any]], threads: int, limit: int, order: str, data: st.DataObject
) -> None:
    from .build import numpy_values, signer_type

    kind, shape, values = given_array
    stored = numpy_values(kind, shape, values)
    stored = stored.astype(stored.dtype.newbyteorder(order))
    chunks = tuple(data.draw(st.integers(1, 9)) for _ in shape)
    count = [-(-extent // chunk) for extent, chunk in zip(shape, chunks, strict=True)]
    every = st.tuples(*(st.integers(0, max(0, n - 1)) for n in count))
    missing = set(data.draw(st.lists(every, max_size=5)))
    field = chunked(stored, signer_type(kind), tuple(shape), chunks, missing)
    whole = field_over(signer_type(kind), field.read(tuple((0, n) for n in shape)), tuple(shape))
    assert signed_with(field, threads=threads, limit=limit) == sign_field(whole).root


@pytest.mark.parametrize(
    "chunks", [(7, 13), (64, 64), (512, 512), (1000, 1), (1, 1000), (2000, 2000), (300, 1000), (1, 1)]
)
@pytest.mark.parametrize("dtype", ["<f4", ">f4", ">f2", "<c16", ">c16", "?", "<M8[25ns]", "V3"])
def test_shapes_of_chunks(chunks: tuple[int, int], dtype: str) -> None:
    from hpcprov.data.arrays import type_of

    shape = (600, 1000) if chunks != (1, 1) else (60, 70)
    octets = np.random.default_rng(1).integers(0, 256, prod(shape) * np.dtype(dtype).itemsize, np.uint8)
    values = octets.view(dtype).reshape(shape) if dtype != "?" else (octets > 99).reshape(shape)
    field = chunked(values, type_of(values.dtype), shape, chunks, {(0, 0)})
    expected = field_over(field.type, field.read(tuple((0, n) for n in shape)), shape)
    assert signed_with(field, threads=2) == signed_with(expected, limit=10**6)


def test_every_chunk_is_decoded_once_and_that_is_counted() -> None:
    values = np.zeros((2048, 3000), "<f4")
    for chunks, times in (((256, 256), 1.0), ((100, 3000), 1.0), ((512, 1024), 1.0)):
        watch = Watch()
        sign_field(chunked(values, plain("f4"), values.shape, chunks, set()), threads=2, watch=watch)
        assert watch.chunks == prod(-(-n // chunk) for n, chunk in zip(values.shape, chunks, strict=True))
        assert watch.decoded == watch.chunks * times
        assert watch.done == watch.total == values.nbytes


def test_huge_chunks_are_held_one_at_a_time_and_decoded_few_times() -> None:
    values = np.arange(9_000_000, dtype="<f4")
    field, watch = chunked(values, plain("f4"), values.shape, (4_000_000,), set()), Watch()
    grid = grid_of(values.shape, field.type)
    leaves = Leaves(bytearray(grid.count * tree.DIGEST))
    Signer(field, grid, limit=4 << 20, watch=watch).sign(grid.whole, leaves.put)
    assert finish(field, grid, leaves).root == sign_field(field_over(field.type, values, values.shape)).root
    assert (watch.chunks, watch.decoded) == (3, 5)


def test_huge_chunks_that_can_be_read_in_part_are_not_decoded() -> None:
    asked: list[Any] = []
    values = np.arange(1000 * 3000, dtype="<f4").reshape(1000, 3000)

    def chunk(index: Any) -> Any:
        raise AssertionError("a chunk was decoded whole")

    def read(box: Box) -> Any:
        asked.append(box)
        return values[slices(box)]

    field = Field(
        b"x", plain("f4"), values.shape, (1000, 3000), 4, read, chunk=chunk, fill=np.float32(0), divisible=True
    )
    assert signed_with(field, limit=4 << 20) == sign_field(field_over(field.type, values, values.shape)).root
    assert all(prod(b - a for a, b in box) * 4 <= 4 << 20 for box in asked)


@settings(deadline=None)
@given(st.integers(1, 8), st.integers(1, 8), st.integers(1, 3), st.integers(1, 2**22))
def test_units_of_huge_chunks_keep_their_edges_in_memory(rows: int, columns: int, width: int, limit: int) -> None:
    shape, chunks = (rows * 1000, columns * 1000), (rows * 700, columns * 300)
    tile = tiles.tile_extents(shape, width)
    how = plan.layout(chunks, width, limit=limit, by_chunk=True, divisible=False)
    extents = plan.extents_for(shape, tile, width, how, limit=limit)
    assert all(extent % step == 0 for extent, step in zip(extents, tile, strict=True))
    assert how.threads * prod(chunks) * width <= plan.HELD or how.threads == 1 or not how.huge


NULLABLE = [
    ("i4", plain("i4"), np.arange(1, 100_001, dtype=">i4"), 4),
    ("f8", plain("f8"), np.arange(1, 100_001, dtype="<f8"), 8),
    ("bool", plain("bool"), np.ones(100_000, "?"), 1),
]


@pytest.mark.parametrize("limit", [10**5, 10**9])
@pytest.mark.parametrize(("name", "kind", "values", "size"), NULLABLE)
def test_missing_values(name: str, kind: Any, values: Any, size: int, limit: int) -> None:
    """The first tile has none, so it is an ordinary leaf; what lies under the mask does not count."""
    values = np.tile(values, 20)
    mask = np.random.default_rng(2).integers(0, 2, len(values)) > 0
    mask[: 1 << 20] = False
    field = field_over(kind, np.ma.MaskedArray(values, mask), values.shape)
    little = values.astype(values.dtype.newbyteorder("<"))
    little[mask] = 0
    step = tiles.tile_extents(values.shape, size)[0]
    leaves = b""
    for at in range(0, len(values), step):
        octets, gone = little[at : at + step].tobytes(), mask[at : at + step]
        bits = int("".join("10"[one] for one in gone[::-1].tolist()), 2)
        leaves += (
            reference.h("leaf-null", bits.to_bytes(-(-len(gone) // 8), "little") + octets)
            if gone.any()
            else reference.h("leaf", octets)
        )
    assert signed_with(field, threads=2, limit=limit) == tree.field_root(kind.token, values.shape, (step,), leaves)


@pytest.mark.parametrize("limit", [1, 3000, 10**9])
def test_missing_text_lists_and_structs(limit: int) -> None:
    mask = np.array([True, False, True, False] * 500)
    text = np.array(["hidden", "é", None, ""] * 500, object)
    shown = np.array(["", "é", "", ""] * 500, object)
    _same(Text(), text, shown, mask, limit)
    lists = np.array([np.arange(3), np.arange(2), None, np.arange(0)] * 500, object)
    empty = np.array([np.arange(0), np.arange(2), np.arange(0), np.arange(0)] * 500, object)
    _same(list_of(plain("i8")), lists, empty, mask, limit)
    pairs = np.array([(1, 2), (3, 4), (5, 6), (7, 8)] * 500, [("a", "<i4"), ("b", ">u2")])
    zeros = pairs.copy()
    zeros[mask] = (0, 0)
    _same(struct([(b"a", plain("i4")), (b"b", plain("u2"))]), pairs, zeros, mask, limit)
    triples = np.arange(6000, dtype="<i2").reshape(2000, 3)
    none = triples.copy()
    none[mask] = 0
    _same(array((3,), plain("i2")), triples, none, np.repeat(mask[:, None], 3, 1), limit, shape=(2000,))


def _same(kind: Any, values: Any, shown: Any, mask: Any, limit: int, shape: tuple[int, ...] | None = None) -> None:
    shape = shape or values.shape
    flags = mask if mask.ndim == 1 else mask[:, 0]
    grid = grid_of(shape, kind)
    assert grid.count == 1
    marked = np.ma.MaskedArray(values, mask)
    octets = reference_octets(kind, shown, len(flags))
    leaf = tree.leaf_null((~flags).tolist(), octets)
    expected = tree.field_root(kind.token, shape, grid.tile, leaf)
    assert signed_with(field_over(kind, marked, shape), limit=limit) == expected


def reference_octets(kind: Any, values: Any, count: int) -> bytes:
    from hpcprov.data.values import encode

    return bytes(encode(values, kind, count))


@pytest.mark.parametrize("length", [3, 40_000])
def test_text_of_unknown_length_is_read_in_pieces_that_fit(length: int) -> None:
    texts = [b"x" * (n % length) for n in range(3000)]
    values, sizes = np.array(texts, object), []

    def read(box: Box) -> Any:
        part = values[slices(box)]
        sizes.append(sum(map(len, part)))
        return part

    field = Field(b"x", Text(), (3000,), None, 64, read)
    assert signed_with(field, limit=1 << 20) == reference.field_root("str", (3000,), texts)
    assert max(sizes) <= max(4 << 20, 256 * length)
    assert len(sizes) < 3000
