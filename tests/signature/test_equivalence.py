"""One signature whatever reads the values: any type, shape, chunking, plan, number of threads, ranks and nodes.

Hypothesis draws the arrays, the slow reference says what they must give. `HPCPROV_EXAMPLES=2000` looks longer;
continuous integration (`CI` in the environment) draws the same examples every time.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, replace
from itertools import product
from math import prod
from pathlib import Path
from threading import Barrier, Thread
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hpcprov.data.interface import Box, Field, Index, lengths, slices
from hpcprov.data.open import open_data
from hpcprov.data.types import Type
from hpcprov.data.values import encode
from hpcprov.signature import reference, tree
from hpcprov.signature.artifact import describe
from hpcprov.signature.deal import deal
from hpcprov.signature.field import Leaves, finish, grid_of
from hpcprov.signature.groups import groups, identity, leaves_of
from hpcprov.signature.nodes import combine, share
from hpcprov.signature.pieces import sign_from
from hpcprov.signature.share import Note
from hpcprov.signature.threads import Signer, sign_field

from .build import dtype_of, reference_type, signer_type

EXAMPLES = int(os.environ.get("HPCPROV_EXAMPLES", "60"))
settings.register_profile("equivalence", deadline=None, derandomize="CI" in os.environ,
                          suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large])  # fmt: skip


def examples(share: int = 1) -> settings:
    """The number of examples of a test that takes `share` times as long as the quickest."""
    return settings(settings.get_profile("equivalence"), max_examples=max(5, EXAMPLES // share))


#: Elements so wide that an array of a few hundred has many tiles, and a few narrow ones.
KINDS: list[Any] = ["u1", "f2", "i4", "f8", "c16", "bool", "M8[1ns]", "V1000", "V30000", "V60000", "V150000", "V300000",
                    "V600000", ["struct", [["61", "f4"], ["62", "V70000"]]], ["array", [3], "V90000"]]  # fmt: skip
TEXTS: list[Any] = ["str", "bytes", ["struct", [["61", "str"], ["62", "V60000"]]]]


@dataclass(frozen=True)
class Case:
    """An array as the reference takes it (`items`, `missing`) and as numpy holds it (`values`)."""

    kind: Any
    shape: tuple[int, ...]
    items: list[Any]
    values: Any
    missing: frozenset[int] = frozenset()

    @property
    def type(self) -> Type:
        return signer_type(self.kind)

    @property
    def root(self) -> bytes:
        return reference.field_root(reference_type(self.kind), self.shape, self.items, self.missing)


@st.composite
def shapes(draw: st.DrawFn, size: int) -> tuple[int, ...]:
    """Extents of any rank up to 4, zero now and then; a few megabytes of elements of `size` bytes at most."""
    shape: list[int] = []
    for _ in range(draw(st.sampled_from((0, 1, 2, 2, 3, 3, 4)))):
        most = max(1, min((4 << 20) // max(1, size), 3000) // max(1, prod(shape)))
        large = st.sampled_from([most, max(1, most // 2), max(1, most // 3 - 1)])
        shape.append(draw(st.integers(0, 3) | st.integers(1, most) | large | large))
    return tuple(shape)


@st.composite
def numbers(draw: st.DrawFn) -> Case:
    """Elements of fixed size, every byte counted up, in either byte order."""
    kind = draw(st.sampled_from(KINDS))
    size = reference.nominal(reference_type(kind))
    shape = draw(shapes(size))
    little = dtype_of(kind, "<")
    octets = np.frombuffer(np.random.default_rng(prod(shape)).bytes(prod(shape) * size), np.uint8)
    octets = octets & 1 if kind == "bool" else octets
    items = [_cut(kind, octets[at * size : (at + 1) * size].tobytes()) for at in range(prod(shape))]
    base, inner = little.subdtype or (little, ())
    values = np.frombuffer(octets.tobytes(), base).reshape((*shape, *inner))
    return Case(kind, shape, items, _in_order(values, kind, draw(st.sampled_from("<>"))))


def _in_order(values: Any, kind: Any, order: str) -> Any:
    wanted = dtype_of(kind, order)
    return values if order == "<" else values.astype((wanted.subdtype or (wanted, ()))[0])


def _cut(kind: Any, octets: bytes) -> Any:
    """An element's bytes as the reference nests them."""
    if isinstance(kind, str):
        return octets
    if kind[0] == "struct":
        first = reference.nominal(kind[1][0][1])
        return octets[:first], octets[first:]
    size = len(octets) // kind[1][0]
    return [octets[at * size : (at + 1) * size] for at in range(kind[1][0])]


@st.composite
def texts(draw: st.DrawFn) -> Case:
    """Elements of any length, alone or beside a wide member that makes tiles small."""
    kind = draw(st.sampled_from(TEXTS))
    shape = draw(shapes(70000 if isinstance(kind, list) else 16))
    words = draw(st.lists(st.binary(max_size=40) | st.text(max_size=9).map(str.encode), min_size=1, max_size=9))
    items = [words[at * at % len(words)] + b"x" * (at % 50) for at in range(prod(shape))]
    column = np.empty(len(items), object)
    column[:] = items
    if isinstance(kind, str):
        return Case(kind, shape, items, column.reshape(shape))
    wide = bytes(range(250)) * 240
    values = np.zeros(len(items), [("a", object), ("b", "V60000")])
    values["a"], values["b"] = column, np.void(wide)
    return Case(kind, shape, [(item, wide) for item in items], values.reshape(shape))


@st.composite
def columns(draw: st.DrawFn) -> Case:
    """A nullable column: missing values anywhere, of fixed size or text."""
    one = draw(numbers() | texts())
    if len(one.shape) != 1 or isinstance(one.kind, list):
        kind, count = draw(st.sampled_from(["i4", "V60000", "str"])), draw(st.integers(1, 60))
        items = [bytes([at]) * (at if kind == "str" else int(kind[1:])) for at in range(count)]
        values = (
            np.array([*items, None], object)[:-1] if kind == "str" else np.frombuffer(b"".join(items), dtype_of(kind))
        )
        one = Case(kind, (count,), items, values)
    places = range(one.shape[0])
    missing = draw(st.sets(st.sampled_from(places), max_size=len(places))) if places else set()
    mask = np.isin(np.arange(one.shape[0]), list(missing))
    return replace(one, missing=frozenset(missing), values=np.ma.MaskedArray(one.values, mask))


def field_of(case: Case, chunks: tuple[int, ...] | None, *, by_chunk: bool = False, absent: bool = False) -> Field:
    """A field over the array in memory. `by_chunk` gives chunks without a lock; `absent` leaves out those that hold
    nothing but the fill value."""
    values, shape = case.values, case.shape
    fill = np.zeros((), values.dtype) if case.type.size is not None else None

    def read(box: Box) -> Any:
        found = values[(*slices(box), ...)]
        return found if np.ma.isMaskedArray(found) and found.mask.any() else np.ma.getdata(found)

    def box_of(index: Index) -> Box:
        assert chunks is not None
        return tuple((at * step, min((at + 1) * step, n)) for at, step, n in zip(index, chunks, shape, strict=True))

    def is_blank(box: Box) -> bool:
        found = read(box)
        return absent and not any(bytes(encode(found, case.type, prod(lengths(box)))))

    def chunk(index: Index) -> Any:
        box = box_of(index)
        if is_blank(box):
            return None
        assert chunks is not None
        # What lies beyond the edge of the array has no meaning.
        whole = np.frombuffer(b"\xa5" * (prod(chunks) * values.dtype.itemsize), values.dtype)
        whole = np.resize(whole, (*chunks, *values.shape[len(shape) :])).copy()
        whole[tuple(slice(0, extent) for extent in lengths(box))] = read(box)
        return whole

    def stored() -> Iterator[Box] | None:
        if chunks is None or not absent:
            return None
        counts = [range(-(-extent // step)) for extent, step in zip(shape, chunks, strict=True)]
        return (box for index in product(*counts) if not is_blank(box := box_of(index)))

    width = max(1, values.dtype.itemsize * prod(values.shape[len(shape) :]))
    how = {"chunk": chunk, "fill": _fill(values, len(shape))} if by_chunk and fill is not None else {}
    return Field(b"x", case.type, shape, chunks, width, read, stored, **how)  # type: ignore[arg-type]


def _fill(values: Any, rank: int) -> Any:
    return np.zeros(values.shape[rank:], values.dtype)


def signed_with(target: Field, **how: Any) -> bytes:
    """The root under a given plan."""
    assert target.shape is not None
    grid = grid_of(target.shape, target.type)
    leaves = Leaves(bytearray(grid.count * tree.DIGEST))
    Signer(target, grid, **how).sign(grid.whole, leaves.put)
    return finish(target, grid, leaves).root


def chunks_of(shape: tuple[int, ...]) -> st.SearchStrategy[tuple[int, ...] | None]:
    """Any chunk shape, also chunks larger than the array."""
    return st.none() | st.tuples(*(st.integers(1, extent + 3) for extent in shape))


#: From less than one element over less than a chunk to everything at once.
LIMITS = st.integers(1, 200) | st.integers(1, 1 << 17) | st.integers(1 << 17, 1 << 26) | st.none()


@examples()
@given(numbers() | texts() | columns(), st.integers(1, 8), LIMITS, st.data())
def test_any_plan_and_any_threads(case: Case, threads: int, limit: int | None, data: st.DataObject) -> None:
    target = field_of(case, data.draw(chunks_of(case.shape)))
    target = replace(target, divisible=data.draw(st.booleans()))
    assert signed_with(target, threads=threads, limit=limit) == case.root


@examples()
@given(numbers(), st.integers(1, 8), LIMITS, st.data())
def test_chunks_without_a_lock(case: Case, threads: int, limit: int | None, data: st.DataObject) -> None:
    chunks = data.draw(chunks_of(case.shape))
    target = field_of(case, chunks, by_chunk=chunks is not None)
    target = replace(target, divisible=data.draw(st.booleans()))
    assert signed_with(target, threads=threads, limit=limit) == case.root


@examples()
@given(numbers(), st.integers(1, 8), LIMITS, st.booleans(), st.data())
def test_sparse_stores(case: Case, threads: int, limit: int | None, by_chunk: bool, data: st.DataObject) -> None:
    chunks = tuple(data.draw(st.integers(1, extent + 3)) for extent in case.shape)
    written = np.zeros_like(case.values)
    boxes = [tuple(sorted(data.draw(st.tuples(*[st.integers(0, extent)] * 2))) for extent in case.shape)
             for _ in range(data.draw(st.integers(0, 3)))]  # fmt: skip
    kept = np.zeros(case.shape, bool)
    for box in boxes:
        kept[slices(box)] = True  # type: ignore[arg-type]
    written[kept] = case.values[kept]
    items = [item if keep else reference.blank(reference_type(case.kind))
             for item, keep in zip(case.items, kept.reshape(-1).tolist(), strict=True)]  # fmt: skip
    sparse = replace(case, items=items, values=written)
    target = field_of(sparse, chunks, by_chunk=by_chunk, absent=True)
    assert signed_with(target, threads=threads, limit=limit) == sparse.root


@examples(2)
@given(numbers() | columns(), st.integers(1, 7), st.integers(1, 1 << 22), st.randoms(use_true_random=False), st.data())
def test_any_number_of_ranks(case: Case, ranks: int, group: int, chance: Any, data: st.DataObject) -> None:
    """The pieces dealt to ranks, done in any order, some done twice and some lost, put together again."""
    target = field_of(case, data.draw(chunks_of(case.shape)), by_chunk=not case.missing and data.draw(st.booleans()))
    grid = grid_of(case.shape, case.type)
    boxes = list(groups(target, grid, group))
    shares = deal([float(prod(lengths(box))) for box in boxes], ranks)
    assert sorted(at for part in shares for at in part) == list(range(len(boxes)))
    notes = []
    for part in shares:
        signer = Signer(target, grid, threads=data.draw(st.integers(1, 2)))
        for at in part:
            head = {**identity(target), "box": boxes[at], "group": group}
            notes += [Note(head, leaves_of(signer, boxes[at]))] * chance.choice((0, 1, 1, 1, 2))
    chance.shuffle(notes)
    assert sign_from(target, notes, 2).root == case.root


@st.composite
def stores(draw: st.DrawFn) -> tuple[str, Any, tuple[int, ...]]:
    """A format, an array of whole numbers, and chunks."""
    shape = tuple(draw(st.lists(st.integers(1, 60), min_size=1, max_size=3)))
    values = np.random.default_rng(prod(shape)).bytes(prod(shape) * 8)
    chunks = tuple(draw(st.integers(1, extent)) for extent in shape)
    while prod(-(-extent // chunk) for extent, chunk in zip(shape, chunks, strict=True)) > 300:
        chunks = tuple(min(extent, 2 * chunk) for extent, chunk in zip(shape, chunks, strict=True))
    return draw(st.sampled_from(["h5", "zarr"])), np.frombuffer(values, "<i8").reshape(shape), chunks


def write(path: Path, form: str, values: Any, chunks: tuple[int, ...]) -> None:
    if form == "h5":
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=values, chunks=chunks, compression="gzip", shuffle=True)
    else:
        zarr.open_group(path, mode="w").create_array("x", data=values, chunks=chunks)


@settings(examples(6), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stores(), st.integers(1, 4), st.integers(1, 1 << 20))
def test_any_number_of_nodes(
    tmp_path_factory: pytest.TempPathFactory, store: tuple[str, Any, tuple[int, ...]], nodes: int, group: int
) -> None:
    """Nodes that share a directory and start at once: each artifact is cut into groups, whatever its size."""
    form, values, chunks = store
    top = tmp_path_factory.mktemp("nodes")
    write(top / "x", form, values, chunks)
    artifacts = [(str(top / "x"), "generated")]
    gate = Barrier(nodes)

    def one(name: str) -> None:
        gate.wait()
        share(artifacts, shared_dir=str(top / "run"), node=name, threads=1, large=1, group=group)

    (top / "run").mkdir()
    threads = [Thread(target=one, args=(f"n{at}",)) for at in range(nodes)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (found,) = combine(artifacts, shared_dir=str(top / "run"), group=group)
    root = reference.field_root("i8", values.shape, reference.elements(values, 8))
    assert found["signature"]["fields"][0]["signature"] == f"hpcprov1:{root.hex()}"
    assert found == describe(str(top / "x"))


@settings(examples(3), suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow])
@given(stores(), st.integers(1, 8), LIMITS)
def test_real_stores(
    tmp_path_factory: pytest.TempPathFactory, store: tuple[str, Any, tuple[int, ...]], threads: int, limit: int | None
) -> None:
    form, values, chunks = store
    top = tmp_path_factory.mktemp("real")
    write(top / "x", form, values, chunks)
    root = reference.field_root("i8", values.shape, reference.elements(values, 8))
    with open_data(str(top / "x")) as data:
        (target,) = data.fields
        assert signed_with(target, threads=threads, limit=limit) == root
        # The same through the reader's lock, and without knowing which chunks there are.
        assert sign_field(replace(target, chunk=None, stored=lambda: None), threads=threads).root == root
