"""Bad input of every format, from the file to what is said of it: cut short, empty, another thing than its name says,
changing or vanishing while it is read, not allowed to be read, in need of a filter that nobody has."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.signature.artifact import CHANGED, describe
from hpcprov.signature.watch import Watch

from .conformance import CHUNKS, SHAPES, Format, values_of
from .test_fuzz import formats

#: Names that promise the format, where there are such.
SUFFIXES = {"Hdf5": ".h5", "Netcdf": ".nc", "Npy": ".npy", "Npz": ".npz", "Parquet": ".parquet", "Arrow": ".arrow",
            "Feather": ".feather", "Zarr": ".zarr"}  # fmt: skip
FORMATS = formats()
FILES = [name for name in FORMATS if not name.startswith("Zarr") or name.endswith("Zip")]
MAGIC = [name for name in FILES if name != "Csv"]
STORES = [name for name in FORMATS if name not in FILES]


def suffix_of(name: str) -> str:
    return next((suffix for start, suffix in SUFFIXES.items() if name.startswith(start)), "")


def made(name: str, folder: Path) -> Path:
    """A sound file or store of the format, under a name that promises it."""
    form: Format = FORMATS[name]
    rank = min(2, form.ranks[-1])
    path = folder / f"sound{suffix_of(name)}"
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        form.write(path, {"x": (form.values or values_of)(form.types[0], SHAPES[rank - 1])}, CHUNKS[rank])
    assert describe(str(path))["signature"] is not None
    return path


def refused(path: Path) -> str:
    """Why the artifact could not be read; its bytes have a digest all the same."""
    found = describe(str(path), threads=2)
    assert (found["state"], found["signature"]) == ("unreadable", None), found
    assert found["storage"] is not None
    assert found["reason"] and "\n" not in found["reason"]
    return str(found["reason"])


@pytest.mark.parametrize("name", MAGIC)
@pytest.mark.parametrize("part", [0.3, 0.7, 0.95])
def test_cut_short(name: str, part: float, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    os.truncate(path, int(path.stat().st_size * part))
    refused(path)


@pytest.mark.parametrize("name", [name for name in MAGIC if suffix_of(name)])
def test_empty(name: str, tmp_path: Path) -> None:
    path = tmp_path / f"x{suffix_of(name)}"
    path.write_bytes(b"")
    assert "it is empty" in refused(path) or "empty directory" in refused(path)


@pytest.mark.parametrize("name", [name for name in MAGIC if suffix_of(name)])
def test_wrong_magic(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    content = path.read_bytes()
    # A ZIP file is known by its end, too.
    path.write_bytes(b"\0" * 8 + content[8:-30] + b"\0" * 30)
    assert suffix_of(name) in refused(path)


@pytest.mark.parametrize("name", STORES)
def test_a_chunk_cut_short(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    chunks = [one for one in sorted(path.rglob("*")) if one.is_file() and one.name[0] not in ".z"]
    os.truncate(chunks[0], chunks[0].stat().st_size - 3)
    assert "x" in refused(path)


@pytest.mark.parametrize("name", STORES)
@pytest.mark.parametrize("content", [b"", b"{", b"[" * 100_000, b"null", b'{"zarr_format": 1e400}', b"\xff\xfe{}"])
def test_metadata_that_is_not_json(name: str, content: bytes, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    (path / "x" / (".zarray" if (path / ".zgroup").exists() else "zarr.json")).write_bytes(content)
    refused(path)


def test_a_filter_that_nobody_has_is_named(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x.h5", "w") as file:
        creation = h5py.h5p.create(h5py.h5p.DATASET_CREATE)
        creation.set_chunk((4,))
        creation.set_filter(32099, h5py.h5z.FLAG_OPTIONAL, ())
        space = h5py.h5s.create_simple((4,))
        made = h5py.h5d.create(file.id, b"x", h5py.h5t.STD_I32LE, space, creation)
        made.write_direct_chunk((0,), bytes(16))
    assert "x: needs the HDF5 filter 32099" in refused(tmp_path / "x.h5")


@pytest.mark.parametrize("version", [2, 3])
def test_a_codec_that_nobody_has_is_named(version: Any, tmp_path: Path) -> None:
    zarr.open_group(tmp_path / "z", mode="w", zarr_format=version).create_array("x", data=np.arange(40.0), chunks=(10,))
    place = tmp_path / "z" / "x" / (".zarray" if version == 2 else "zarr.json")
    metadata = json.loads(place.read_text())
    metadata |= {"compressor": {"id": "pied-piper"}} if version == 2 else {}
    if version == 3:
        metadata["codecs"].append({"name": "pied-piper", "configuration": {}})
    place.write_text(json.dumps(metadata))
    assert "pied-piper" in refused(tmp_path / "z")


class Meddler(Watch):
    """Does something to the artifact once, when reading has begun."""

    def __init__(self, work: Callable[[], object]) -> None:
        super().__init__()
        self.work, self.done_it = work, False

    def add(self, octets: int) -> None:
        super().add(octets)
        if not self.done_it:
            self.done_it = True
            self.work()


def append(path: Path) -> None:
    """A byte more, or a file more in a store."""
    with open(path / "x" / "new" if path.is_dir() else path, "ab") as file:
        file.write(b"\0")


@pytest.mark.parametrize("name", [*FILES, *STORES])
def test_written_while_it_is_read(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    watch = Meddler(lambda: append(path))
    found = describe(str(path), threads=2, watch=watch)
    assert watch.done_it
    assert (found["state"], found["reason"], found["signature"]) == ("unreadable", CHANGED, None)
    assert found["storage"] is None


def test_rewritten_in_place_while_it_is_read(tmp_path: Path) -> None:
    """The size stays, and the bytes are others: two states of the file may not be taken for one."""
    np.save(tmp_path / "x.npy", np.zeros(4 << 20, "u1"))

    def rewrite() -> None:
        with open(tmp_path / "x.npy", "r+b") as file:
            file.seek(-10, os.SEEK_END)
            file.write(b"different!")

    watch = Meddler(rewrite)
    found = describe(str(tmp_path / "x.npy"), watch=watch)
    assert watch.done_it
    assert (found["state"], found["reason"]) == ("unreadable", CHANGED)


@pytest.mark.parametrize("store", [False, True])
def test_a_directory_that_vanishes(store: bool, tmp_path: Path) -> None:
    top = tmp_path / "top"
    if store:
        zarr.open_group(top, mode="w").create_array("x", data=np.arange(3000.0), chunks=(1,), compressors=None)
    else:
        for number in range(3000):
            (top / str(number // 100)).mkdir(parents=True, exist_ok=True)
            (top / str(number // 100) / str(number)).write_bytes(b"x" * 2000)

    watch = Meddler(lambda: top.rename(tmp_path / "gone"))
    found = describe(str(top), threads=2, watch=watch)
    assert watch.done_it
    shutil.rmtree(tmp_path / "gone")
    assert found["state"] in ("unreadable", "missing") and found["reason"]
    assert found["signature"] is None


@pytest.mark.parametrize("name", ["Hdf5Chunked", "Npy", "Netcdf3", "Parquet", "Csv", "Zarr3", "Zarr2"])
def test_permission_denied(name: str, tmp_path: Path) -> None:
    path = made(name, tmp_path)
    inner = path / "x" if path.is_dir() else path
    found = as_nobody(path, inner)
    assert (found["state"], found["storage"], found["signature"]) == ("unreadable", None, None)
    assert "ermission denied" in found["reason"]


def as_nobody(path: Path, locked: Path) -> dict[str, Any]:
    """What a user without rights is told of `path` when `locked` may be read by nobody."""
    os.chmod(locked, 0)
    if os.geteuid():
        try:
            return describe(str(path))
        finally:
            os.chmod(locked, 0o700)
    for above in [path, *path.parents][1:]:
        if above.stat().st_uid == os.geteuid() and above != Path("/") and "pytest" in str(above):
            os.chmod(above, 0o755)
    ours, theirs = os.pipe()
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        child = os.fork()
    if not child:
        try:
            os.setgroups([])
            os.setgid(65534)
            os.setuid(65534)
            os.write(theirs, json.dumps(describe(str(path), threads=1)).encode())
        finally:
            os._exit(0)
    os.close(theirs)
    with os.fdopen(ours, "rb") as answer:
        content = answer.read()
    os.waitpid(child, 0)
    os.chmod(locked, 0o700)
    found: dict[str, Any] = json.loads(content)
    return found


def test_the_command_goes_on_and_says_each_in_a_line(tmp_path: Path) -> None:
    """Bad files of every format between good ones: one process, one line for each, exit status 2."""
    paths = []
    for name in MAGIC:
        (tmp_path / name).mkdir()
        path = made(name, tmp_path / name)
        os.truncate(path, int(path.stat().st_size * 0.6))
        paths.append(str(path))
    (tmp_path / "good").mkdir()
    good = made("Npy", tmp_path / "good")
    done = subprocess.run([sys.executable, "-m", "hpcprov", "hash", "--json", *paths, str(good)], capture_output=True,
                          text=True, timeout=60, cwd=tmp_path)  # fmt: skip
    results = json.loads(done.stdout)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, len(paths)), done.stderr
    assert [one["state"] for one in results] == ["unreadable"] * len(paths) + ["ok"]
    assert all(one["storage"] for one in results) and "Traceback" not in done.stderr
