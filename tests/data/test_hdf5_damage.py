"""Damaged HDF5 files: each is signed or refused with a reason, in bounded time and memory."""

from __future__ import annotations

import resource
import subprocess
import sys
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest

from data.test_hdf5_chunks import FILTERS, chunks_of_any_size  # noqa: F401
from hpcprov.data.open import open_data
from hpcprov.record.errors import UnreadableData

TESTS = Path(__file__).parent.parent
MEMORY = 4 << 30
COPIES = 60
VALUES = (np.arange(40 * 60) % 251).astype("<f8").reshape(40, 60)


def make(path: Path, options: dict[str, Any], libver: str) -> None:
    with h5py.File(path, "w", libver=libver) as file:
        file.create_dataset("g/x", data=VALUES, chunks=(20, 30), maxshape=(None, 60), **options)
        file["whole"] = VALUES[:5]


def limited() -> None:
    resource.setrlimit(resource.RLIMIT_AS, (MEMORY, MEMORY))


def said(path: Path, count: int) -> list[str]:
    """What each of `count` damaged copies came to; a crash of the library ends its process and the next goes on."""
    found: list[str] = []
    while len(found) < count:
        done = subprocess.run(
            [sys.executable, "-m", "data.hdf5_damage", str(path), str(len(found)), str(count - len(found))],
            cwd=TESTS,
            capture_output=True,
            text=True,
            timeout=120,
            preexec_fn=limited,
            env={"PYTHONPATH": f"{TESTS.parent}:{TESTS}", "PATH": "", "OPENBLAS_NUM_THREADS": "1"},
        )
        assert "Traceback" not in done.stderr, done.stderr
        # HDF5's plugin for LZ4 writes complaints of its own to standard output.
        found += [line for line in done.stdout.splitlines() if line.split(" ")[0].isdigit()]
        if len(found) < count:
            assert done.returncode < 0, done.stderr
            found.append(f"{len(found)} ended by signal {-done.returncode}")
    return found


@pytest.mark.slow
@pytest.mark.parametrize("libver", ["earliest", "latest"])
@pytest.mark.parametrize("name", FILTERS)
def test_damaged_files(name: str, libver: str, tmp_path: Path) -> None:
    make(tmp_path / "file", FILTERS[name], libver)
    found = said(tmp_path / "file", COPIES)
    assert [int(line.split()[0]) for line in found] == list(range(COPIES))
    assert sum("ended by signal" in line for line in found) < COPIES // 10
    assert any("UnreadableData: " in line for line in found)


@pytest.mark.parametrize("name", ["none", "gzip, shuffle, checksum", "bitshuffle lz4", "blosc"])
def test_some_damaged_files(name: str, tmp_path: Path) -> None:
    make(tmp_path / "file", FILTERS[name], "latest")
    assert any("UnreadableData: " in line for line in said(tmp_path / "file", 12))


@pytest.mark.parametrize("name", FILTERS)
@pytest.mark.parametrize("damage", ["flipped", "cut", "zeros", "ones"])
def test_damaged_chunks(name: str, damage: str, tmp_path: Path) -> None:
    """The values differ or the chunk is refused, and nothing else comes out."""
    rng = np.random.default_rng(0)
    make(tmp_path / "x", FILTERS[name], "earliest")
    with h5py.File(tmp_path / "x", "r+") as file:
        made = file["g/x"].id
        skipped, stored = made.read_direct_chunk((20, 30))
        copy = np.frombuffer(stored, np.uint8).copy()
        if damage == "flipped":
            copy[rng.integers(0, len(copy), 5)] ^= 0x55
        elif damage == "cut":
            copy = copy[: len(copy) // 2]
        else:
            copy[4:] = 0 if damage == "zeros" else 255
        made.write_direct_chunk((20, 30), copy.tobytes(), skipped)
    with open_data(str(tmp_path / "x")) as data:
        field = data.fields[0]
        assert field.chunk is not None
        assert np.array_equal(field.chunk((0, 1)), VALUES[:20, 30:])
        try:
            found = field.chunk((1, 1))
        except UnreadableData as error:
            assert str(error).startswith("g/x: the chunk [1, 1] ")
        else:
            assert found is not None and found.shape == (20, 30)


@pytest.mark.parametrize("content", [b"", b"\x89HDF\r\n\x1a\n", b"\x89HDF\r\n\x1a\n" + b"\xff" * 2000])
def test_what_only_begins_like_hdf5(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "x").write_bytes(content)
    if not content:
        assert open_data(str(tmp_path / "x")).format == "file"
        return
    with pytest.raises(UnreadableData, match=r"cannot be (read|decoded)"):
        open_data(str(tmp_path / "x"))


def test_far_more_declared_than_stored(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "x", "w") as file:
        file.create_dataset("x", (2**60, 2**60), "u1", chunks=(2**15, 2**15), compression="gzip")
        made = file.create_dataset("y", (2**40,), "u1", chunks=(2**20,), compression="gzip")
        made[2**39] = 1
    with open_data(str(tmp_path / "x")) as data:
        huge, sparse = data.fields
        assert huge.chunk is None or huge.chunk((2**44, 5)) is None
        assert list(sparse.stored() or ()) == [((2**39, 2**39 + 2**20),)]
        assert sparse.read(((2**39 - 1, 2**39 + 2),)).tolist() == [0, 1, 0]
