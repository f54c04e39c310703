"""How long a run's page takes, and how large it is: below 2 s and 2 MB for 1,000 ranks, their output captured.

python benchmarks/bench_report.py
"""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import tempfile
from typing import Any

import frames

from hpcprov.merge.publish import merge_run
from hpcprov.record import frame
from hpcprov.record.layout import Store, log_name

#: Ranks, programs of each, observed files of each node, lines that each rank prints.
SIZES = ((100, 10, 20, 50), (1_000, 20, 100, 200), (10_000, 20, 100, 200))
PER_NODE = 128
TRIES = 3  # of which the quickest counts
REPORT = """
import resource, sys, time
began = time.perf_counter()
from hpcprov.record import model
from hpcprov.report import run
record = model.load(sys.argv[1] + "/record.json")
loaded = time.perf_counter()
page = run.render(record, directory=sys.argv[1])
peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(time.perf_counter() - began, loaded - began, len(page.encode()), peak)
"""


def record_of(root: str, ranks: int, programs: int, files: int, lines: int) -> str:
    """The directory of a merged record of a run of this size."""
    directory = frames.write(root, ranks=ranks, per_node=PER_NODE, programs=programs, files=files)
    for node in range(-(-ranks // PER_NODE)):
        name = frames.node_name(node)
        with open(os.path.join(directory, log_name(name, "100-200", 0)), "ab") as file:
            file.writelines(part for event in facts(name) for part in frame.encode(event))
        members = range(node * PER_NODE, min(ranks, (node + 1) * PER_NODE))
        with open(os.path.join(directory, log_name(name, "100-200", 0, "out")), "wb") as file:
            file.writelines(part for event in printed(members, lines) for part in frame.encode(event))
    (place,) = merge_run(Store(os.path.join(root, ".hpcprov")), "bench")
    return place


def facts(name: str) -> list[dict[str, Any]]:
    """What an agent tells at the end: resources over time, and software."""
    dice = random.Random(name)
    points = range(240)
    series: dict[str, list[Any]] = {"time": [15.0 * (k + 1) for k in points]}
    series["cpu"] = [15 * dice.uniform(100, 128) for _ in points]
    series["rss"] = [dice.randrange(200, 240) * 10**9 for _ in points]
    for key in ("read", "write"):
        series[key] = [dice.randrange(10**9) for _ in points]
    for key in ("processes", "threads"):
        series[key] = [PER_NODE for _ in points]
    libraries = [{"path": f"/opt/lib/lib{k:04d}.so", "build_id": f"{k:040x}"} for k in range(300)]
    packages = [[f"package-{k}", "1.0"] for k in range(400)]
    python = [{"executable": "/opt/venv/bin/python", "version": "3.11", "path": [], "packages": packages}]
    software = {"executables": [], "libraries": libraries, "python": python}
    common = {"v": 1, "event": "fact", "time": frames.BEGAN + 3600 * frames.SECOND, "boot": 10**12, "node": name}
    resources = {"cpu": 4e5, "read": 10**11, "write": 10**11, "rss": 24 * 10**10, "series": series}
    return [common | {"kind": "resources", "value": resources}, common | {"kind": "software", "value": software}]


def printed(ranks: range, lines: int) -> list[dict[str, Any]]:
    """What the ranks of a node printed, in order of time."""
    return [
        {"v": 1, "event": "output", "time": frames.BEGAN + k * 10**9 + rank, "boot": k, "rank": rank, "stream": 1}
        | {"pid": 1000 + rank, "data": f"step {k:6d}  residual {1 / (k + 1):.6e}  on rank {rank}\n"}
        for k in range(lines)
        for rank in ranks
    ]


def main() -> None:
    print("budget: 2 s, 2 MB at 1,000 ranks")
    print(
        " ".join(
            f"{word:>9}" for word in ("ranks", "programs", "files", "lines", "record", "load", "in all", "page", "peak")
        )
    )
    for size in SIZES:
        with tempfile.TemporaryDirectory() as root:
            place = record_of(root, *size)
            command = [sys.executable, "-c", REPORT, place]
            tries = [subprocess.run(command, check=True, capture_output=True, text=True).stdout for _ in range(TRIES)]
            seconds, load, page, peak = min([*map(json.loads, told.split())] for told in tries)
            record = os.path.getsize(os.path.join(place, "record.json"))
            told = f"{record / 1e6:>6.2f} MB {load:>7.2f} s {seconds:>7.2f} s {page / 1e6:>6.2f} MB {peak:>5.0f} MiB"
            print(" ".join(f"{number:>9,}" for number in size), told)


if __name__ == "__main__":
    main()
