"""Memory while a field is signed stays within its budget, whatever the file declares: measured in a child process."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import h5py
import numpy as np
import pytest

MIB = 1 << 20
#: For all units together, the interpreter and its libraries.
BUDGET = 300 * MIB

PEAK = """
import re, sys
from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.signature.threads import sign_field
mapping.allow(sys.argv[3] == "mapped")
with open_data(sys.argv[1]) as data:
    roots = [sign_field(field, threads=int(sys.argv[2])).root.hex() for field in data.fields]
# Not getrusage, which counts what the parent had when it forked.
print(int(re.search("VmHWM:\\s+(\\d+) kB", open("/proc/self/status").read())[1]) * 1024, *roots)
"""


def peak(path: Path, threads: int, way: str = "read") -> tuple[int, list[str]]:
    command = [sys.executable, "-c", PEAK, str(path), str(threads), way]
    found = subprocess.run(command, capture_output=True, text=True, timeout=240)
    assert found.returncode == 0, found.stderr
    number, *roots = found.stdout.split()
    return int(number), roots


def sparse_npy(path: Path, shape: tuple[int, ...], dtype: str) -> None:
    """An array of zeros that takes no room on the disk."""
    np.lib.format.open_memmap(path, "w+", dtype, shape)


@pytest.mark.slow
@pytest.mark.parametrize("way", ["read", "mapped"])
@pytest.mark.parametrize(
    ("shape", "dtype"), [((1 << 30,), "<f4"), ((8, 1 << 26), "<f8"), ((1 << 26, 8), ">f8"), ((1024, 1024, 1024), "<f4")]
)
def test_a_contiguous_array_of_4_gib(shape: tuple[int, ...], dtype: str, way: str, tmp_path: Path) -> None:
    sparse_npy(tmp_path / "x.npy", shape, dtype)
    used, _ = peak(tmp_path / "x.npy", 2, way)
    assert used <= BUDGET


@pytest.mark.parametrize("way", ["read", "mapped"])
def test_64_threads(way: str, tmp_path: Path) -> None:
    sparse_npy(tmp_path / "x.npy", (1 << 10, 1 << 17), "<f8")
    used, _ = peak(tmp_path / "x.npy", 64, way)
    assert used <= BUDGET


@pytest.mark.parametrize("threads", [2, 64])
@pytest.mark.parametrize("chunks", [(1, 1 << 17), (1 << 10, 1), (37, 5000), (1, 1024)])
def test_chunks_of_any_shape(chunks: tuple[int, int], threads: int, tmp_path: Path) -> None:
    shape = (1 << 10, 1 << 17) if chunks != (1 << 10, 1) else (1 << 10, 1 << 10)  # columns are slow to write
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", shape, "<f4", chunks=chunks, compression="gzip", compression_opts=1)
        data[:64, : 1 << 12] = 1
    used, _ = peak(tmp_path / "x.h5", threads)
    assert used <= BUDGET


@pytest.mark.slow
def test_one_uncompressed_chunk_of_almost_4_gib(tmp_path: Path) -> None:
    """The largest that HDF5 allows: read box by box."""
    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.create_dataset("x", ((1 << 30) - 1,), "<f4", chunks=((1 << 30) - 1,))[0] = 1
    used, roots = peak(tmp_path / "x.h5", 2)
    assert used <= BUDGET
    sparse_npy(tmp_path / "x.npy", ((1 << 30) - 1,), "<f4")
    np.lib.format.open_memmap(tmp_path / "x.npy", "r+")[0] = 1
    assert roots == peak(tmp_path / "x.npy", 2)[1]


@pytest.mark.slow
def test_compressed_chunks_larger_than_a_unit(tmp_path: Path) -> None:
    """Each thread holds at most two: what is stored of it, decoded, comes to one more while filters run."""
    size = 400 * MIB
    with h5py.File(tmp_path / "x.h5", "w") as file:
        data = file.create_dataset("x", (3 * size // 4,), "<f4", chunks=(size // 4,), compression="gzip", shuffle=True)
        data[::100_000] = 1
    used, _ = peak(tmp_path / "x.h5", 2)
    assert used <= BUDGET + 2 * 2 * size
