"""What counting costs beside signing, as ratios on the same machine.

python benchmarks/bench_statistics.py            # a minute or two, 3 GB of temporary files
python benchmarks/bench_statistics.py --quick    # smaller data, rougher ratios

Each row signs a file with and without statistics, in turn, and prints the ratio of the medians: 1.3 means that counting
took 30 % more. Beside wall time stands the time on processors, which other work on the machine changes less.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from typing import Any, NamedTuple

import numpy as np
from bench_signature import CHUNKS, MIB, NotInstalled, library

from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.quality.statistics import Counter
from hpcprov.signature.threads import sign_field

SHAPES: dict[int, Callable[[int], tuple[int, ...]]] = {
    1: lambda count: (count,),
    2: lambda count: (count // 8192, 8192),
    3: lambda count: (count // (512 * 256), 512, 256),
}


class Row(NamedTuple):
    """What is signed, and how many times as long it may take when its values are counted, where that was promised."""

    what: str
    path: str
    budget: float | None = None


def main() -> int:
    parser = argparse.ArgumentParser(description="What statistics cost beside signatures.")
    parser.add_argument("--quick", action="store_true", help="smaller data, fewer rounds")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    options = parser.parse_args()
    size, rounds = (64 * MIB, 3) if options.quick else (256 * MIB, 7)
    warnings.simplefilter("ignore")
    mapping.allow()
    print(f"{'signing with statistics : without, two threads':<52} {'budget':>7} {'wall':>7} {'processors':>11}")
    with tempfile.TemporaryDirectory() as folder:
        for make in (compressed_rows, other_rows):
            try:
                for row in make(folder, size, options.only):
                    show(row, rounds)
            except NotInstalled as name:
                print(f"{make.__name__}: the rest is not measured: {name} is not installed")
    return 0


def show(row: Row, rounds: int) -> None:
    wall, used = timed(row.path, rounds)
    budget = f"<={row.budget:.1f}x" if row.budget else ""
    verdict = "   above" if row.budget and wall > row.budget else ""
    print(f"{row.what:<52} {budget:>7} {wall:>6.2f}x {used:>10.2f}x{verdict}", flush=True)


def timed(path: str, rounds: int) -> tuple[float, float]:
    """Ratios of the medians of wall time and of time on processors; one round before counts for nothing."""
    times: dict[bool, list[tuple[float, float]]] = {True: [], False: []}
    for at in range(rounds + 1):
        for counts in (True, False) if at % 2 else (False, True):
            began, used = time.perf_counter(), time.process_time()
            sign(path, counts)
            times[counts].append((time.perf_counter() - began, time.process_time() - used))
    with_them, without = (
        [statistics.median(times[counts][at][which] for at in range(1, rounds + 1)) for which in (0, 1)]
        for counts in (True, False)
    )
    return with_them[0] / without[0], with_them[1] / without[1]


def sign(path: str, counts: bool) -> None:
    with open_data(path) as data:
        for field in data.fields:
            sign_field(field, threads=2, counter=Counter(field) if counts else None)


def walk(size: int, rank: int, dtype: str) -> Any:
    """A random walk with steps of two decimals: compresses to about a half, as measured fields do."""
    count = size // np.dtype(dtype).itemsize
    steps = np.random.default_rng(rank).integers(-100, 100, count, np.int32)
    return (np.cumsum(steps, dtype=np.int64) / 100).astype(dtype).reshape(SHAPES[rank](count))


def compressed_rows(folder: str, size: int, only: str) -> Iterator[Row]:
    """What was promised: floats compressed with zstd."""
    zarr, h5py, hdf5plugin = (library(name) for name in ("zarr", "h5py", "hdf5plugin"))
    path = os.path.join(folder, "file")
    for dtype in ("f4", "f8"):
        for rank in (2, 3):
            values = walk(size, rank, dtype)
            for name in (f"zstd Zarr, {rank}-D {dtype}", f"zstd HDF5, {rank}-D {dtype}"):
                if only not in name:
                    continue
                if "Zarr" in name:
                    codec = zarr.codecs.ZstdCodec(level=3)
                    zarr.create_array(path, data=values, chunks=CHUNKS[rank], compressors=codec, overwrite=True)
                else:
                    remove(path)
                    with h5py.File(path, "w") as file:
                        file.create_dataset("x", data=values, chunks=CHUNKS[rank], **hdf5plugin.Zstd())
                yield Row(name, path, 1.5)
                remove(path)
    values = walk(size, 3, "f4")
    values[:, 100:300, 50:200] = np.nan
    name = "zstd Zarr, 3-D f4, a quarter NaN (land)"
    if only in name:
        zarr.create_array(path, data=values, chunks=CHUNKS[3], compressors=zarr.codecs.ZstdCodec(level=3))
        yield Row(name, path, 1.5)


def other_rows(folder: str, size: int, only: str) -> Iterator[Row]:
    """What else there is: plain memory, where signing costs least; gaps, integers, columns with all distinct values."""
    chance = np.random.default_rng(4)
    values = walk(size, 3, "f4")
    gaps = values.copy()
    gaps[chance.random(gaps.shape) < 0.3] = np.nan
    made: dict[str, Callable[[], Any]] = {
        "npy, 3-D f4": lambda: values,
        "npy, 3-D f4, 30 % NaN": lambda: gaps,
        "npy, 3-D i4": lambda: (values * 100).astype("i4"),
        "npy, 3-D i8": lambda: walk(size, 3, "f8").astype("i8"),
        "npy, 3-D i1 of 12 values": lambda: chance.integers(0, 12, values.shape, "i1"),
        "npy, 1-D f8, all distinct": lambda: chance.permutation(min(size // 8, 1 << 24)) * 0.5,
        "npy, 1-D f8, a coordinate": lambda: np.arange(min(size // 8, 1 << 24)) * 0.5,
        "npy, 1-D text, all distinct": lambda: np.arange(size // 256).astype("U8"),
        "npy, 1-D text of 100 names": lambda: chance.integers(0, 100, size // 256).astype("U8"),
    }
    for name, make in made.items():
        if only in name:
            path = os.path.join(folder, "values.npy")
            np.save(path, make())
            yield Row(name, path)


def remove(path: str) -> None:
    if os.path.isdir(path):
        shutil.rmtree(path)
    elif os.path.exists(path):
        os.unlink(path)


if __name__ == "__main__":
    sys.exit(main())
