"""Tables that are written: read again, they are the same table."""

from __future__ import annotations

import stat
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow as pa
import pytest
from pyarrow import parquet

from hpcprov.data.open import open_data
from hpcprov.data.opened import opened
from hpcprov.data.types import plain
from hpcprov.data.write_table import form_of, write_table
from hpcprov.record.errors import HpcprovError
from hpcprov.signature.threads import sign_field

TABLE = pa.table(
    {
        "n": pa.array([1, None, -3], pa.int32()),
        "u": pa.array([2**64 - 1, 0, 1], pa.uint64()),
        "x": pa.array([0.5, float("nan"), None], pa.float64()),
        "f": pa.array([0.5, None, 2], pa.float32()),
        "b": [True, None, False],
        "name": ["=1+1", "", "é\n\x1b[31m"],
        "raw": pa.array([b"\xff\x00", b"", None], pa.binary()),
        "day": pa.array([0, None, 20000], pa.int32()).cast(pa.date32()),
        "when": pa.array([1, None, 2**40], pa.int64()).cast(pa.timestamp("us", "UTC")),
        "local": pa.array([1, None, 2**40], pa.int64()).cast(pa.timestamp("ns")),
        "took": pa.array([1, None, -5], pa.int64()).cast(pa.duration("ms")),
    }
)


def signatures(dataset: Any) -> dict[str, tuple[str, bytes]]:
    return {field.name: (field.type.text, sign_field(field).root) for field in dataset.fields}


def written(tmp_path: Path, name: str, table: Any) -> Path:
    path = tmp_path / name
    with opened(table) as data:
        rows = table.num_rows
        cuts = [(0, rows // 2), (rows // 2, rows)]
        blocks = [[field.read((cut,)) for field in data.fields] for cut in cuts]
        assert write_table(str(path), [(field.name, field.type) for field in data.fields], blocks) == rows
    return path


@pytest.mark.parametrize("name", ["t.parquet", "t.arrow"])
def test_a_table_comes_back(tmp_path: Path, name: str) -> None:
    with open_data(str(written(tmp_path, name, TABLE))) as found, opened(TABLE) as made:
        assert signatures(found) == signatures(made)


def test_a_table_comes_back_from_csv(tmp_path: Path) -> None:
    table = TABLE.select(["x", "b", "name", "day"])
    with open_data(str(written(tmp_path, "t.csv", table))) as found, opened(table) as made:
        assert signatures(found) == signatures(made)


def test_what_has_no_column_type_becomes_text(tmp_path: Path) -> None:
    pair = pa.array([{"a": 1, "b": 0.5}, None], pa.struct([("a", pa.int64()), ("b", pa.float64())]))
    found = parquet.read_table(written(tmp_path, "t.parquet", pa.table({"p": pair, "l": [[1, 2], None]})))
    assert found.column("p").to_pylist() == ["(1, 0.5)", None]
    assert found.column("l").to_pylist() == ["[1 2]", None]


def test_nothing_is_replaced_or_left_behind(tmp_path: Path) -> None:
    path = tmp_path / "t.parquet"
    path.write_text("mine")
    with pytest.raises(HpcprovError, match="there already"):
        write_table(str(path), [("n", plain("i8"))], [[np.arange(3)]])
    assert path.read_text() == "mine"

    def failing() -> Any:
        yield [np.arange(3)]
        raise OSError(28, "No space left on device")

    with pytest.raises(HpcprovError, match="No space left"):
        write_table(str(path), [("n", plain("i8"))], failing(), replace=True)
    assert [item.name for item in tmp_path.iterdir()] == ["t.parquet"] and path.read_text() == "mine"


def test_a_table_of_mine_alone_stays_that(tmp_path: Path) -> None:
    path, seen = tmp_path / "t.csv", []
    path.touch(mode=0o600)

    def blocks() -> Any:
        seen.extend(stat.S_IMODE(item.stat().st_mode) for item in tmp_path.iterdir())
        yield [np.arange(3)]

    write_table(str(path), [("n", plain("i8"))], blocks(), replace=True)
    assert (seen, stat.S_IMODE(path.stat().st_mode), path.stat().st_size > 0) == ([0o600, 0o600], 0o600, True)


def test_other_names_are_refused() -> None:
    assert form_of("a.b/out.PARQUET") == "parquet"
    with pytest.raises(HpcprovError, match=r"\.parquet"):
        form_of("out.txt")
