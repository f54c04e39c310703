"""One array stored in many ways has one signature: that of the slow reference."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import warnings
from collections.abc import Callable
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr
from hypothesis import given, settings
from hypothesis import strategies as st
from require import require

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


WITH_PLUGIN = """
import json, sys, h5py, hdf5plugin, numpy
path, values, name, options = sys.argv[1:]
with h5py.File(path, "w") as file:
    how = getattr(hdf5plugin, name)(**json.loads(options))
    file.create_dataset("x", data=numpy.load(values), chunks=(13, 20, 70), **how)
"""


def plugin(name: str, **options: Any) -> Store:
    """A filter of hdf5plugin, by its class. Written by a process of its own: the netCDF library brings another libhdf5,
    and once both are loaded a plugin may find the wrong one."""

    def store(path: Path) -> None:
        require("hdf5plugin", find_spec("hdf5plugin"))
        np.save(path.parent / "values.npy", VALUES)
        # That library also says by the environment where plugins lie: its own.
        plain = {key: value for key, value in os.environ.items() if key != "HDF5_PLUGIN_PATH"}
        words = [str(path), str(path.parent / "values.npy"), name, json.dumps(options)]
        subprocess.run([sys.executable, "-c", WITH_PLUGIN, *words], check=True, env=plain)

    return store


def pipeline(*calls: tuple[str, tuple[Any, ...]], dtype: str = "<f8") -> Store:
    """A chunked dataset whose filters are set one by one, as h5py has no keyword for them."""

    def store(path: Path) -> None:
        with h5py.File(path, "w") as file:
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_chunk((16, 16, 16))
            for name, words in calls:
                getattr(creation, name)(*words)
            kind = h5py.h5t.py_create(np.dtype(dtype))
            made = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple(SHAPE), creation)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, VALUES.copy())

    return store


def szip(path: Path) -> None:
    require("szip", h5py.h5z.filter_avail(h5py.h5z.FILTER_SZIP))
    pipeline(("set_szip", (h5py.h5z.SZIP_NN_OPTION_MASK, 16)))(path)


def netcdf(form: str, **options: Any) -> Store:
    """Written by the netCDF library itself."""

    def store(path: Path) -> None:
        require("netCDF4", find_spec("netCDF4"))
        import netCDF4

        with netCDF4.Dataset(path, "w", format=form) as file:
            for name, extent in zip("tyz", SHAPE, strict=True):
                file.createDimension(name, None if options.get("grows") and name == "t" else extent)
            how = {key: value for key, value in options.items() if key != "grows"}
            kind = ">f8" if options.get("endian") == "big" else "f8"
            file.createVariable("x", kind, ("t", "y", "z"), fill_value=False, **how)[...] = VALUES

    return store


def netcdf3_by_scipy(path: Path) -> None:
    require("scipy", find_spec("scipy"))
    from scipy.io import netcdf_file

    with netcdf_file(path, "w", version=2) as file:
        for name, extent in zip("tyz", SHAPE, strict=True):
            file.createDimension(name, extent)
        file.createVariable("x", "f8", ("t", "y", "z"))[:] = VALUES


def zarr_store(version: int, *, zipped: bool = False, **options: Any) -> Store:
    def store(path: Path) -> None:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            place = zarr.storage.ZipStore(path, mode="w") if zipped else zarr.storage.LocalStore(path)
            group = zarr.open_group(place, mode="w", zarr_format=version)
            dtype = options.get("dtype", "<f8")
            group.create_array("x", shape=SHAPE, **{**options, "dtype": dtype})[...] = VALUES
            place.close()

    return store


def npz(save: Callable[..., None], order: str = "<") -> Store:
    def store(path: Path) -> None:
        with open(path, "wb") as file:
            save(file, x=VALUES.astype(f"{order}f8"))

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
    "Blosc": plugin("Blosc", cname="lz4", shuffle=1),
    "Blosc, bits": plugin("Blosc", cname="zlib", shuffle=2),
    "Blosc2": plugin("Blosc2", cname="zstd"),
    "Zstd": plugin("Zstd"),
    "LZ4": plugin("LZ4"),
    "bitshuffle": plugin("Bitshuffle", cname="none"),
    "bitshuffle, LZ4": plugin("Bitshuffle"),
    "bitshuffle, Zstd": plugin("Bitshuffle", cname="zstd"),
    "szip": szip,
    "all together": hdf5((9, 9, 9), ">", shuffle=True, compression="gzip", compression_opts=9, fletcher32=True),
    "NetCDF-4": netcdf("NETCDF4", zlib=True, chunksizes=(10, 50, 35)),
    "NetCDF-4, big-endian, growing": netcdf("NETCDF4", endian="big", grows=True),
    "NetCDF-4, classic model": netcdf("NETCDF4_CLASSIC", zlib=True, shuffle=False),
    "NetCDF-3": netcdf3_by_scipy,
    "NetCDF-3, records": netcdf("NETCDF3_CLASSIC", grows=True),
    "NetCDF-3, large offsets": netcdf("NETCDF3_64BIT_OFFSET"),
    "NetCDF-3, CDF-5": netcdf("NETCDF3_64BIT_DATA", grows=True),
    "zarr v2": zarr_store(2, chunks=(16, 16, 16)),
    "zarr v2, big-endian": zarr_store(2, chunks=(40, 7, 70), dtype=">f8"),
    "zarr v2, nested keys": zarr_store(2, chunks=(40, 7, 70), chunk_key_encoding={"name": "v2", "separator": "/"}),
    "zarr v2, no compressor": zarr_store(2, chunks=(10, 10, 10), compressors=None),
    "zarr v2, ZIP": zarr_store(2, zipped=True, chunks=(16, 25, 70)),
    "zarr v3, ZIP": zarr_store(3, zipped=True, chunks=(16, 25, 70)),
    "zarr v3, ZIP, sharded": zarr_store(3, zipped=True, chunks=(8, 10, 7), shards=(16, 50, 35)),
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
    "npz": npz(np.savez),
    "npz, deflated": npz(np.savez_compressed, ">"),
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


def parquet(table: Any, path: Path) -> None:
    from pyarrow import parquet as form

    form.write_table(table, path, row_group_size=1000)


def parquet_plain(table: Any, path: Path) -> None:
    from pyarrow import parquet as form

    form.write_table(table, path, compression="zstd", use_dictionary=False, data_page_version="2.0")


def feather(table: Any, path: Path) -> None:
    from pyarrow import feather as form

    form.write_feather(table, str(path), compression="lz4", chunksize=700)


def arrow(table: Any, path: Path) -> None:
    import pyarrow

    with pyarrow.OSFile(str(path), "wb") as sink, pyarrow.ipc.new_file(sink, table.schema) as file:
        file.write_table(table)


def csv(table: Any, path: Path) -> None:
    from pyarrow import csv as form

    form.write_csv(table, path)


@pytest.mark.parametrize("write", [parquet, parquet_plain, feather, arrow, csv])
def test_a_column_is_the_array(write: Callable[[Any, Path], None], tmp_path: Path) -> None:
    require("pyarrow", find_spec("pyarrow"))
    import pyarrow

    count = 3000
    arrays = {
        "f8": VALUES.reshape(-1)[1000 : 1000 + count].copy(),
        "i8": np.arange(count) ** 3 - 10**9,
        "bool": np.arange(count) % 3 == 0,
        "M8[1ms]": (np.arange(count) * 1001).astype("M8[ms]"),
    }
    write(pyarrow.table(arrays), tmp_path / "x")
    with open_data(str(tmp_path / "x")) as data:
        columns = {field.name: sign_field(field, threads=2).root for field in data.fields}
        assert {field.name: field.type.text for field in data.fields} == {name: name for name in arrays}
    for name, values in arrays.items():
        np.save(tmp_path / f"{name}.npy", values)
        with open_data(str(tmp_path / f"{name}.npy")) as data:
            assert sign_field(data.fields[0]).root == columns[name], name
        assert columns[name] == reference.field_root(name, (count,), reference.elements(values, values.itemsize))


@pytest.mark.parametrize("filters", ["scale-offset", "n-bit"])
def test_filters_for_integers(filters: str, tmp_path: Path) -> None:
    """They store fewer bits, and no fewer values."""
    values = (np.arange(np.prod(SHAPE)) % 1000).astype("<i4").reshape(SHAPE)
    with h5py.File(tmp_path / "x", "w") as file:
        if filters == "scale-offset":
            file.create_dataset("x", data=values, chunks=(16, 16, 16), scaleoffset=0)
        else:
            kind = h5py.h5t.STD_I32LE.copy()
            kind.set_precision(20)
            creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
            creation.set_chunk((20, 25, 35))
            creation.set_filter(h5py.h5z.FILTER_NBIT, h5py.h5z.FLAG_OPTIONAL)
            made = h5py.h5d.create(file.id, b"x", kind, h5py.h5s.create_simple(SHAPE), creation)
            made.write(h5py.h5s.ALL, h5py.h5s.ALL, values)
            assert made.get_storage_size() < values.nbytes
    with open_data(str(tmp_path / "x")) as data:
        found = sign_field(data.fields[0], threads=2)
    kind_text = "i4" if filters == "scale-offset" else found.type.text
    octets = values.astype(f"<{kind_text}")
    assert found.root == reference.field_root(kind_text, SHAPE, reference.elements(octets, octets.itemsize))


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
