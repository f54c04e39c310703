"""What observing costs an application: its own wall time with `hpcprov exec` over that without, beside the budgets.

Every command is timed by a small program that stands between it and whoever watches, so that the start and end of
hpcprov, of MPI and of a tracer are not in the figures; the agent, which reads along on the same cores, is. Runs
alternate, so that a busy machine slows all alike; medians are printed, and beside wall time the time on processors,
which other work on the machine changes least. All files are in memory, where opening one is cheapest: a worst case.
Beside it strace, and Darshan and ReproZip where they are found (HPCPROV_BENCH_DARSHAN names libdarshan.so; ReproZip is
looked for on PATH). It never fails on time.

    $ python benchmarks/bench_observe.py [ROUNDS]
    workload                                 bare      exec  observed    +audit   +notify    strace   budget
    import numpy, h5py                    0.090 s      1.00      1.02      1.03      1.10      1.31   <= 1.03
        on processors                     0.085 s      1.00      1.01      1.02      1.05      1.30
"""

from __future__ import annotations

import contextlib
import os
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from pathlib import Path

HERE = Path(__file__).parent
PYTHON = sys.executable
HPCPROV = os.environ.get("HPCPROV_LAUNCHER") or str(Path(PYTHON).with_name("hpcprov"))
DARSHAN = os.environ.get("HPCPROV_BENCH_DARSHAN")
# Files to read, of SIZE bytes, and to write; programs; chunks of a store.
READS, SIZE, WRITES, COPIES, CHUNKS = 50000, 4096, 5000, 2000, 5000

OPENS = f"""
for number in range({READS}):
    with open(f"in/{{number}}", "rb") as file:
        file.read({SIZE})
for number in range({WRITES}):
    with open(f"out/{{number}}", "wb") as file:
        file.write(b"x" * {SIZE})
"""
# One HDF5 file of all ranks' rows, and a store of small chunks, half of them from each rank.
WRITER = f"""
import os, sys
import h5py, numpy, zarr
from mpi4py import MPI
rank, size = MPI.COMM_WORLD.rank, MPI.COMM_WORLD.size
values = numpy.random.default_rng(rank).random((100, 20000))
with h5py.File(f"out/{{rank}}.h5", "w") as file:
    file.create_dataset("values", data=values, chunks=(10, 2000), compression="gzip")
if rank == 0:
    zarr.create_array("out/store.zarr", shape=({CHUNKS}, 64), chunks=(1, 64), dtype="f8", overwrite=True)
MPI.COMM_WORLD.Barrier()
array = zarr.open_array("out/store.zarr", mode="r+")
for row in range(rank, {CHUNKS}, size):
    array[row] = row
"""
COPY = f"i=0; while [ $i -lt {COPIES} ]; do cp in/0 out/$i; i=$((i+1)); done"

# name, command, MPI ranks, budget
WORKLOADS: list[tuple[str, list[str], int, str]] = [
    ("import numpy, h5py", [PYTHON, "-c", "import numpy, h5py"], 0, "<= 1.03"),
    ("55,000 opens in C", ["./workloads", "open", str(READS), str(WRITES)], 0, "<= 1.2"),
    ("55,000 opens in Python", [PYTHON, "-c", OPENS], 0, "<= 1.05"),
    ("55,000 opens by 8 threads", ["./workloads", "threads", "8", str(READS), str(WRITES)], 0, "<= 1.15"),
    (f"{COPIES:,} x cp", ["sh", "-c", COPY], 0, "<= 1.12"),
    (f"2 ranks, HDF5, {CHUNKS:,} Zarr chunks", [PYTHON, "-c", WRITER], 2, "<= 1.02"),
]

EXEC = [HPCPROV, "exec", "--hash", "off"]
# name, what stands in front, environment, rounds of the full number (1: all)
Watcher = tuple[str, list[str], dict[str, str], int]
ALWAYS: list[Watcher] = [
    ("bare", [], {}, 1),
    ("exec", [*EXEC, "--observe", "off", "--"], {}, 1),
    ("observed", [*EXEC, "--observe", "preload", "--"], {}, 1),
]


def others() -> Iterator[Watcher]:
    """The contenders that are here; they take several times as long, so that fewer rounds must do."""
    yield ("+audit", [*EXEC, "--observe", "preload", "--audit", "python", "--"], {}, 2)
    yield ("+notify", [*EXEC, "--observe", "notify", "--"], {}, 8)
    if shutil.which("strace"):
        yield ("strace", ["strace", "-f", "--seccomp-bpf", "-o", "/dev/null", "-e", "trace=%file,%process"], {}, 8)
    if DARSHAN:
        yield ("Darshan", [], {"LD_PRELOAD": DARSHAN, "DARSHAN_ENABLE_NONMPI": "1", "DARSHAN_LOGPATH": "logs"}, 2)
    if shutil.which("reprozip"):
        yield ("ReproZip", ["reprozip", "trace", "--overwrite", "-d", "traced"], {}, 8)


def seconds(command: list[str], ranks: int, watcher: Watcher) -> tuple[float, float]:
    """The application's wall time in s, the longest of its ranks, and its time on processors, that of all of them; NaN
    where the watcher did not run it."""
    out = Path("taken")
    out.unlink(missing_ok=True)
    shutil.rmtree("out", ignore_errors=True)
    os.mkdir("out")
    _, front, environ, _ = watcher
    launch = [str(Path(PYTHON).with_name("mpiexec")), "-n", str(ranks)] if ranks else []
    line = [*launch, *front, "./workloads", "timed", str(out.resolve()), *command]
    done = subprocess.run(line, env=os.environ | environ, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    if done.returncode and watcher not in ALWAYS:
        return float("nan"), float("nan")
    if done.returncode:
        said = f"{' '.join(line)[:200]}: status {done.returncode}"
        raise SystemExit(f"bench_observe: {said}\n{done.stderr.decode()[-500:]}")
    taken = [tuple(map(int, row.split())) for row in out.read_text().splitlines()]
    return max(wall for wall, _ in taken) / 1e9, sum(processors for _, processors in taken) / 1e9


def alternate(command: list[str], ranks: int, watchers: list[Watcher], rounds: int) -> list[list[float]]:
    """The medians in s of wall time and of time on processors, each with one value for each watcher."""
    taken: list[list[tuple[float, float]]] = [[] for _ in watchers]
    for number in range(rounds):
        for rows, watcher in zip(taken, watchers, strict=True):
            if number % watcher[3] == 0:
                rows.append(seconds(command, ranks, watcher))
    return [[statistics.median(row[which] for row in rows) for rows in taken] for which in (0, 1)]


def show(name: str, medians: list[float], budget: str) -> None:
    """The first in s, the others in multiples of it."""
    bare, *rest = medians
    ratios = "".join(f"{value / bare:10.2f}" if value == value else f"{'-':>10}" for value in rest)
    print(f"{name:34}{bare:9.3f} s{ratios}   {budget}".rstrip(), flush=True)


@contextlib.contextmanager
def in_memory() -> Iterator[None]:
    """A working directory with the files that are read, in memory where there is room."""
    memory = "/dev/shm" if os.access("/dev/shm", os.W_OK) and shutil.disk_usage("/dev/shm").free > 1 << 30 else None
    before = os.getcwd()
    with tempfile.TemporaryDirectory(dir=memory) as directory:
        os.chdir(directory)
        for name in ("in", "logs", ".hpcprov"):
            os.mkdir(name)
        page = os.urandom(SIZE)
        for number in range(READS):
            Path(f"in/{number}").write_bytes(page)
        compiler = ["cc", "-O2", "-pthread", "-o", "workloads", str(HERE / "observe_workloads.c")]
        subprocess.run(compiler, check=True)
        try:
            yield
        finally:
            os.chdir(before)


def main(rounds: int, wanted: Callable[[str], bool] = lambda name: True) -> None:
    watchers = [*ALWAYS, *others()]
    names = "".join(f"{name:>10}" for name, *_ in watchers[1:])
    print(f"{'workload':34}{'bare':>11}{names}   budget of `observed`", flush=True)
    began = time.monotonic()
    with in_memory():
        for name, command, ranks, budget in WORKLOADS:
            if wanted(name):
                wall, processors = alternate(command, ranks, watchers, rounds)
                show(name, wall, budget)
                show("    on processors", processors, "")
    print(f"{time.monotonic() - began:.0f} s")


if __name__ == "__main__":
    words = sys.argv[2:]
    main(int(sys.argv[1]) if len(sys.argv) > 1 else 5, lambda name: not words or any(word in name for word in words))
