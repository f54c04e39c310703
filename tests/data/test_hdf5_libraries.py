"""HDF5 files of other libraries, and what is read when a library of filters is not installed."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import hdf5plugin
import numpy as np
import pytest
from require import require

from hpcprov.data.filters import fletcher32, pipeline
from hpcprov.data.open import open_data
from hpcprov.signature.threads import sign_field

VALUES = np.arange(40_000, dtype="<f8").reshape(200, 200)


def roots(path: Path) -> dict[str, bytes]:
    with open_data(str(path)) as data:
        return {field.name: sign_field(field, threads=2).root for field in data.fields}


@pytest.fixture
def netcdf() -> Any:
    try:
        import netCDF4
    except ImportError:
        netCDF4 = None
    require("netCDF4", netCDF4)
    return netCDF4


def test_netcdf4_by_its_own_library(netcdf: Any, tmp_path: Path) -> None:
    with netcdf.Dataset(tmp_path / "x.nc", "w") as file:
        file.createDimension("time", None)
        file.createDimension("lat", 200)
        file.createDimension("bare", 7)
        file.createDimension("name", 5)
        file.createVariable("lat", "f8", ("lat",))[:] = np.arange(200.0)
        group = file.createGroup("g")
        group.createDimension("lat", 3)
        group.createVariable("lat", "i4", ("name",))[:] = np.arange(5)
        kept = file.createVariable(
            "kept", "f4", ("time", "lat"), zlib=True, shuffle=True, fletcher32=True, fill_value=-9
        )
        kept[2:4] = np.ones((2, 200))
        file.createVariable("big", ">i2", ("lat",), endian="big")[:] = np.arange(200)
        file.createVariable("text", "S1", ("lat", "name"))[:] = "a"
        words = file.createVariable("words", str, ("name",))
        words[0] = "hé"
        ragged = file.createVLType(np.int32, "ragged")
        file.createVariable("lists", ragged, ("name",))[1] = np.array([1, 2], "i4")
        pair = file.createCompoundType(np.dtype([("a", "i2"), ("b", "f8")]), "pair")
        file.createVariable("pairs", pair, ("name",))[:] = np.zeros(5, [("a", "i2"), ("b", "f8")])
        kinds = file.createEnumType(np.uint8, "kinds", {"low": 0, "high": 1})
        file.createVariable("kind", kinds, ("name",))[:] = 1
    with h5py.File(tmp_path / "plain", "w") as file:
        file["lat"], file["g/lat"] = np.arange(200.0), np.arange(5, dtype="i4")
        file["kept"] = np.concatenate([np.full((2, 200), -9, "f4"), np.ones((2, 200), "f4")])
        file["big"] = np.arange(200, dtype="i2")
        file["kind"] = np.ones(5, "u1")
        file["pairs"] = np.zeros(5, [("a", "i2"), ("b", "f8")])
    found, expected = roots(tmp_path / "x.nc"), roots(tmp_path / "plain")
    assert set(found) == {*expected, "text", "words", "lists"}
    assert {name: found[name] for name in expected} == expected
    with open_data(str(tmp_path / "x.nc")) as data:
        kinds_found = {field.name: field.type.text for field in data.fields}
    assert kinds_found["words"] == "str" and kinds_found["lists"] == "list(i4)" and kinds_found["text"] == "str"


@pytest.mark.parametrize(
    ("codec", "support"),
    [("zlib", None), ("bzip2", "bzip2"), ("zstd", "zstandard"), ("blosc_zstd", "blosc"), ("szip", "szip")],
)
def test_netcdf4_codecs(codec: str, support: str | None, netcdf: Any, tmp_path: Path) -> None:
    require(f"netCDF4-{codec}", support is None or getattr(netcdf, f"__has_{support}_support__"))
    with netcdf.Dataset(tmp_path / "x.nc", "w") as file:
        for name in ("y", "x"):
            file.createDimension(name, 200)
        file.createVariable("plain", "f8", ("y", "x"))[:] = VALUES
        file.createVariable("packed", "f8", ("y", "x"), chunksizes=(60, 200), compression=codec)[:] = VALUES
    found = roots(tmp_path / "x.nc")
    assert found["packed"] == found["plain"]


def child(code: str, path: Path, *missing: str) -> str:
    """What a process prints in which some modules cannot be imported."""
    hidden = "".join(f"sys.modules[{name!r}] = None\n" for name in missing)
    done = subprocess.run(
        [sys.executable, "-c", f"import sys\n{hidden}path = {str(path)!r}\n{code}"],
        capture_output=True,
        text=True,
        timeout=60,
        env={name: value for name, value in os.environ.items() if name != "HDF5_PLUGIN_PATH"},  # hdf5plugin sets it
    )
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


SIGN = """
from hpcprov.data.open import open_data
from hpcprov.signature.threads import sign_field
with open_data(path) as data:
    for field in data.fields:
        print(field.name, field.chunk is not None, sign_field(field).root.hex())
"""


def test_without_a_library_of_filters(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("a small chunk", data=VALUES, chunks=(2, 200), **hdf5plugin.Blosc())
        file.create_dataset("blosc", data=VALUES, chunks=(100, 200), **hdf5plugin.Blosc())
        file.create_dataset("gzip", data=VALUES, chunks=(100, 200), compression="gzip", shuffle=True)
        file.create_dataset("lzf", data=VALUES, chunks=(100, 200), compression="lzf", fletcher32=True)
    root = roots(tmp_path / "x")["gzip"].hex()
    by_itself = child(SIGN, tmp_path / "x", "hdf5plugin")
    assert by_itself.split("\n") == [f"{name} True {root}" for name in ("a small chunk", "blosc", "gzip", "lzf")]
    by_plugin = child(SIGN, tmp_path / "x", "imagecodecs")
    beside = {"a small chunk": False, "blosc": False, "gzip": True, "lzf": False}
    assert by_plugin.split("\n") == [f"{name} {is_beside} {root}" for name, is_beside in beside.items()]
    by_zlib = child(SIGN, tmp_path / "x", "imagecodecs", "isal")
    assert by_zlib == by_plugin


def test_without_any_library_the_filter_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("g/x", data=VALUES, chunks=(100, 200), **hdf5plugin.Blosc())
    code = """
from hpcprov.data.open import open_data
from hpcprov.record.errors import UnreadableData
try:
    open_data(path)
except UnreadableData as error:
    print(error)
"""
    said = child(code, tmp_path / "x", "imagecodecs", "hdf5plugin")
    assert said == "g/x: needs the HDF5 filter 32001 (blosc), which is not installed"


@pytest.mark.parametrize("size", [0, 1, 2, 3, 7, 2046, 2048, 2049, 5001, 1 << 21, (1 << 21) + 3])
@pytest.mark.parametrize("byte", [0, 255, None])
def test_the_checksum_is_hdf5s(size: int, byte: int | None) -> None:
    rng = np.random.default_rng(size)
    octets = rng.integers(0, 256, size, np.uint8) if byte is None else np.full(size, byte, np.uint8)
    first = second = 0
    padded = octets.tobytes() + b"\0" * (size % 2)
    words = np.frombuffer(padded, ">u2").tolist()
    for word in words if size < 6000 else []:
        first = (first + word - 1) % 65535 + 1 if first + word else 0
        second = (second + first - 1) % 65535 + 1 if second + first else 0
    if size < 6000:
        assert fletcher32(octets) == second << 16 | first
    with h5py.File("checksum", "w", driver="core", backing_store=False) as file:
        made = file.create_dataset("x", data=octets, chunks=(max(1, size),), maxshape=(None,), fletcher32=True)
        if size:
            _, stored = made.id.read_direct_chunk((0,))
            assert fletcher32(octets).to_bytes(4, "little") == stored[-4:]


def test_pipelines_that_are_left_to_the_library() -> None:
    deflate, shuffle, zstd, szip = (1, (4,)), (2, (4,)), (32015, (3,)), (4, ())
    assert pipeline([shuffle, deflate], 100) is not None
    assert pipeline([], 100) is not None
    for filters in ([szip], [shuffle, (5, ())], [(6, ())], [(32026, ())], [(2, ())], [(2, (0,))], [zstd, deflate]):
        assert pipeline(filters, 100) is None
