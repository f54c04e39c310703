"""What every reader must do, whatever its format: a class of tests that each format inherits.

A format says how arrays are written, and what it can hold; the tests compare what its reader gives with the reference.

    class TestNpy(Conformance):
        format = Npy()
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import product
from math import prod
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.interface import Box, Dataset, Field, lengths, slices
from hpcprov.data.open import open_data
from hpcprov.data.types import Type
from hpcprov.data.values import encode
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field

#: Shapes with odd extents, so that chunks stick out at every edge.
SHAPES: tuple[tuple[int, ...], ...] = ((23,), (13, 17), (7, 11, 9))
CHUNKS = {1: (5,), 2: (4, 6), 3: (3, 4, 5)}
FILL = 7
#: What the names of columns begin with that only the format needs.
EXTRA = b"extra "
#: How many random boxes are read of each array.
BOXES = 25

Arrays = dict[str, Any]


@dataclass(frozen=True)
class Format:
    """How arrays are written in one format. `write(path, arrays, chunks)` makes the file or store.

    `types` are numpy type strings, `text` for variable-length text; `missing` are those with missing values; `named`
    tells whether a file has several fields, `chunked` that the chunks asked for are those that `Field.chunks` says.
    `sparse(path, shape, dtype, chunks, written)` writes only the boxes `written` of an array named `x`, all threes, and
    FILL elsewhere. `values` makes arrays where not every bit pattern can be written."""

    write: Callable[[Path, Arrays, tuple[int, ...] | None], None]
    types: tuple[str, ...]
    ranks: tuple[int, ...] = (1, 2, 3)
    named: bool = True
    scalar: bool = True
    empty: bool = True
    missing: tuple[str, ...] = ()
    sparse: Callable[[Path, tuple[int, ...], str, tuple[int, ...], list[Box]], None] | None = None
    chunked: bool = False
    values: Callable[[str, tuple[int, ...]], Any] | None = None
    kind: str = "tree"


def values_of(dtype: str, shape: tuple[int, ...]) -> Any:
    """An array of the type with every kind of bit pattern, or words of every length."""
    count = prod(shape)
    if dtype == "text":
        words = np.empty(count, object)
        words[:] = [("", "a", "hé", "日本語" * 9, "tail ")[n % 5] + str(n // 5) for n in range(count)]
        return words.reshape(shape)
    kind = np.dtype(dtype)
    chance = np.random.default_rng(count + kind.itemsize)
    if kind.kind == "b":
        return chance.integers(0, 2, shape).astype(bool)
    if kind.kind == "U":
        return np.array([("", "ä", "xyz")[n % 3] for n in range(count)], kind).reshape(shape)
    return np.frombuffer(chance.bytes(count * kind.itemsize), kind).reshape(shape)


def masked(values: Any) -> Any:
    """A column with missing values here and there: alone, in a row, at the end."""
    last = len(values) - 1
    return np.ma.MaskedArray(values, [n % 7 == 3 or n % 11 == 4 or n == last for n in range(len(values))])


def gaps_of(values: Any) -> Any:
    """Where values are missing; numpy's own function has no answer for opaque types."""
    return np.ma.getmaskarray(values) if np.ma.isMaskedArray(values) else np.zeros(values.shape, bool)


def kind_of(values: Any) -> str:
    """The token that the specification gives the array's type."""
    dtype = values.dtype
    if dtype.kind in "OSUT":
        return "str"
    if dtype.kind == "b":
        return "bool"
    if dtype.kind in "mM":
        unit, count = np.datetime_data(dtype)
        return f"{dtype.kind}8[{count}{unit}]"
    return str(dtype.newbyteorder("=").str[1:])


def elements_of(values: Any) -> list[bytes]:
    """The elements as the reference takes them."""
    flat = np.ma.getdata(values).reshape(-1)
    if values.dtype.kind == "S":
        return [bytes(item) for item in flat.tolist()]
    if values.dtype.kind in "OUT":
        return [str(item).encode() for item in flat.tolist()]
    return reference.elements(flat.astype(values.dtype.newbyteorder("<")), values.dtype.itemsize)


def root_of(values: Any) -> bytes:
    """The signature by the reference."""
    missing = frozenset(np.flatnonzero(gaps_of(values)).tolist())
    return reference.field_root(kind_of(values), values.shape, elements_of(values), missing)


def expected_bytes(values: Any, box: Box) -> bytes:
    """Canonical bytes of a box by the reference, missing values as zeros or empty."""
    part = values[(*slices(box), ...)]
    kind, missing = kind_of(values), gaps_of(part).reshape(-1).tolist()
    items = elements_of(part)
    return b"".join(
        reference.encode(kind, reference.blank(kind) if gone else item)
        for item, gone in zip(items, missing, strict=True)
    )


def check_box(target: Field, values: Any, box: Box) -> None:
    """What `read` gives for a box is what was written."""
    found = target.read(box)
    assert found.shape == lengths(box), box
    assert np.array_equal(gaps_of(found), gaps_of(values[(*slices(box), ...)])), box
    data = np.array(np.ma.getdata(found))
    data[gaps_of(found)] = b"" if data.dtype.kind == "O" else np.zeros(1, data.dtype)[0]
    assert octets_of(data, target.type) == expected_bytes(values, box), box


def octets_of(found: Any, kind: Type) -> bytes:
    return bytes(encode(found, kind, found.size))


def boxes_of(shape: tuple[int, ...], chance: np.random.Generator) -> Iterator[Box]:
    """Whole, empty, single, edges, and random ones."""
    yield tuple((0, extent) for extent in shape)
    if not shape:
        return
    yield tuple((0, 0) for _ in shape)
    yield tuple((extent, extent) for extent in shape)
    if not prod(shape):
        return
    yield tuple((extent - 1, extent) for extent in shape)
    yield tuple((0, 1) for _ in shape)
    for axis in range(len(shape)):
        yield tuple((extent // 2, extent // 2 + 1) if at == axis else (0, extent) for at, extent in enumerate(shape))
        yield tuple((0, 0) if at == axis else (0, extent) for at, extent in enumerate(shape))
    for _ in range(BOXES):
        ends = [sorted(chance.integers(0, extent + 1, 2).tolist()) for extent in shape]
        yield tuple((start, stop) for start, stop in ends)


def cells(boxes: Iterator[Box]) -> set[tuple[int, ...]]:
    """The indices that the boxes hold."""
    return {index for box in boxes for index in product(*(range(*span) for span in box))}


def descriptors() -> list[str]:
    """What this process has open."""
    found = []
    for name in os.listdir("/proc/self/fd"):
        try:
            found.append(f"{name} {os.readlink(f'/proc/self/fd/{name}')}")
        except FileNotFoundError:
            continue
    return sorted(found)


def footprint(path: Path) -> list[tuple[Any, ...]]:
    """Everything of a file or store but its access times."""
    places = [path, *sorted(path.rglob("*"))] if path.is_dir() else [path]
    stats = [(place, os.lstat(place)) for place in places]
    return [(str(place), s.st_ino, s.st_mode, s.st_size, s.st_mtime_ns, s.st_ctime_ns) for place, s in stats]


def only(data: Dataset) -> Field:
    """The one field, beside those that a writer had to add."""
    (found,) = [one for one in data.fields if not one.path.startswith(EXTRA)]
    return found


class Conformance:
    """The tests; `format` is the only thing that differs."""

    format: Format

    def values(self, dtype: str, shape: tuple[int, ...]) -> Any:
        return (self.format.values or values_of)(dtype, shape)

    def store(self, folder: Path, values: Any, chunks: tuple[int, ...] | None = None) -> Path:
        """One array written under a name that says nothing."""
        path = folder / "no matter what name.xyz"
        self.format.write(path, {"x": values}, chunks)
        return path

    def arrays(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        for dtype in self.format.types:
            for shape in SHAPES:
                if len(shape) in self.format.ranks:
                    yield dtype, shape

    def test_every_type_has_the_signature_of_the_reference(self, tmp_path: Path) -> None:
        for number, (dtype, shape) in enumerate(self.arrays()):
            (tmp_path / str(number)).mkdir()
            values = self.values(dtype, shape)
            path = self.store(tmp_path / str(number), values, CHUNKS[len(shape)])
            with open_data(str(path)) as data:
                target = only(data)
                assert (target.type.text, target.shape) == (kind_of(values), shape), dtype
                assert data.kind == self.format.kind
                assert target.path == (b"x" if self.format.named else b"")
                assert target.width >= (target.type.size or 1)
                for threads in (1, 3):
                    assert sign_field(target, threads=threads).root == root_of(values), (dtype, shape)

    def test_boxes(self, tmp_path: Path) -> None:
        for number, (dtype, shape) in enumerate(self.arrays()):
            (tmp_path / str(number)).mkdir()
            values = self.values(dtype, shape)
            with open_data(str(self.store(tmp_path / str(number), values, CHUNKS[len(shape)]))) as data:
                for box in boxes_of(shape, np.random.default_rng(number)):
                    check_box(only(data), values, box)

    def test_chunks_are_those_that_were_asked_for(self, tmp_path: Path) -> None:
        shape = SHAPES[self.format.ranks[-1] - 1]
        with open_data(str(self.store(tmp_path, self.values(self.format.types[0], shape), CHUNKS[len(shape)]))) as data:
            chunks = only(data).chunks
        if self.format.chunked:
            assert chunks == CHUNKS[len(shape)]
        elif chunks is not None:
            assert len(chunks) == len(shape) and all(extent > 0 for extent in chunks)

    def test_a_chunk_agrees_with_reading(self, tmp_path: Path) -> None:
        for number, (dtype, shape) in enumerate(self.arrays()):
            (tmp_path / str(number)).mkdir()
            values = self.values(dtype, shape)
            with open_data(str(self.store(tmp_path / str(number), values, CHUNKS[len(shape)]))) as data:
                self.check_chunks(only(data), values)

    def check_chunks(self, target: Field, values: Any) -> None:
        if target.chunk is None or target.chunks is None or target.shape is None:
            return
        for index, box in grid_of(target.shape, target.chunks):
            whole = target.chunk(index)
            if whole is None:
                assert target.fill is not None
                found = np.broadcast_to(target.fill, lengths(box))
            else:
                assert whole.shape == target.chunks
                found = whole[tuple(slice(0, stop - start) for start, stop in box)]
            assert octets_of(np.ascontiguousarray(found), target.type) == expected_bytes(values, box)

    def test_threads_at_once(self, tmp_path: Path) -> None:
        for number, dtype in enumerate(self.format.types[:2] + self.format.types[-1:]):
            (tmp_path / str(number)).mkdir()
            shape = SHAPES[self.format.ranks[-1] - 1]
            values = self.values(dtype, shape)
            with open_data(str(self.store(tmp_path / str(number), values, CHUNKS[len(shape)]))) as data:
                target = only(data)
                at_once(8, lambda seed, f=target, v=values, s=shape: self.read_randomly(f, v, s, seed))  # type: ignore[misc]

    def read_randomly(self, target: Field, values: Any, shape: tuple[int, ...], seed: int) -> None:
        for box in boxes_of(shape, np.random.default_rng(seed)):
            check_box(target, values, box)
        self.check_chunks(target, values)

    def test_stored_covers_all_that_is_there(self, tmp_path: Path) -> None:
        for number, (dtype, shape) in enumerate(self.arrays()):
            (tmp_path / str(number)).mkdir()
            values = self.values(dtype, shape)
            with open_data(str(self.store(tmp_path / str(number), values, CHUNKS[len(shape)]))) as data:
                boxes = only(data).stored()
                if boxes is not None:
                    covered = cells(boxes)
                    blank = reference.encode(kind_of(values), reference.blank(kind_of(values)))
                    for index in np.ndindex(*shape):
                        one = tuple((at, at + 1) for at in index)
                        assert index in covered or expected_bytes(values, one) == blank, (dtype, index)

    def test_missing_chunks_are_the_fill_value(self, tmp_path: Path) -> None:
        if self.format.sparse is None:
            pytest.skip("the format has no missing chunks")
        shape, chunks = (13, 17), (4, 6)
        written: list[Box] = [((0, 4), (6, 12)), ((12, 13), (12, 17))]
        values = np.full(shape, FILL, "i4")
        for box in written:
            values[slices(box)] = 3
        self.format.sparse(tmp_path / "x", shape, "i4", chunks, written)
        with open_data(str(tmp_path / "x")) as data:
            target = only(data)
            for box in boxes_of(shape, np.random.default_rng(1)):
                check_box(target, values, box)
            boxes = target.stored()
            assert boxes is None or cells(boxes) >= cells(iter(written))
            self.check_missing(target, written)
            self.check_chunks(target, values)
            assert sign_field(target, threads=3).root == root_of(values)

    def check_missing(self, target: Field, written: list[Box]) -> None:
        """A chunk is None exactly when it is not stored, and the fill value is what reading gives there."""
        if target.chunk is None or target.shape is None or target.chunks is None:
            return
        for index, box in grid_of(target.shape, target.chunks):
            assert (target.chunk(index) is None) == (box not in written), index
        fill = octets_of(np.ascontiguousarray(np.broadcast_to(target.fill, (1,))), target.type)  # type: ignore[arg-type]
        assert fill == FILL.to_bytes(4, "little")

    def test_scalar(self, tmp_path: Path) -> None:
        if not self.format.scalar:
            pytest.skip("the format has no scalars")
        for number, dtype in enumerate(self.format.types):
            (tmp_path / str(number)).mkdir()
            values = self.values(dtype, (1,)).reshape(())
            with open_data(str(self.store(tmp_path / str(number), values))) as data:
                assert only(data).shape == ()
                check_box(only(data), values, ())
                assert sign_field(only(data)).root == root_of(values)

    def test_zero_extents(self, tmp_path: Path) -> None:
        if not self.format.empty:
            pytest.skip("the format has no zero extents")
        shapes = [shape for shape in ((0,), (0, 3), (3, 0, 2)) if len(shape) in self.format.ranks]
        for number, shape in enumerate(shapes):
            (tmp_path / str(number)).mkdir()
            values = self.values(self.format.types[0], shape)
            with open_data(str(self.store(tmp_path / str(number), values))) as data:
                for box in boxes_of(shape, np.random.default_rng(1)):
                    check_box(only(data), values, box)
                assert sign_field(only(data), threads=2).root == root_of(values)

    def test_missing_values_are_masked(self, tmp_path: Path) -> None:
        if not self.format.missing:
            pytest.skip("the format has no missing values")
        for number, dtype in enumerate(self.format.missing):
            (tmp_path / str(number)).mkdir()
            values = masked(self.values(dtype, (100,)))
            with open_data(str(self.store(tmp_path / str(number), values))) as data:
                for box in boxes_of((100,), np.random.default_rng(1)):
                    check_box(only(data), values, box)
                assert sign_field(only(data), threads=2).root == root_of(values), dtype

    def test_one_field_after_another(self, tmp_path: Path) -> None:
        if not self.format.named:
            pytest.skip("the format has one field")
        rank = self.format.ranks[-1]
        names = ["b", "a", "c" * 40]
        arrays = {
            name: self.values(self.format.types[at % len(self.format.types)], SHAPES[rank - 1])
            for at, name in enumerate(names)
        }
        path = tmp_path / "x"
        self.format.write(path, arrays, CHUNKS[rank])
        with open_data(str(path)) as data:
            order = sorted(names) if self.format.kind == "tree" else names
            assert [one.name for one in data.fields if not one.path.startswith(EXTRA)] == order
            for _ in range(2):
                for one in data.fields:
                    if one.name in arrays:
                        check_box(one, arrays[one.name], tuple((1, extent - 1) for extent in SHAPES[rank - 1]))
                        self.check_chunks(one, arrays[one.name])

    def test_nothing_is_left_open(self, tmp_path: Path) -> None:
        shape = SHAPES[self.format.ranks[-1] - 1]
        path = self.store(tmp_path, self.values(self.format.types[0], shape), CHUNKS[len(shape)])
        self.read_all(path)  # what a library opens once for good
        before = descriptors()
        self.read_all(path)
        assert descriptors() == before

    def read_all(self, path: Path) -> None:
        with open_data(str(path)) as data:
            sign_field(only(data), threads=2)
            list(only(data).stored() or ())

    def test_nothing_is_written(self, tmp_path: Path) -> None:
        shape = SHAPES[self.format.ranks[-1] - 1]
        path = self.store(tmp_path, self.values(self.format.types[0], shape), CHUNKS[len(shape)])
        before = footprint(tmp_path)
        self.read_all(path)
        assert footprint(tmp_path) == before

    def test_open_twice_at_once(self, tmp_path: Path) -> None:
        shape = SHAPES[self.format.ranks[-1] - 1]
        values = self.values(self.format.types[0], shape)
        path = self.store(tmp_path, values, CHUNKS[len(shape)])
        whole = tuple((0, extent) for extent in shape)
        one, two = open_data(str(path)), open_data(str(path))
        check_box(only(one), values, whole)
        check_box(only(two), values, whole)
        one.close()
        check_box(only(two), values, whole)
        two.close()


def grid_of(shape: tuple[int, ...], chunks: tuple[int, ...]) -> Iterator[tuple[tuple[int, ...], Box]]:
    """Index and box of every chunk of the grid, clipped to the array."""
    counts = [-(-extent // chunk) for extent, chunk in zip(shape, chunks, strict=True)]
    for index in product(*map(range, counts)):
        yield (
            index,
            tuple(
                (at * step, min((at + 1) * step, extent)) for at, step, extent in zip(index, chunks, shape, strict=True)
            ),
        )


def at_once(count: int, work: Callable[[int], None]) -> None:
    """Do the work in several threads that begin together. Raises the first error of any."""
    errors: list[BaseException] = []
    gate = threading.Barrier(count)

    def one(seed: int) -> None:
        try:
            gate.wait()
            work(seed)
        except BaseException as error:
            errors.append(error)

    threads = [threading.Thread(target=one, args=(seed,)) for seed in range(count)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    if errors:
        raise errors[0]
