"""How fast a store with many records is indexed and asked: 3,000 records/s, lineage of depth 20 in 50 ms, `find` by
digest in 20 ms, `hpcprov runs` in 150 ms as a whole process.

python benchmarks/bench_catalog.py [--records 100000] [--keep DIRECTORY]

The store is made first (benchmarks/records.py, about 18 kB a record) and lies in the page cache when it is indexed.
What is asked is asked five times, each time for another run; the median counts.
"""

from __future__ import annotations

import argparse
import os
import pty
import resource
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable
from statistics import median
from typing import Any

import records

from hpcprov.catalog import open_catalog
from hpcprov.catalog.query import Catalog

ROUNDS = 5


def timed(calls: Iterable[Callable[[], Any]]) -> float:
    """The median of the calls' times, ms."""
    taken = []
    for call in calls:
        began = time.perf_counter()
        call()
        taken.append((time.perf_counter() - began) * 1000)
    return median(taken)


def line(what: str, budget: str, measured: str) -> None:
    print(f"{what:<52} {budget:>14} {measured:>24}", flush=True)


def index(root: str, number: int) -> None:
    """Make the catalog from nothing, then see what a second look costs, and one for one record more."""
    path = os.path.join(root, "catalog.sqlite")
    for ending in ("", "-wal", "-shm"):
        if os.path.exists(path + ending):
            os.unlink(path + ending)
    began, spent = time.perf_counter(), processor_time()
    with open_catalog([root]) as catalog:
        assert catalog.count() == number
    seconds = time.perf_counter() - began
    size = os.path.getsize(path) / number / 1000
    measured = f"{number / seconds:,.0f}/s ({processor_time() - spent:.0f} s on processors)"
    line(f"index {number:,} records", ">= 3,000/s", measured)
    line("  the catalog's file", "", f"{size:.1f} kB a record")
    line("  nothing has changed", "", f"{timed([lambda: open_catalog([root]).close()] * ROUNDS):.1f} ms")


def processor_time() -> float:
    """Seconds of this process and of its children that have ended."""
    who = (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)
    return sum(usage.ru_utime + usage.ru_stime for usage in map(resource.getrusage, who))


def ask(catalog: Catalog, number: int) -> None:
    """Queries on the open catalog."""
    ends = [number // 10 * k // records.CHAIN * records.CHAIN + records.CHAIN - 1 for k in range(1, ROUNDS + 1)]
    digests = [f"hpcprov1:{records.hexdigest(f'chain {end}')}" for end in ends]
    paths = [f"/scratch/run-{end // records.CHAIN}/out-{end}.zarr" for end in ends]
    graph = catalog.lineage(paths[0])
    depth = sum(node["kind"] == "run" for node in graph.nodes.values())
    assert depth >= records.CHAIN, depth
    line(
        f"lineage of a path, {depth} runs deep",
        "<= 50 ms",
        f"{timed([lambda p=p: catalog.lineage(p) for p in paths]):.1f} ms",
    )
    for name, limit, calls in (
        ("find by signature", "<= 20 ms", [lambda d=d: catalog.runs(digest=d) for d in digests]),
        ("find by the first 8 digits of one", "<= 20 ms", [lambda d=d: catalog.runs(digest=d[9:17]) for d in digests]),
        ("find by path", "", [lambda p=p: catalog.runs(path=p) for p in paths]),
        ("find by a glob that begins with *", "", [lambda p=p: catalog.runs(path=f"*{p[-12:]}") for p in paths]),
        ("find by module, newest 50", "", [lambda: catalog.runs(module="gcc/13.2", limit=50)] * ROUNDS),
        (
            "find by node, tag and status",
            "",
            [lambda: catalog.runs(node="nid00007", tag="case=b7", status="failed")] * ROUNDS,
        ),
        ("find by package, newest 50", "", [lambda: catalog.runs(package="package-3==3.7", limit=50)] * ROUNDS),
    ):
        line(name, limit, f"{timed(calls):.1f} ms")


def processes(directory: str, digest: str) -> None:
    """Whole processes, from their start to their end."""
    hpcprov = os.path.join(os.path.dirname(sys.executable), "hpcprov")
    for words, limit in (
        (["runs"], "<= 150 ms"),
        (["runs", "--status", "failed", "--limit", "20"], ""),
        (["show", "last"], ""),
        (["find", digest], ""),
    ):
        line(
            f"hpcprov {' '.join(words)[:40]}, the whole process",
            limit,
            f"{timed([lambda w=words: on_terminal([hpcprov, *w], directory)] * ROUNDS):.0f} ms",
        )


def on_terminal(command: list[str], directory: str) -> None:
    """Run a command with a terminal as its standard output, and read what it prints."""
    ours, theirs = pty.openpty()
    try:
        child = subprocess.Popen(command, cwd=directory, stdout=theirs, stderr=subprocess.DEVNULL)
        os.close(theirs)
        try:
            while os.read(ours, 65536):
                pass
        except OSError:
            pass  # the other end is closed
        assert child.wait() == 0, command
    finally:
        os.close(ours)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--keep", metavar="DIRECTORY", help="where the store is, or shall be, and stay")
    args = parser.parse_args()
    with tempfile.TemporaryDirectory() as scratch:
        directory = args.keep or scratch
        root = os.path.join(directory, ".hpcprov")
        if not os.path.isdir(root):
            records.write(directory, records=args.records)
        line("what", "budget", "measured")
        index(root, args.records)
        with open_catalog([root]) as catalog:
            ask(catalog, args.records)
        processes(directory, f"hpcprov1:{records.hexdigest('chain 59')}")


if __name__ == "__main__":
    main()
