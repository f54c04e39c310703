"""What tracking costs: a call without data, told by itself and only counted; a call with an array, against signing
alone; a run of its own.

python benchmarks/bench_tracking.py
"""

from __future__ import annotations

import os
import statistics
import tempfile
import time
from collections.abc import Callable

import numpy as np

import hpcprov

CALLS, REPEATS = 2000, 5


def plain(value: int, width: int = 3) -> int:
    return value


def seconds(work: Callable[[], object], repeats: int = REPEATS) -> float:
    """The median time of one call."""
    found = []
    for _ in range(repeats):
        began = time.perf_counter()
        work()
        found.append(time.perf_counter() - began)
    return statistics.median(found)


def loop(function: Callable[[int], object], calls: int) -> Callable[[], None]:
    def work() -> None:
        for k in range(calls):
            function(k)

    return work


def main() -> None:
    os.chdir(tempfile.mkdtemp())
    bare = seconds(loop(plain, CALLS)) / CALLS
    with hpcprov.run("bench"):
        first = hpcprov.track(lambda value, width=3: value, name="first")
        first(0)  # loads what is needed
        told = [hpcprov.track(lambda value, width=3: value, name=f"told{k}") for k in range(8)]
        alone = statistics.median(seconds(loop(one, 50), 1) / 50 for one in told)
        counted = seconds(loop(first, CALLS)) / CALLS
        print(f"a call                       {bare * 1e6:10.2f} us")
        print(f"tracked, told by itself      {alone * 1e6:10.2f} us")
        print(f"tracked, only counted        {counted * 1e6:10.2f} us")
        for megabytes in (1, 64, 512):
            field = np.random.default_rng(0).random(megabytes * 131072)
            signing = seconds(lambda field=field: hpcprov.signature(field))  # type: ignore[misc]
            taken = hpcprov.track(lambda field: None, name=f"array{megabytes}")
            tracked = seconds(lambda taken=taken, field=field: taken(field))  # type: ignore[misc]
            rate = megabytes / 1024 / signing
            print(
                f"an array of {megabytes:4} MiB: signing  {signing * 1e3:7.2f} ms ({rate:.1f} GiB/s)  "
                f"tracked call {tracked * 1e3:7.2f} ms  x {tracked / signing:.2f}"
            )
    began, ended = [], []
    for _ in range(REPEATS):
        start = time.perf_counter()
        with hpcprov.run("empty"):
            middle = time.perf_counter()
            began.append(middle - start)
            start = time.perf_counter()
        ended.append(time.perf_counter() - start)
    print(
        f"a run of its own: begin {statistics.median(began) * 1e3:.1f} ms, end {statistics.median(ended) * 1e3:.1f} ms"
    )


if __name__ == "__main__":
    main()
