"""How fast signatures are, as ratios to what else one could do with the same data on the same machine.

python benchmarks/bench_signature.py            # some minutes, 4 GB of temporary files
python benchmarks/bench_signature.py --quick    # under a minute, smaller data, rougher ratios

Data is made in a temporary directory, whose files are then in the page cache. The contenders of a row take turns, and
the ratio is that of their medians: 2.0 means that hpcprov took half the time. `b3sum` is the library behind that
command, on the same bytes as one file, mapped, with as many threads.
"""

from __future__ import annotations

import argparse
import hashlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
import warnings
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import product
from typing import Any

import numpy as np
from blake3 import blake3

from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.signature.artifact import describe
from hpcprov.signature.snapshot import look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import sign_field

MIB = 1 << 20
CHUNKS = {1: (1 << 20,), 2: (1024, 1024), 3: (64, 64, 256)}
PEAK = """
import re, sys
from hpcprov.data import mapping
from hpcprov.data.open import open_data
from hpcprov.signature.threads import sign_field
mapping.allow()
with open_data(sys.argv[1]) as data:
    sign_field(data.fields[0], threads=2)
print(re.search("VmHWM:\\\\s+(\\\\d+) kB", open("/proc/self/status").read())[1])
"""


class NotInstalled(Exception):
    """A contender that is not there; the message is its name."""


@dataclass(frozen=True)
class Row:
    """Two ways to do a thing: the time of the other by the time of `ours` should be at least `budget`."""

    what: str
    budget: float
    ours: Callable[[], object]
    other: Callable[[], object]


def main() -> int:
    parser = argparse.ArgumentParser(description="Budgets of signatures, as ratios.")
    parser.add_argument("--quick", action="store_true", help="smaller data, fewer rounds: under a minute")
    parser.add_argument("--only", default="", help="rows whose name holds this text")
    options = parser.parse_args()
    size, rounds = (64 * MIB, 3) if options.quick else (512 * MIB, 7)
    warnings.simplefilter("ignore")
    os.environ["TQDM_DISABLE"] = "1"
    mapping.allow()
    print(f"{'what':<66} {'budget':>8} {'measured':>9}   ours, other")
    with tempfile.TemporaryDirectory() as folder:
        for make in (plain_rows, hdf5_rows, zarr_rows, scaling_rows):
            for row in offered(make, folder, size):
                if options.only in row.what:
                    show(row, rounds)
        other_rows(folder, options.quick, options.only)
    return 0


def offered(make: Callable[[str, int], Iterator[Row]], folder: str, size: int) -> Iterator[Row]:
    """The rows, until one needs what is not installed."""
    try:
        yield from make(folder, size)
    except (ImportError, NotInstalled) as error:
        print(f"{make.__name__}: the rest is not measured: {error}")


def show(row: Row, rounds: int) -> None:
    try:
        ours, other = timed(row, rounds)
    except Exception as error:
        print(f"{row.what:<66} {row.budget:>7.1f}x  not measured: {type(error).__name__}: {str(error)[:120]}")
        return
    verdict = "" if other / ours >= row.budget else "   below"
    print(
        f"{row.what:<66} {row.budget:>7.1f}x {other / ours:>8.2f}x   {ours:.3f} s, {other:.3f} s{verdict}", flush=True
    )


def timed(row: Row, rounds: int) -> tuple[float, float]:
    """Median seconds of both, taking turns; one round before counts for nothing."""
    times: dict[str, list[float]] = {"ours": [], "other": []}
    for at in range(rounds + 1):
        for name in ("ours", "other") if at % 2 else ("other", "ours"):
            began = time.perf_counter()
            getattr(row, name)()
            times[name].append(time.perf_counter() - began)
    return statistics.median(times["ours"][1:]), statistics.median(times["other"][1:])


def sign(path: str, threads: int = 2) -> None:
    with open_data(path) as data:
        for field in data.fields:
            sign_field(field, threads=threads)


def b3sum(path: str, threads: int = 2) -> None:
    blake3(max_threads=threads).update_mmap(path).digest()


def decode(path: str, threads: int = 2) -> None:
    """Every chunk decoded and dropped, by as many threads."""
    with open_data(path) as data:
        field = data.fields[0]
        if field.chunk is None:
            raise NotInstalled("chunks without a lock")
        grid = (-(-n // chunk) for n, chunk in zip(field.shape or (), field.chunks or (), strict=True))
        indices = list(product(*map(range, grid)))
        with ThreadPoolExecutor(threads) as pool:
            list(pool.map(lambda part: [field.chunk(index) is None for index in part], parts(indices, 8 * threads)))


def parts(items: list[Any], count: int) -> list[list[Any]]:
    step = -(-len(items) // count)
    return [items[at : at + step] for at in range(0, len(items), step)]


def values_of(size: int, rank: int) -> Any:
    """A random walk with steps of two decimals: compresses to about a half, as measured fields do."""
    shape = {1: (size // 4,), 2: (size // 4 // 8192, 8192), 3: (size // 4 // (512 * 256), 512, 256)}[rank]
    steps = np.random.default_rng(rank).integers(-100, 100, size // 4, np.int32)
    return (np.cumsum(steps, dtype=np.int32) / np.float32(100)).astype(np.float32).reshape(shape)


def plain_rows(folder: str, size: int) -> Iterator[Row]:
    for rank, budget in ((1, 0.8), (2, 0.6), (3, 0.5)):
        values = values_of(max(size, 256 * MIB), rank)
        path = os.path.join(folder, f"{rank}.npy")
        np.save(path, values)
        for name, other in written_plainly(folder, values):
            for threads in (2, 1) if rank == 1 else (2,):
                yield Row(
                    f"{rank}-D {name}, threads: {threads} : b3sum",
                    budget,
                    lambda o=other, n=threads: sign(o, n),
                    lambda p=path, n=threads: b3sum(p, n),
                )
        what = f"{rank}-D npy, threads: 2, copied (in a program of one's own) : b3sum"
        yield Row(what, budget, lambda p=path: copied(p), lambda p=path: b3sum(p))
    path = os.path.join(folder, "1.npy")
    seen = look(path)
    what = "storage digest of a file, threads: 2 : b3sum"
    yield Row(what, 0.8, lambda: storage_digest(path, seen, threads=2), lambda: b3sum(path))


def copied(path: str) -> None:
    mapping.allow(False)
    try:
        sign(path)
    finally:
        mapping.allow()


def written_plainly(folder: str, values: Any) -> Iterator[tuple[str, str]]:
    path = os.path.join(folder, f"plain{values.ndim}")
    yield "npy", os.path.join(folder, f"{values.ndim}.npy")
    h5py = library("h5py")
    with h5py.File(f"{path}.h5", "w") as file:
        file["x"] = values
    yield "contiguous HDF5", f"{path}.h5"
    zarr = library("zarr")
    zarr.create_array(f"{path}.zarr", data=values, chunks=CHUNKS[values.ndim], compressors=None)
    yield "uncompressed Zarr", f"{path}.zarr"


def library(name: str) -> Any:
    try:
        return __import__(name)
    except ImportError as error:
        raise NotInstalled(name) from error


def hdf5_rows(folder: str, size: int) -> Iterator[Row]:
    h5py = library("h5py")
    values = values_of(size // 2, 3)
    chunks = CHUNKS[3]
    gzip = os.path.join(folder, "gzip.h5")
    with h5py.File(gzip, "w") as file:
        file.create_dataset("x", data=values, chunks=chunks, compression="gzip", compression_opts=1, shuffle=True)
    yield Row("gzip+shuffle HDF5 : decoding only", 0.8, lambda: sign(gzip), lambda: decode(gzip))
    yield Row(
        "gzip HDF5, two threads : h5py + SHA-256, one", 4, lambda: sign(gzip), lambda: by_h5py(gzip, hashlib.sha256)
    )
    yield Row("gzip HDF5, two threads : h5py + BLAKE3, one", 1.5, lambda: sign(gzip), lambda: by_h5py(gzip, blake3))
    hdf5plugin = library("hdf5plugin")
    blosc = os.path.join(folder, "blosc.h5")
    with h5py.File(blosc, "w") as file:
        file.create_dataset("x", data=values, chunks=chunks, **hdf5plugin.Blosc("zstd", 3))
    yield Row("Blosc-zstd HDF5 : decoding only", 0.8, lambda: sign(blosc), lambda: decode(blosc))


def by_h5py(path: str, new: Callable[[], Any]) -> None:
    """Slabs of whole chunks, read and hashed one after the other."""
    with library("h5py").File(path) as file:
        data, hasher = file["x"], new()
        for at in range(0, data.shape[0], data.chunks[0]):
            hasher.update(octets(data[at : at + data.chunks[0]]))


def zarr_rows(folder: str, size: int) -> Iterator[Row]:
    zarr = library("zarr")
    values = values_of(size // 2, 3)
    zstd = os.path.join(folder, "zstd.zarr")
    zarr.create_array(zstd, data=values, chunks=CHUNKS[3], compressors=zarr.codecs.ZstdCodec(level=3))
    yield Row("zstd Zarr : decoding only", 0.8, lambda: sign(zstd), lambda: decode(zstd))
    small = os.path.join(folder, "small.zarr")
    zarr.create_array(
        small, data=values_of(64 * MIB, 3), chunks=(16, 16, 16), compressors=zarr.codecs.ZstdCodec(level=3)
    )
    yield Row("Zarr, 4,096 chunks of 16 KiB : zarr-python + BLAKE3", 6, lambda: sign(small), lambda: by_zarr(small))
    yield Row(
        "the same with its storage digest : zarr-python + BLAKE3", 6, lambda: describe(small), lambda: by_zarr(small)
    )
    sharded = os.path.join(folder, "sharded.zarr")
    zarr.create_array(sharded, data=values_of(64 * MIB, 3), chunks=(16, 16, 16), shards=(32, 128, 128))
    yield Row("sharded Zarr : zarr-python + BLAKE3", 3, lambda: sign(sharded), lambda: by_zarr(sharded))
    tensorstore = library("tensorstore")
    yield Row(
        "Zarr, 4,096 chunks : tensorstore + BLAKE3", 1, lambda: sign(small), lambda: by_tensorstore(tensorstore, small)
    )
    yield Row("zstd Zarr : tensorstore + BLAKE3", 1, lambda: sign(zstd), lambda: by_tensorstore(tensorstore, zstd))
    checksum = library("zarr_checksum")
    generators = __import__("zarr_checksum.generators", fromlist=["yield_files_local"])
    yield Row(
        "Zarr, 4,096 chunks : zarr_checksum, which decodes nothing",
        1.5,
        lambda: sign(small),
        lambda: checksum.compute_zarr_checksum(generators.yield_files_local(small)),
    )


def octets(values: Any) -> Any:
    return np.ascontiguousarray(values).reshape(-1).view(np.uint8).data


def by_zarr(path: str) -> None:
    blake3(max_threads=2).update(octets(library("zarr").open_array(path, mode="r")[...])).digest()


def by_tensorstore(tensorstore: Any, path: str) -> None:
    spec = {"driver": "zarr3", "kvstore": {"driver": "file", "path": path}}
    context = tensorstore.Context({"data_copy_concurrency": {"limit": 2}, "file_io_concurrency": {"limit": 2}})
    values = tensorstore.open(spec, context=context, read=True).result().read().result()
    blake3(max_threads=2).update(octets(values)).digest()


def scaling_rows(folder: str, size: int) -> Iterator[Row]:
    gzip = os.path.join(folder, "gzip.h5")
    yield Row("gzip HDF5, two threads : one", 1.7, lambda: sign(gzip), lambda: sign(gzip, 1))
    path = os.path.join(folder, "3.npy")
    yield Row("3-D npy, two threads : one", 1.7, lambda: sign(path), lambda: sign(path, 1))
    mpiexec = shutil.which("mpiexec", path=os.path.dirname(sys.executable) + os.pathsep + os.environ.get("PATH", ""))
    if mpiexec is None:
        raise NotInstalled("mpiexec")
    large = repeated(gzip, os.path.join(folder, "large.h5"), 10)
    command = [sys.executable, "-m", "hpcprov", "hash", "--threads", "1", large]
    yield Row(
        "large gzip HDF5, `mpiexec -n 2 hpcprov hash`, one thread each : -n 1",
        1.7,
        lambda: quietly([mpiexec, "-n", "2", *command]),
        lambda: quietly([mpiexec, "-n", "1", *command]),
    )


def repeated(path: str, larger: str, times: int) -> str:
    """The same compressed chunks, so many times along the first axis: processes take some time to start."""
    h5py = library("h5py")
    with h5py.File(path) as source, h5py.File(larger, "w") as target:
        data = source["x"]
        shape = (data.shape[0] * times, *data.shape[1:])
        copy = target.create_dataset("x", shape, data.dtype, chunks=data.chunks, compression="gzip", shuffle=True)
        for chunk in data.iter_chunks():
            start = [part.start for part in chunk]
            mask, stored = data.id.read_direct_chunk(tuple(start))
            for at in range(times):
                copy.id.write_direct_chunk((start[0] + at * data.shape[0], *start[1:]), stored, mask)
    return larger


def quietly(command: list[str]) -> None:
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def other_rows(folder: str, quick: bool, only: str) -> None:
    """What is no ratio: memory and files per second."""
    if only in "peak memory":
        path = os.path.join(folder, "peak.npy")
        np.lib.format.open_memmap(path, "w+", "<f4", (1 << 30,))
        command = [sys.executable, "-c", PEAK, path]
        found = int(subprocess.run(command, check=True, capture_output=True, text=True).stdout)
        print(f"{'peak memory of a file of 4 GiB, two threads':<66} {'300 MiB':>8} {found / 1024:>5.0f} MiB")
    if only in "files":
        many = os.path.join(folder, "many")
        count = make_files(many, 20 if quick else 100)
        began = time.perf_counter()
        describe(many)
        rate = count / (time.perf_counter() - began)
        print(f"{f'directory of {count} files, storage digest, warm':<66} {'20000/s':>8} {rate:>7.0f}/s")


def make_files(folder: str, folders: int) -> int:
    for at in range(folders):
        place = os.path.join(folder, f"{at:03d}")
        os.makedirs(place)
        for number in range(1000):
            with open(os.path.join(place, f"{number:04d}"), "wb") as file:
                file.write(b"%d %d\n" % (at, number) * 30)
    return folders * 1000


if __name__ == "__main__":
    sys.exit(main())
