"""HDF5 chunks read beside the library: the same values as through it, whatever the filters, index, type and file."""

from __future__ import annotations

import threading
import tracemalloc
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from h5py import h5d, h5f, h5p, h5s, h5t

from hpcprov.data.interface import Field
from hpcprov.data.open import open_data
from hpcprov.record.errors import UnreadableData
from hpcprov.signature.threads import sign_field
from tests.require import require

VALUES = (np.arange(90 * 70, dtype="<i8") ** 2 % 10007).reshape(90, 70).astype("<f8")

FILTERS: dict[str, dict[str, Any]] = {
    "none": {},
    "gzip": {"compression": "gzip"},
    "gzip, shuffle": {"compression": "gzip", "shuffle": True},
    "gzip, shuffle, checksum": {"compression": "gzip", "shuffle": True, "fletcher32": True},
    "shuffle": {"shuffle": True},
    "checksum": {"fletcher32": True},
    "lzf": {"compression": "lzf"},
    "lzf, shuffle": {"compression": "lzf", "shuffle": True},
    "blosc": dict(hdf5plugin.Blosc()),
    "blosc zstd": dict(hdf5plugin.Blosc(cname="zstd", clevel=5, shuffle=1)),
    "blosc bits": dict(hdf5plugin.Blosc(cname="lz4", shuffle=2)),
    "zstd": dict(hdf5plugin.Zstd()),
    "zstd, shuffle": {**hdf5plugin.Zstd(), "shuffle": True},
    "lz4": dict(hdf5plugin.LZ4()),
    "lz4 blocks": dict(hdf5plugin.LZ4(nbytes=1000)),
    "bitshuffle": dict(hdf5plugin.Bitshuffle(cname="none")),
    "bitshuffle lz4": dict(hdf5plugin.Bitshuffle()),
    "bitshuffle lz4 blocks": dict(hdf5plugin.Bitshuffle(nelems=64)),
    "bitshuffle zstd": dict(hdf5plugin.Bitshuffle(cname="zstd")),
    "bzip2": dict(hdf5plugin.BZip2()),
}
THROUGH_THE_LIBRARY: dict[str, dict[str, Any]] = {
    "blosc2": dict(hdf5plugin.Blosc2()),
    "scale-offset": {"scaleoffset": 4},
    "zfp": dict(hdf5plugin.Zfp(reversible=True)),
    "szip": {"compression": "szip"},
}
CHUNKS = [(45, 35), (32, 16), (90, 70), (100, 80), (7, 70)]
BOXES = [((0, 90), (0, 70)), ((3, 50), (11, 12)), ((31, 33), (15, 17)), ((89, 90), (69, 70)), ((5, 5), (0, 70))]


@pytest.fixture(autouse=True)
def chunks_of_any_size(monkeypatch: pytest.MonkeyPatch) -> None:
    """Small ones would be read through the library, because that is faster."""
    monkeypatch.setattr("hpcprov.data.hdf5.SMALL_FILTERED", 0)
    monkeypatch.setattr("hpcprov.data.hdf5.SMALL_PLAIN", 0)


def only(path: Path) -> Any:
    return open_data(str(path))


def by_library(path: Path, name: str = "x") -> Any:
    with h5py.File(path) as file:
        return file[name][...]


def assembled(field: Field) -> Any:
    """The whole array put together from chunks, missing ones from the fill value."""
    assert field.chunk is not None and field.chunks is not None and field.shape is not None
    inner = np.shape(field.fill)
    whole = np.zeros((*field.shape, *inner), np.asarray(field.fill).dtype)
    for index in np.ndindex(*(-(-extent // step) for extent, step in zip(field.shape, field.chunks, strict=True))):
        place = tuple(
            slice(at * step, min((at + 1) * step, extent))
            for at, step, extent in zip(index, field.chunks, field.shape, strict=True)
        )
        found = field.chunk(index)
        if found is None:
            whole[place] = field.fill
        else:
            assert found.shape == (*field.chunks, *inner)
            whole[place] = found[tuple(slice(0, part.stop - part.start) for part in place)]
    return whole


@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("name", FILTERS)
def test_chunks_are_what_the_library_reads(name: str, libver: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w", libver=libver) as file:
        for number, chunks in enumerate(CHUNKS):
            limits = (None, None) if chunks[0] > 90 else None
            file.create_dataset(str(number), data=VALUES, chunks=chunks, maxshape=limits, **FILTERS[name])
    with only(tmp_path / "x") as data:
        for field, chunks in zip(data.fields, CHUNKS, strict=True):
            assert field.chunks == chunks
            assert assembled(field).tobytes() == VALUES.tobytes()
            for box in BOXES:
                expected = VALUES[tuple(slice(*span) for span in box)]
                assert field.read(box).tobytes() == expected.tobytes()


@pytest.mark.parametrize("name", THROUGH_THE_LIBRARY)
def test_other_filters_are_read_through_the_library(name: str, tmp_path: Path) -> None:
    require("szip", name != "szip" or h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP))
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("x", data=VALUES, chunks=(45, 35), **THROUGH_THE_LIBRARY[name])
    expected = by_library(tmp_path / "x")
    with only(tmp_path / "x") as data:
        (field,) = data.fields
        assert field.chunk is None
        assert field.read(BOXES[0]).tobytes() == expected.tobytes()


def test_nbit_is_read_through_the_library(tmp_path: Path) -> None:
    creation, kind = h5p.create(h5p.DATASET_CREATE), h5t.STD_I32LE.copy()
    creation.set_chunk((1000,))
    creation.set_filter(h5py.h5z.FILTER_NBIT)
    kind.set_precision(20)
    with h5py.File(tmp_path / "x", "w") as file:
        space = h5s.create_simple((1000,))
        h5d.create(file.id, b"x", kind, space, creation).write(space, space, np.arange(1000, dtype="<i4") - 500)
    with only(tmp_path / "x") as data:
        assert data.fields[0].chunk is None
        assert data.fields[0].read(((0, 1000),)).tolist() == list(range(-500, 500))


INDICES: dict[str, dict[str, Any]] = {
    "fixed array": {"maxshape": (90, 70)},
    "extensible array": {"maxshape": (None, 70)},
    "version 2 B-tree": {"maxshape": (None, None)},
    "single chunk": {"chunks": (90, 70)},
}


@pytest.mark.parametrize("userblock", [0, 512, 4096])
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("index", INDICES)
def test_every_kind_of_chunk_index_and_a_user_block(index: str, libver: str, userblock: int, tmp_path: Path) -> None:
    options = {"chunks": (30, 20), **INDICES[index]}
    with h5py.File(tmp_path / "x", "w", libver=libver, userblock_size=userblock) as file:
        for name in ("none", "gzip, shuffle"):
            file.create_dataset(name, data=VALUES, **options, **FILTERS[name])
        file["contiguous"] = VALUES
    with only(tmp_path / "x") as data:
        for field in data.fields:
            assert field.read(BOXES[0]).tobytes() == VALUES.tobytes()
            assert field.name == "contiguous" or assembled(field).tobytes() == VALUES.tobytes()


@pytest.mark.parametrize("libver", ["earliest", "latest"])
def test_chunks_allocated_at_once_by_the_library(libver: str, tmp_path: Path) -> None:
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((30, 20))
    creation.set_alloc_time(h5d.ALLOC_TIME_EARLY)
    creation.set_fill_value(np.array(7.5))
    with h5py.File(tmp_path / "x", "w", libver=libver) as file:
        h5d.create(file.id, b"x", h5t.IEEE_F64LE, h5s.create_simple((90, 70)), creation)
        file["x"][40:50, 30:40] = 1
    expected = by_library(tmp_path / "x")
    with only(tmp_path / "x") as data:
        assert assembled(data.fields[0]).tobytes() == expected.tobytes()
        assert data.fields[0].stored() is None


TYPES: dict[str, tuple[Any, Any]] = {
    "big-endian": (">i4", -3),
    "half": ("<f2", 1.5),
    "complex": (">c8", 2 + 1j),
    "bool": ("?", True),
    "text": ("S7", b"ab"),
    "opaque": ("V5", None),
    "struct": ([("a", ">i2"), ("b", "<f8"), ("c", "S3")], (1, 2.5, b"xy")),
    "array": ((">u2", (2, 3)), None),
    "enum": (h5py.enum_dtype({"A": 0, "B": 5}, basetype=">i4"), 5),
}


@pytest.mark.parametrize("when", ["ifset", "never"])
@pytest.mark.parametrize("name", TYPES)
def test_types_and_their_fill_values(name: str, when: str, tmp_path: Path) -> None:
    dtype, fill = np.dtype(TYPES[name][0]), TYPES[name][1]
    rng = np.random.default_rng(1)
    stored = rng.integers(0, 2 if name == "bool" else 256, (2500, dtype.itemsize), np.uint8)
    fill = None if fill is None else np.array(fill, dtype)
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset(
            "x", (10000,), dtype, chunks=(2500,), shuffle=True, compression="gzip", fillvalue=fill, fill_time=when
        )
        kind, part = made.id.get_type(), made.id.get_space()
        part.select_hyperslab((2500,), (2500,))
        memory = np.frombuffer(stored, f"V{dtype.itemsize}").copy()
        made.id.write(h5s.create_simple((2500,)), part, memory, kind)
    expected = np.zeros(10000, f"V{dtype.itemsize}")
    if fill is not None:
        expected[...] = np.frombuffer(fill.tobytes(), expected.dtype)[0]
    expected[2500:5000] = memory
    with only(tmp_path / "x") as data:
        (field,) = data.fields
        assert assembled(field).tobytes() == expected.tobytes()
        assert field.read(((2400, 5100),)).tobytes() == expected[2400:5100].tobytes()
        assert list(field.stored() or ()) == [((2500, 5000),)]


def test_what_the_library_must_translate_has_no_chunks(tmp_path: Path) -> None:
    odd = h5t.STD_I16LE.copy()
    odd.set_precision(12)
    creation = h5p.create(h5p.DATASET_CREATE)
    creation.set_chunk((2000,))
    with h5py.File(tmp_path / "x", "w") as file:
        h5d.create(file.id, b"odd", odd, h5s.create_simple((2000,)), creation)
        file.create_dataset("text", (2000,), h5py.string_dtype(), chunks=(2000,))
        file.create_dataset("refs", (2000,), h5py.ref_dtype, chunks=(2000,))
        file.create_dataset("in a struct", (2000,), [("a", "i4"), ("r", h5py.ref_dtype)], chunks=(2000,))
        file["refs"][7] = file["text"].ref
    with only(tmp_path / "x") as data:
        assert [(field.name, field.chunk) for field in data.fields] == [
            (name, None) for name in ("in a struct", "odd", "refs", "text")
        ]
        assert sign_field(data.fields[2]).root


def test_skipped_filters(tmp_path: Path) -> None:
    raw = np.arange(1000, dtype="<i4")
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", (3000,), "<i4", chunks=(1000,), shuffle=True, compression="gzip")
        made.id.write_direct_chunk((0,), raw.tobytes(), 0b11)
        shuffled = np.frombuffer(raw.tobytes(), np.uint8).reshape(-1, 4).T.tobytes()
        made.id.write_direct_chunk((1000,), shuffled, 0b10)
        made[2000:] = raw
    with only(tmp_path / "x") as data:
        assert assembled(data.fields[0]).tobytes() == np.tile(raw, 3).tobytes()


def test_a_chunk_at_the_edge_that_was_not_filtered(tmp_path: Path) -> None:
    """H5Pset_chunk_opts, which h5py does not have: such a chunk has all its bytes and no filter marked as skipped."""
    raw = np.arange(1500, dtype="<i4")
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", (1500,), "<i4", chunks=(1000,), shuffle=True)
        made[...] = raw
    with only(tmp_path / "x") as data:
        (field,) = data.fields
        assert assembled(field).tobytes() == raw.tobytes()


def test_a_fletcher32_mismatch_names_the_chunk(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("g/x", data=VALUES, chunks=(45, 35), fletcher32=True)
        at = made.id.get_chunk_info(3).byte_offset
    with open(tmp_path / "x", "r+b") as raw:
        raw.seek(at + 100)
        raw.write(b"\xff\xee")
    with only(tmp_path / "x") as data:
        with pytest.raises(UnreadableData, match=r"g/x: the chunk \[1, 1\] cannot be decoded: its Fletcher-32"):
            data.fields[0].read(BOXES[0])
        assert data.fields[0].chunk((0, 0)) is not None  # type: ignore[misc]


@pytest.mark.parametrize("name", ["gzip", "zstd", "blosc", "lz4", "lzf", "bitshuffle lz4", "bzip2"])
@pytest.mark.parametrize("count", [1, 999, 1001, 1_000_000])
def test_a_chunk_of_another_size_than_declared(name: str, count: int, tmp_path: Path) -> None:
    """Among them a bomb: more than declared is never written to memory."""
    with h5py.File(tmp_path / "other", "w") as file:
        made = file.create_dataset("x", data=np.zeros(count, "<f8"), chunks=(count,), **FILTERS[name])
        skipped, stored = made.id.read_direct_chunk((0,))
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", (1000,), "<f8", chunks=(1000,), **FILTERS[name])
        made.id.write_direct_chunk((0,), stored, 0)
    with only(tmp_path / "x") as data, pytest.raises(UnreadableData, match=r"x: the chunk \[0\] "):
        data.fields[0].read(((0, 1000),))
    assert not skipped or count == 1


def _moved(path: Path, old: int, new: int) -> None:
    """Every place in the file that holds the address `old` now says `new`."""
    content = path.read_bytes()
    assert content.count(old.to_bytes(8, "little")) == 1
    path.write_bytes(content.replace(old.to_bytes(8, "little"), new.to_bytes(8, "little")))


@pytest.mark.parametrize("name", ["none", "gzip"])
def test_a_chunk_outside_of_the_file(name: str, tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", data=VALUES, chunks=(45, 35), **FILTERS[name])
        at = made.id.get_chunk_info(2).byte_offset
    _moved(tmp_path / "x", at, 1 << 40)
    with only(tmp_path / "x") as data, pytest.raises(UnreadableData, match=r"x: the chunk \[1, 0\] lies outside"):
        data.fields[0].read(BOXES[0])


def test_part_of_a_large_chunk_without_filters_is_read_alone(tmp_path: Path) -> None:
    rows, width = 64, 2**20
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", (rows, width), "<f8", chunks=(rows, width))
        made.id.write_direct_chunk((0, 0), np.arange(rows * width, dtype="<f8").tobytes())
    with only(tmp_path / "x") as data:
        (field,) = data.fields
        assert field.divisible
        tracemalloc.start()
        found = field.read(((60, 62), (5, 9)))
        _, peak = tracemalloc.get_traced_memory()
        tracemalloc.stop()
    assert found.tolist() == [[row * width + at for at in range(5, 9)] for row in (60, 61)]
    assert peak < 8 << 20


def test_chunks_are_decoded_by_several_threads_at_once(tmp_path: Path) -> None:
    rng = np.random.default_rng(0)
    values = rng.integers(0, 100, (64, 4096)).astype("<f8")
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("x", data=values, chunks=(1, 4096), shuffle=True, compression="gzip")
    found: dict[int, bytes] = {}
    with only(tmp_path / "x") as data:
        (field,) = data.fields

        def work(first: int) -> None:
            for at in range(first, 64, 8):
                found[at] = field.chunk((at, 0)).tobytes()

        threads = [threading.Thread(target=work, args=(number,)) for number in range(8)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        roots = {sign_field(field, threads=count).root for count in (1, 2, 5)}
    assert [found[at] for at in range(64)] == [row.tobytes() for row in values]
    assert len(roots) == 1


def test_what_this_process_has_written_and_not_flushed(tmp_path: Path) -> None:
    access = h5p.create(h5p.FILE_ACCESS)  # as the reader has it, since the library opens a file in one way only
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_file_locking(False, True)
    handle = h5f.create(str(tmp_path / "x").encode(), h5f.ACC_TRUNC, fapl=access)
    with h5py.File(handle) as file:
        file["whole"] = VALUES
        file.create_dataset("chunked", data=VALUES, chunks=(45, 35))
        file.flush()
        file["whole"][3, 3] = file["chunked"][3, 3] = -1
        with only(tmp_path / "x") as data:
            assert [field.chunk for field in data.fields] == [None, None]
            assert [field.read(((3, 4), (3, 4))).tolist() for field in data.fields] == [[[-1]], [[-1]]]


def test_small_chunks_are_left_to_the_library(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.undo()
    with h5py.File(tmp_path / "x", "w") as file:
        for size in (1 << 12, 1 << 14, 1 << 18):
            file.create_dataset(f"{size} filtered", (size,), "u1", chunks=(size,), compression="gzip")
            file.create_dataset(f"{size} plain", (size,), "u1", chunks=(size,))
    with only(tmp_path / "x") as data:
        assert {field.name for field in data.fields if field.chunk is not None} == {
            "16384 filtered",
            "262144 filtered",
            "262144 plain",
        }


def test_an_array_that_shrank_and_one_that_grew(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        made = file.create_dataset("x", data=VALUES, chunks=(32, 16), maxshape=(None, None), compression="gzip")
        made.resize((40, 20))
        made.resize((95, 71))
    expected = by_library(tmp_path / "x")
    with only(tmp_path / "x") as data:
        assert assembled(data.fields[0]).tobytes() == expected.tobytes()
