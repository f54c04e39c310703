"""Tables in memory: each has the signature of the file that holds the same values, where the rules say so."""

from __future__ import annotations

import datetime
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pandas as pd
import polars as pl
import pyarrow as pa
import pytest

import hpcprov
from hpcprov.data.types import Unsigned

DAY = datetime.datetime(2026, 1, 2, 3, 4, 5)
PANDAS: dict[str, Callable[[], pd.DataFrame]] = {
    "numbers": lambda: pd.DataFrame({"i": [1, 2, 3], "f": [0.5, -0.0, 1e300], "b": [True, False, True]}),
    "missing": lambda: pd.DataFrame(
        {"f": [0.5, np.nan, 2.0], "s": ["x", None, "z"], "n": pd.array([1, None, 3], "Int64")}
    ),
    "texts": lambda: pd.DataFrame({"s": ["a", "", "ü" * 50], "c": pd.Categorical(["u", "v", "u"])}),
    "times": lambda: pd.DataFrame({"t": pd.to_datetime([DAY, None, DAY]), "d": pd.to_timedelta([1, 2, 3], "s")}),
    "an index": lambda: pd.DataFrame({"v": [1, 2]}, index=pd.Index(["x", "y"], name="station")),
    "two of them": lambda: pd.DataFrame({"v": [1]}, index=pd.MultiIndex.from_tuples([("a", 1)], names=["k", "l"])),
    "no rows": lambda: pd.DataFrame({"v": np.zeros(0)}),
    "no columns": lambda: pd.DataFrame(),
    "slices": lambda: pd.DataFrame({"v": range(100)})[10:90:3].reset_index(drop=True),
}


@pytest.mark.parametrize("name", PANDAS)
def test_a_pandas_table_is_its_parquet_file(name: str, tmp_path: Path) -> None:
    table = PANDAS[name]()
    table.to_parquet(tmp_path / "t.parquet")
    found = hpcprov.signature(table)
    assert found.digest == hpcprov.signature(tmp_path / "t.parquet").digest
    assert found.kind == "table"


POLARS: dict[str, Callable[[], pl.DataFrame]] = {
    "numbers": lambda: pl.DataFrame({"i": [1, None, 3], "f": [0.5, float("nan"), None]}),
    "texts": lambda: pl.DataFrame({"s": ["a", None, "c" * 100], "b": [b"x", b"", None]}),
    "times": lambda: pl.DataFrame({"t": [DAY, None], "d": [DAY.date(), None]}),
    "lists": lambda: pl.DataFrame({"l": [[1, 2], [], [3]]}),
    "several chunks": lambda: pl.concat([pl.DataFrame({"v": [k, k]}) for k in range(5)], rechunk=False),
}


@pytest.mark.parametrize("name", POLARS)
def test_a_polars_table_is_its_parquet_and_arrow_file(name: str, tmp_path: Path) -> None:
    table = POLARS[name]()
    table.write_parquet(tmp_path / "t.parquet")
    table.write_ipc(tmp_path / "t.arrow")
    digests = {hpcprov.signature(thing).digest for thing in (table, tmp_path / "t.parquet", tmp_path / "t.arrow")}
    assert len(digests) == 1


def test_a_table_of_plain_columns_is_its_csv_file(tmp_path: Path) -> None:
    table = pd.DataFrame({"i": [1, 2, 3], "f": [0.5, np.nan, 2.5], "s": ["x", "y", "z"]})
    table.to_csv(tmp_path / "t.csv", index=False)
    assert hpcprov.signature(table).digest == hpcprov.signature(tmp_path / "t.csv").digest


VALUES = [1.5, 2.5, -3.0]


@pytest.mark.parametrize("column", [pd.Series(VALUES), pl.Series(VALUES), pa.array(VALUES), pa.chunked_array([VALUES])])
def test_a_column_is_the_array_of_its_values(column: Any) -> None:
    found = hpcprov.signature(column)
    assert (found.digest, found.kind) == (hpcprov.signature(np.array(VALUES)).digest, "array")


@pytest.mark.parametrize("table", [pa.table({"v": [1, 2]}), pa.record_batch({"v": pa.array([1, 2])})])
def test_arrows_own_tables(table: Any) -> None:
    assert hpcprov.signature(table).digest == hpcprov.signature(pl.DataFrame({"v": [1, 2]})).digest


def test_what_differs_has_another_signature() -> None:
    tables = [
        pl.DataFrame({"v": [1.0]}),
        pl.DataFrame({"v": [1]}),
        pl.DataFrame({"w": [1.0]}),
        pl.DataFrame({"v": [float("nan")]}),
        pl.DataFrame({"v": [None]}, schema={"v": pl.Float64}),
        pl.DataFrame({"v": [1.0, 1.0]}),
    ]
    assert len({hpcprov.signature(table).digest for table in tables}) == len(tables)


REFUSED: list[Any] = [
    pd.DataFrame({"o": [1, "a", object()]}),
    pd.DataFrame([[1, 2]], columns=["a", "a"]),
    pl.DataFrame({"o": [object()]}, schema={"o": pl.Object}),
    pd.Series([1 + 2j]),
]


@pytest.mark.parametrize("table", REFUSED, ids=lambda table: str(type(table)))
def test_what_has_no_signature_says_so(table: Any) -> None:
    with pytest.raises(Unsigned):
        hpcprov.signature(table)


@pytest.mark.parametrize("thing", [pl.DataFrame({"v": [1]}).lazy(), pd.Index([1]).dtype, pa.int64()])
def test_other_objects_are_refused(thing: Any) -> None:
    with pytest.raises(TypeError, match="has no signature"):
        hpcprov.signature(thing)
