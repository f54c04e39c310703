"""What comparing two tables costs, against daff (which finds rows without a key) and datacompy (which joins by one).

python benchmarks/bench_tables.py [ROWS]

Ten columns of numbers, text and times, the second table with a thousand edits: changed cells, deleted and inserted rows
and a moved block. Every contender reads the two files itself in a process of its own, in turn; `of ours` is its median
wall time over that of `hpcprov.quality.tables` on the same files, with two threads.
"""

from __future__ import annotations

import json
import os
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable
from typing import Any

ROWS, FEW, EDITS, ROUNDS = 1_000_000, 10_000, 1000, 3
KINDS = ("alpha", "beta", "gamma", "delta", "epsilon")


def table(rows: int, first: int = 0) -> dict[str, Any]:
    """Ten columns; `id` counts from `first` on."""
    import numpy as np

    rng = np.random.default_rng(7 + first)
    return {
        "id": np.arange(first, first + rows),
        "x": rng.normal(size=rows),
        "y": rng.random(rows).astype("f4"),
        "k": rng.integers(0, 100, rows).astype("i4"),
        "flag": rng.integers(0, 2, rows).astype(bool),
        "name": np.char.add("customer-", rng.integers(0, max(rows, 1), rows).astype(str)).astype(object),
        "kind": np.array(KINDS, object)[rng.integers(0, len(KINDS), rows)],
        "when": (1_700_000_000 + rng.integers(0, 10**7, rows)).astype("M8[s]"),
        "z": np.round(rng.normal(size=rows) * 100, 2),
        "note": np.char.add("note ", rng.integers(0, 1000, rows).astype(str)).astype(object),
    }


def edited(one: dict[str, Any], edits: int) -> dict[str, Any]:
    """Half of the edits are changed cells, a sixth each deleted and inserted rows, the rest a block that moved."""
    import numpy as np

    rng = np.random.default_rng(3)
    rows = len(one["id"])
    other = {name: cells.copy() for name, cells in one.items()}
    other["x"][rng.choice(rows, edits // 2, replace=False)] += 1
    gone = rng.choice(rows, edits // 6, replace=False)
    new = table(edits // 6, 10 * rows)
    places = np.sort(rng.integers(0, rows - len(gone), edits // 6))
    other = {name: np.insert(np.delete(cells, gone), places, new[name]) for name, cells in other.items()}
    size, start, end = edits // 6, rows // 4, 3 * rows // 4
    order = np.concatenate([np.arange(start), np.arange(start + size, end), np.arange(start, start + size)])
    order = np.concatenate([order, np.arange(end, rows)])
    return {name: cells[order] for name, cells in other.items()}


def write(folder: str, rows: int, edits: int) -> str:
    """The files of one size; where they begin."""
    import pyarrow as pa
    from pyarrow import csv, parquet

    start = os.path.join(folder, f"{rows}")
    one = table(rows)
    for name, columns in (("a", one), ("b", edited(one, edits))):
        made = pa.table(columns)
        parquet.write_table(made, f"{start}-{name}.parquet")
        csv.write_csv(made, f"{start}-{name}.csv")
    return start


def ours(start: str, suffix: str, **wishes: Any) -> dict[str, int]:
    from hpcprov.data.open import open_data
    from hpcprov.quality.tables.compare import compare_tables

    keep = 256 << 20
    with open_data(f"{start}-a.{suffix}", keep=keep) as one, open_data(f"{start}-b.{suffix}", keep=keep) as other:
        found: dict[str, int] = compare_tables(one, other, threads=2, **wishes)["counts"]
        return found


def daff(start: str) -> dict[str, int]:
    import csv

    import daff as library

    tables = []
    for name in "ab":
        with open(f"{start}-{name}.csv", newline="") as file:
            tables.append(library.PythonTableView(list(csv.reader(file))))
    result: list[Any] = []
    flags = library.CompareFlags()
    alignment = library.Coopy.compareTables(*tables, flags).align()
    library.TableDiff(alignment, flags).hilite(library.PythonTableView(result))
    marks = [row[0] for row in result]
    return {sign: sum(mark == sign for mark in marks) for sign in ("->", "+++", "---", ":")}


def datacompy(start: str) -> dict[str, int]:
    import datacompy as library
    import pandas as pd

    one, other = (pd.read_parquet(f"{start}-{name}.parquet") for name in "ab")
    found = getattr(library, "PandasCompare", None) or library.Compare
    compare = found(one, other, join_columns="id")
    compare.report()
    unequal = int(compare.intersect_rows.shape[0] - compare.count_matching_rows())
    return {"changed": unequal, "deleted": len(compare.df1_unq_rows), "inserted": len(compare.df2_unq_rows)}


CONTENDERS: dict[str, Callable[[str], dict[str, int]]] = {
    "ours, no key, Parquet": lambda start: ours(start, "parquet"),
    "ours, no key, CSV": lambda start: ours(start, "csv"),
    "ours, by number, Parquet": lambda start: ours(start, "parquet", rows="number"),
    "ours, key, Parquet": lambda start: ours(start, "parquet", key=["id"]),
    "daff, no key, CSV": daff,
    "datacompy, key, Parquet": datacompy,
}
#: at which size: which contenders, and which of ours each is measured against
PLAN = {
    FEW: {"ours, no key, CSV": None, "ours, key, Parquet": None, "daff, no key, CSV": "ours, no key, CSV",
          "datacompy, key, Parquet": "ours, key, Parquet"},
    ROWS: {"ours, no key, Parquet": None, "ours, no key, CSV": None, "ours, by number, Parquet": None,
           "ours, key, Parquet": None, "datacompy, key, Parquet": "ours, key, Parquet"},
}  # fmt: skip


def measured(name: str, start: str) -> dict[str, Any]:
    """One run in a process of its own: seconds from start to end, of processors, peak memory, and what it found."""
    began = time.perf_counter()
    done = subprocess.run([sys.executable, __file__, "--one", name, start], stdout=subprocess.PIPE, check=True)
    return {"wall": time.perf_counter() - began, **json.loads(done.stdout)}


def one(name: str, start: str) -> None:
    found = CONTENDERS[name](start)
    used = resource.getrusage(resource.RUSAGE_SELF)
    told = {"cpu": used.ru_utime + used.ru_stime, "peak": used.ru_maxrss >> 10, "found": found}
    print(json.dumps(told))


def main() -> None:
    most = int(sys.argv[1]) if len(sys.argv) > 1 else ROWS
    with tempfile.TemporaryDirectory() as folder:
        for rows, contenders in ((FEW, PLAN[FEW]), (most, PLAN[ROWS])):
            start = write(folder, rows, EDITS if rows > FEW else EDITS // 10)
            runs: dict[str, list[dict[str, Any]]] = {name: [] for name in contenders}
            for _ in range(ROUNDS):
                for name in contenders:
                    runs[name].append(measured(name, start))
            print(f"{rows:,} rows of ten columns: median seconds of {ROUNDS}, load {os.getloadavg()[0]:.1f}")
            for name, against in contenders.items():
                wall, cpu = (statistics.median(run[what] for run in runs[name]) for what in ("wall", "cpu"))
                times = "" if against is None else statistics.median(run["wall"] for run in runs[against])
                ratio = f"{wall / times:6.1f} x ours" if isinstance(times, float) else ""
                peak = max(run["peak"] for run in runs[name])
                print(f"  {name:<26} wall {wall:7.2f}  processors {cpu:7.2f}  peak {peak:6,} MiB  {ratio}")
                print(f"  {'':<26} {runs[name][0]['found']}")


if __name__ == "__main__":
    if sys.argv[1:2] == ["--one"]:
        one(*sys.argv[2:4])
    else:
        main()
