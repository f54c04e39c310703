"""One array stored in many ways has one signature: that of the slow reference."""

from __future__ import annotations

import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.data.open import open_data
from hpcprov.signature import reference
from hpcprov.signature.threads import sign_field

SHAPE = (40, 50, 70)
VALUES = np.sin(np.arange(np.prod(SHAPE)) / 99).reshape(SHAPE)
VALUES[3, 4, 5], VALUES[6, 7, 8] = -0.0, np.array(0x7FF8DEAD00000001, "u8").view("f8")
Store = Callable[[Path], None]


def hdf5(chunks: tuple[int, ...] | None = None, order: str = "<", **options: Any) -> Store:
    def store(path: Path) -> None:
        with h5py.File(path, "w") as file:
            file.create_dataset("x", data=VALUES.astype(f"{order}f8"), dtype=f"{order}f8", chunks=chunks, **options)

    return store


def zarr_store(version: int, **options: Any) -> Store:
    def store(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            group = zarr.open_group(path, mode="w", zarr_format=version)
            dtype = options.pop("dtype", "<f8")
            group.create_array("x", shape=SHAPE, dtype=dtype, **options)[...] = VALUES

    return store


def npy(order: str, layout: str) -> Store:
    def store(path: Path) -> None:
        with open(path, "wb") as file:
            np.save(file, np.asarray(VALUES, f"{order}f8", order=layout))  # type: ignore[call-overload]

    return store


WAYS = {
    "contiguous": hdf5(),
    "contiguous, big-endian": hdf5(order=">"),
    "compact": lambda path: _compact(path),
    "small chunks": hdf5((7, 9, 11)),
    "rows": hdf5((1, 50, 70), compression="gzip"),
    "columns": hdf5((40, 1, 1), compression="lzf"),
    "whole": hdf5(SHAPE, shuffle=True, compression="gzip", order=">"),
    "large chunks, checksums": hdf5((33, 50, 64), fletcher32=True),
    "growing": hdf5((8, 50, 70), maxshape=(None, 50, 70), shuffle=True, compression="gzip"),
    "old format": lambda path: _version(path, ("earliest", "v108")),
    "new format": lambda path: _version(path, ("latest", "latest")),
    "user block": lambda path: _user_block(path),
    "zarr v2": zarr_store(2, chunks=(16, 16, 16)),
    "zarr v2, big-endian": zarr_store(2, chunks=(40, 7, 70), dtype=">f8"),
    "zarr v2, nested keys": zarr_store(2, chunks=(40, 7, 70), chunk_key_encoding={"name": "v2", "separator": "/"}),
    "zarr v2, no compressor": zarr_store(2, chunks=(10, 10, 10), compressors=None),
    "zarr v3": zarr_store(3, chunks=(16, 16, 16)),
    "zarr v3, big-endian, gzip": zarr_store(
        3, chunks=(40, 50, 9), serializer=zarr.codecs.BytesCodec(endian="big"), compressors=zarr.codecs.GzipCodec()
    ),
    "zarr v3, dots": zarr_store(3, chunks=(9, 50, 70), chunk_key_encoding={"name": "default", "separator": "."}),
    "zarr v3, sharded": zarr_store(3, chunks=(8, 10, 7), shards=(16, 50, 35)),
    "zarr v3, transposed": zarr_store(3, chunks=(20, 20, 20), filters=zarr.codecs.TransposeCodec(order=(2, 0, 1))),
    "npy": npy("<", "C"),
    "npy, big-endian": npy(">", "C"),
    "npy, Fortran": npy("<", "F"),
}  # fmt: skip


def _compact(path: Path) -> None:
    """Compact storage holds 64 KiB: a corner of the array, the rest being the point of the other ways."""
    with h5py.File(path, "w") as file:
        file.create_dataset("x", data=VALUES)
        plist = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        plist.set_layout(h5py.h5d.COMPACT)
        space = h5py.h5s.create_simple((10, 10, 10))
        h5py.h5d.create(file.id, b"corner", h5py.h5t.IEEE_F64LE, space, plist).write(
            space, space, VALUES[:10, :10, :10].copy()
        )


def _version(path: Path, bounds: tuple[str, str]) -> None:
    with h5py.File(path, "w", libver=bounds) as file:
        file.create_dataset("x", data=VALUES, chunks=(13, 50, 70), compression="gzip")


def _user_block(path: Path) -> None:
    with h5py.File(path, "w", userblock_size=2048) as file:
        file.create_dataset("x", data=VALUES)


@pytest.fixture(scope="module")
def expected() -> bytes:
    octets = VALUES.astype("<f8").tobytes()
    return reference.field_root("f8", SHAPE, reference.elements(octets, 8))


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("threads", [1, 4])
def test_one_signature(way: str, threads: int, tmp_path: Path, expected: bytes) -> None:
    place = tmp_path / "no matter what name.csv"
    WAYS[way](place)
    with open_data(str(place)) as data:
        roots = {field.path: sign_field(field, threads=threads).root for field in data.fields}
    assert roots[b"" if way.startswith("npy") else b"x"] == expected


def test_compact_storage(tmp_path: Path) -> None:
    _compact(tmp_path / "x")
    with open_data(str(tmp_path / "x")) as data:
        corner = next(field for field in data.fields if field.path == b"corner")
        octets = VALUES[:10, :10, :10].tobytes()
        assert sign_field(corner).root == reference.field_root("f8", (10, 10, 10), reference.elements(octets, 8))


def test_one_changed_bit_changes_the_signature(tmp_path: Path, expected: bytes) -> None:
    changed = VALUES.copy()
    changed.view("u8")[39, 49, 69] ^= 1
    np.save(tmp_path / "x.npy", changed)
    with open_data(str(tmp_path / "x.npy")) as data:
        assert sign_field(data.fields[0]).root != expected


@settings(deadline=None, max_examples=40)
@given(
    st.lists(st.integers(0, 9), min_size=1, max_size=3),
    st.sampled_from(["u1", "<i2", ">f4", "<c16", "S3", "?", "V3"]),
    st.integers(1, 3),
    st.data(),
)
def test_any_array_in_any_store(
    tmp_path_factory: pytest.TempPathFactory, shape: list[int], dtype: str, threads: int, data: st.DataObject
) -> None:
    values = np.arange(np.prod(shape, dtype=int)).astype("u1").repeat(np.dtype(dtype).itemsize)
    values = (values % 2 if dtype == "?" else values).view(dtype).reshape(shape)
    chunks = tuple(data.draw(st.integers(1, max(1, extent))) for extent in shape)
    top = tmp_path_factory.mktemp("any")
    with h5py.File(top / "h5", "w") as file:
        stored = chunks if values.size and data.draw(st.booleans()) else None
        file.create_dataset("x", data=values, chunks=stored, compression="gzip" if stored else None)
    np.save(top / "npy", values)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        for version in (2, 3):
            kept = values.astype(values.dtype.newbyteorder("<"))
            zarr.create_array(top / f"z{version}", data=kept, chunks=chunks, zarr_format=version)
    roots = set()
    for name in ("h5", "npy.npy", "z2", "z3"):
        with open_data(str(top / name)) as found:
            roots.add(sign_field(found.fields[0], threads=threads).root)
    assert roots == {reference.field_root(*_reference(values))}


def _reference(values: Any) -> tuple[str, tuple[int, ...], list[bytes]]:
    """Type, shape and elements of an array, as the reference takes them."""
    flat = values.reshape(-1)
    if values.dtype.kind == "S":
        return "str", values.shape, flat.tolist()
    kind = "bool" if values.dtype.kind == "b" else values.dtype.newbyteorder("=").str[1:]
    octets = flat.astype(values.dtype.newbyteorder("<")).tobytes()
    return kind, values.shape, reference.elements(octets, values.dtype.itemsize)
