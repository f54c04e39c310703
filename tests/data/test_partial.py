"""Tables with columns whose types have no signature: refused, unless those that can be read are asked for."""

from __future__ import annotations

import datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.data.open import open_data
from hpcprov.data.types import Unsigned

pa = pytest.importorskip("pyarrow")
ROWS = 4


def table(**more: Any) -> Any:
    """Columns that can be read, and others, one after the other."""
    price = pa.array([Decimal(k) for k in range(ROWS)], pa.decimal128(10, 2))
    at = pa.array([datetime.time(k) for k in range(ROWS)], pa.time64("us"))
    readable = {"id": pa.array(range(ROWS)), "name": pa.array(["a", "b", None, "c"])}
    return pa.table({"price": price, **readable, "at": at, "x": pa.array([0.5] * ROWS)} | more)


def written(path: Path, found: Any) -> Path:
    from pyarrow import feather, parquet

    if path.suffix == ".parquet":
        parquet.write_table(found, path, row_group_size=3)
    else:
        feather.write_feather(found, path, chunksize=3)
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_what_can_be_read_is_and_the_rest_is_told(tmp_path: Path, name: str) -> None:
    path = str(written(tmp_path / name, table()))
    with pytest.raises(Unsigned, match=r"^price: the type decimal128\(10, 2\) has no signature"):
        open_data(path)
    with open_data(path, partial=True) as data:
        values = {field.name: field.read(((0, ROWS),)) for field in data.fields}
        told = [(one.name, one.place, one.type, one.shape) for one in data.unread]
    assert told == [("price", 0, "decimal128(10, 2)", (ROWS,)), ("at", 3, "time64[us]", (ROWS,))]
    assert list(values) == ["id", "name", "x"] and np.array_equal(values["id"], np.arange(ROWS))
    assert values["name"][3] == b"c" and values["x"].sum() == 2


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_nothing_may_be_left(tmp_path: Path, name: str) -> None:
    path = str(written(tmp_path / name, table().select(["price"])))
    with open_data(path, partial=True) as data:
        assert data.fields == () and [one.shape for one in data.unread] == [(ROWS,)]


def test_a_table_that_can_be_read_is_the_same_either_way(tmp_path: Path) -> None:
    path = str(written(tmp_path / "t.parquet", table().select(["id", "x"])))
    with open_data(path, partial=True) as data, open_data(path) as whole:
        assert [field.name for field in data.fields] == [field.name for field in whole.fields] and data.unread == ()
