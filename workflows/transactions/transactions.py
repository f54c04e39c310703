#!/usr/bin/env python3
"""Ten transactions of four customers, as a small table that a person can check: docs/data.md shows the data side on it.

transactions.py raw trans.csv                      what came from the shop: id, date, categ, amount
transactions.py derive trans.csv derived           + days-since-prev, in four formats: derived.csv, .parquet, .h5, .zarr
transactions.py measures derived.parquet m.csv     one line for each customer
transactions.py variant derived                    the same tables with two cells changed: derived-2.csv, ...
"""

from __future__ import annotations

import csv
import sys
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np

import hpcprov

RAW = (
    (1, "2009-01-31", "A", 1000.0),
    (2, "2009-02-02", "A", 22.22),
    (2, "2009-02-12", "B", 11.11),
    (3, "2009-03-03", "A", 33.33),
    (3, "2009-03-03", "A", 333.33),
    (3, "2009-03-13", "B", 3.33),
    (4, "2009-04-04", "A", 44.44),
    (4, "2009-04-05", "A", 444.44),
    (4, "2009-04-14", "B", 4.44),
    (4, "2009-04-24", "B", 4444.44),
)
GAP = "days-since-prev"
#: A table by its columns; each a numpy array of one length.
Columns = dict[str, Any]


def raw(path: str) -> None:
    write_csv(path, ["id", "date", "categ", "amount"], RAW)


def derive(source: str, target: str) -> None:
    """Days since the same customer's transaction before, missing for his first; the definition goes with the field."""
    with open(source, newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    columns: Columns = {name: [row[at] for row in rows] for at, name in enumerate(head)}
    columns |= {"id": np.array(columns["id"], "i8"), "date": np.array(columns["date"], "M8[D]")}
    columns["amount"] = np.array(columns["amount"], "f8")
    columns[GAP] = since_previous(columns["id"], columns["date"])
    for written in write_all(target, columns):
        hpcprov.define(
            f"{written}/{GAP}",
            "if id = prev id then date - prev date else missing",
            inputs=[f"{source}/id", f"{source}/date"],
        )


def since_previous(ids: Any, dates: Any) -> Any:
    gaps = np.full(len(ids), np.nan)
    same = ids[1:] == ids[:-1]
    gaps[1:][same] = (dates[1:] - dates[:-1])[same].astype("f8")
    return gaps


def measures(source: str, target: str) -> None:
    """How many transactions each customer made, how much he spent, and the longest that he stayed away."""
    import pyarrow.parquet as pq

    table = pq.read_table(source).to_pylist()
    lines = []
    for customer, rows in groupby(table, key=lambda row: row["id"]):
        bought = list(rows)
        gaps = [row[GAP] for row in bought if row[GAP] == row[GAP]]
        lines.append((customer, len(bought), round(sum(row["amount"] for row in bought), 2), max(gaps, default="nan")))
    write_csv(target, ["id", "count", "sum-amount", f"max-{GAP}"], lines)
    for name, what in (("count", "count"), ("sum-amount", "sum amount"), (f"max-{GAP}", f"max {GAP}")):
        hpcprov.define(f"{target}/{name}", f"{what} by id", inputs=[source])


def variant(stem: str) -> None:
    """Two cells of `amount` other than they were."""
    import pyarrow.parquet as pq

    columns = {name: np.asarray(column) for name, column in pq.read_table(f"{stem}.parquet").to_pydict().items()}
    columns["date"] = columns["date"].astype("M8[D]")
    columns["amount"][2], columns["amount"][7] = -11.11, 44.40
    list(write_all(f"{stem}-2", columns))


def write_all(stem: str, columns: Columns) -> list[str]:
    """The table in four formats; their paths."""
    writers = {".csv": as_csv, ".parquet": as_parquet, ".h5": as_hdf5, ".zarr": as_zarr}
    for suffix, write in writers.items():
        write(f"{stem}{suffix}", columns)
    return [f"{stem}{suffix}" for suffix in writers]


def as_csv(path: str, columns: Columns) -> None:
    write_csv(path, list(columns), list(zip(*columns.values(), strict=True)))


def as_parquet(path: str, columns: Columns) -> None:
    import pyarrow as pa
    import pyarrow.parquet as pq

    # Not from pandas: NaN would become null.
    arrays = {name: pa.array(values, from_pandas=False) for name, values in columns.items()}
    pq.write_table(pa.table(arrays), path)


def as_hdf5(path: str, columns: Columns) -> None:
    import h5py

    with h5py.File(path, "w") as file:
        for name, values in columns.items():
            values = np.asarray(values, h5py.string_dtype() if name == "categ" else None)
            file[name] = values.astype(h5py.opaque_dtype(values.dtype)) if values.dtype.kind == "M" else values


def as_zarr(path: str, columns: Columns) -> None:
    import zarr

    group = zarr.open_group(path, mode="w")
    for name, values in columns.items():
        if name == "categ":
            group.create_array(name, shape=(len(values),), dtype=str)[:] = np.asarray(values, object)
        else:
            group.create_array(name, data=np.asarray(values))


def write_csv(path: str, head: list[str], rows: Any) -> None:
    with Path(path).open("w", newline="", encoding="utf-8") as file:
        table = csv.writer(file, lineterminator="\n")
        table.writerow(head)
        table.writerows(rows)


if __name__ == "__main__":
    verb, *words = sys.argv[1:]
    {"raw": raw, "derive": derive, "measures": measures, "variant": variant}[verb](*words)
