"""How long a merge takes, and how much memory: linear in ranks, 3 s and 400 MiB for 10,000,
also when what they did was observed.

python benchmarks/bench_merge.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import frames

#: Ranks, programs of each of them, and observed files of each node with 128 ranks.
SIZES = ((1_250, 0, 0), (2_500, 0, 0), (5_000, 0, 0), (10_000, 0, 0), (10_000, 50, 100), (1_280, 50, 20_000))
MERGE = """
import resource, sys, time
began = time.perf_counter()
from hpcprov.merge.publish import merge_run
from hpcprov.record.layout import Store
place, = merge_run(Store(sys.argv[1]), "bench")
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, place)
"""


def measure(ranks: int, programs: int, files: int) -> tuple[float, float, int, int]:
    """Seconds, MiB, bytes of logs and bytes of record of one merge in a process of its own, imports included."""
    with tempfile.TemporaryDirectory() as root:
        directory = frames.write(root, ranks=ranks, programs=programs, files=files)
        logs = sum(entry.stat().st_size for entry in os.scandir(directory))
        command = [sys.executable, "-c", MERGE, os.path.join(root, ".hpcprov")]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(maxsplit=2)
        return float(answer[0]), float(answer[1]), logs, os.path.getsize(os.path.join(answer[2].strip(), "record.json"))


def main() -> None:
    print("budget: 3 s, 400 MiB at 10,000 ranks")
    print(
        " ".join(
            f"{word:>10}" for word in ("ranks", "programs", "files", "logs", "record", "merge", "peak", "per rank")
        )
    )
    for ranks, programs, files in SIZES:
        seconds, peak, logs, record = measure(ranks, programs, files)
        counts = f"{ranks:>10} {ranks * programs:>10} {-(-ranks // 128) * files:>10}"
        sizes = f"{logs / 1e6:>7.1f} MB {record / 1e6:>7.2f} MB"
        print(f"{counts} {sizes} {seconds:>8.2f} s {peak:>6.0f} MiB {seconds / ranks * 1e6:>7.0f} µs")


if __name__ == "__main__":
    main()
