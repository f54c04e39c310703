"""How long a diff of two arrays takes: against h5diff and a plain numpy comparison, and with known signatures.

python benchmarks/bench_diff.py              # arrays of 256 MiB
python benchmarks/bench_diff.py --size 2048  # of 2 GiB: with known signatures one changed cell takes <= 1 s

Files are in the page cache. Contenders take turns; the medians and their ratios are printed.
"""

from __future__ import annotations

import argparse
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable

import h5py
import numpy as np

CHUNK = (16, 128, 128)
CASES = ("one cell", "every cell")
NAIVE = """
import sys, h5py, numpy
with h5py.File(sys.argv[1]) as one, h5py.File(sys.argv[2]) as other:
    for name in one:
        for at in range(0, one[name].shape[0], 16):
            a, b = one[name][at:at + 16], other[name][at:at + 16]
            differs = a != b
            print(differs.sum(), numpy.abs(a[differs] - b[differs]).max(initial=0), file=sys.stderr)
"""


def make(folder: str, size: int, case: str, compression: str | None) -> tuple[str, str]:
    """Two files with an array of `size` MiB that differs as the case says."""
    shape = (size * (1 << 20) // (4 << 20), 1024, 1024)
    dice = np.random.default_rng(1)
    paths = os.path.join(folder, "a.h5"), os.path.join(folder, "b.h5")
    with h5py.File(paths[0], "w") as one, h5py.File(paths[1], "w") as other:
        arrays = [file.create_dataset("u", shape, "f4", chunks=CHUNK, compression=compression) for file in (one, other)]
        for at in range(0, shape[0], CHUNK[0]):
            values = np.round(dice.random((min(CHUNK[0], shape[0] - at), *shape[1:]), dtype="f4") * 100, 2)
            arrays[0][at : at + CHUNK[0]] = values
            if case == "every cell":
                values += np.float32(0.25)
            elif at == 0:
                values[3, 500, 600] += 1
            arrays[1][at : at + CHUNK[0]] = values
    return paths


def seconds(words: list[str], folder: str) -> float:
    """Wall time of a command whose output nobody reads."""
    began = time.perf_counter()
    status = subprocess.run(words, cwd=folder, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL).returncode
    taken = time.perf_counter() - began
    assert status in (0, 1), (words, status)
    return taken


def contenders(paths: tuple[str, str], case: str) -> dict[str, list[str]]:
    """Their commands; h5diff prints every difference, and is told to stop at the first where all differ."""
    ours = [sys.executable, "-m", "hpcprov", "diff", *paths]
    found = {"hpcprov diff --no-cache": [*ours, "--no-cache"], "numpy": [sys.executable, "-c", NAIVE, *paths]}
    if shutil.which("h5diff"):
        found["h5diff"] = ["h5diff", *(["-n", "1"] if case == "every cell" else []), *paths]
    return found


def measure(folder: str, commands: dict[str, list[str]], tries: int) -> dict[str, float]:
    """The median of each, in turn."""
    taken: dict[str, list[float]] = {name: [] for name in commands}
    for _ in range(tries):
        for name, words in commands.items():
            taken[name].append(seconds(words, folder))
    return {name: statistics.median(times) for name, times in taken.items()}


def show(title: str, found: dict[str, float]) -> None:
    """A table of seconds, and how many times as long as the first each takes."""
    first = next(iter(found.values()))
    print(f"\n{title}")
    for name, taken in found.items():
        print(f"  {name:<32} {taken:8.2f} s  {taken / first:7.2f}")


def known(folder: str, paths: tuple[str, str], tries: int) -> dict[str, float]:
    """With the signatures of both known to a store: signing is timed once, the diff is the median."""
    os.makedirs(os.path.join(folder, ".hpcprov"), exist_ok=True)
    for path in paths:
        os.utime(path, (1e9, 1e9))
    time.sleep(2.5)  # files younger than that may change without a trace, and are not trusted
    hashing = [sys.executable, "-m", "hpcprov", "hash", *paths]
    signing = seconds(hashing, folder)
    both = {"hpcprov diff, signatures known": [sys.executable, "-m", "hpcprov", "diff", *paths]}
    return measure(folder, both, tries) | {"hpcprov hash of both, once": signing}


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--size", type=int, default=256, help="MiB of each array")
    parser.add_argument("--tries", type=int, default=3)
    parser.add_argument("--gzip", action="store_true", help="compressed chunks too")
    args = parser.parse_args()
    for compression in (None, "gzip") if args.gzip else (None,):
        for case in CASES:
            with tempfile.TemporaryDirectory() as folder:
                run(folder, args, case, compression)


def run(folder: str, args: argparse.Namespace, case: str, compression: str | None) -> None:
    paths = make(folder, args.size, case, compression)
    title = f"{args.size} MiB of f4, {compression or 'not compressed'}, {case} differs"
    steps: list[tuple[str, Callable[[], dict[str, float]]]] = [
        (f"{title}: nothing known", lambda: measure(folder, contenders(paths, case), args.tries))
    ]
    if case == "one cell":
        steps.append((f"{title}: signatures known", lambda: known(folder, paths, args.tries)))
    for words, work in steps:
        show(words, work())


if __name__ == "__main__":
    main()
