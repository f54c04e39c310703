"""How long a merge takes, and how much memory: linear in ranks, 3 s and 400 MiB for 10,000.

python benchmarks/bench_merge.py
"""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile

import frames

SIZES = (1_250, 2_500, 5_000, 10_000)
MERGE = """
import resource, sys, time
began = time.perf_counter()
from hpcprov.merge.publish import merge_run
from hpcprov.record.layout import Store
place, = merge_run(Store(sys.argv[1]), "bench")
print(time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024, place)
"""


def measure(ranks: int) -> tuple[float, float, int, int]:
    """Seconds, MiB, bytes of logs and bytes of record of one merge in a process of its own, imports included."""
    with tempfile.TemporaryDirectory() as root:
        directory = frames.write(root, ranks=ranks)
        logs = sum(entry.stat().st_size for entry in os.scandir(directory))
        command = [sys.executable, "-c", MERGE, os.path.join(root, ".hpcprov")]
        answer = subprocess.run(command, check=True, capture_output=True, text=True).stdout.split(maxsplit=2)
        return float(answer[0]), float(answer[1]), logs, os.path.getsize(os.path.join(answer[2].strip(), "record.json"))


def main() -> None:
    print(
        f"{'ranks':>8} {'logs':>10} {'record':>10} {'merge':>8} {'peak':>9} {'per rank':>10}"
        "   budget: 3 s, 400 MiB at 10,000"
    )
    for ranks in SIZES:
        seconds, peak, logs, record = measure(ranks)
        print(
            f"{ranks:>8} {logs / 1e6:>7.1f} MB {record / 1e6:>7.2f} MB {seconds:>6.2f} s {peak:>5.0f} MiB"
            f" {seconds / ranks * 1e6:>7.0f} µs"
        )


if __name__ == "__main__":
    main()
