"""Both versions of two tables, written and read again."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest
from pyarrow import parquet

from hpcprov.data.open import open_data
from hpcprov.data.opened import opened
from hpcprov.quality.tables.compare import compare_tables
from hpcprov.record.errors import HpcprovError

ONE = pa.table(
    {
        "id": [1, 2, 3, 4, 5, 6],
        "amount": [1.5, None, 3.5, 4.5, 5.5, 6.5],
        "name": ["a", "b", "c", "d", "e", "f"],
        "pair": [[1, 2], [3], [], [4], [5], [6]],
        "row": [0, 0, 0, 0, 0, 0],
    }
)
OTHER = pa.table(
    {
        "id": [1, 2, 7, 3, 5, 6],
        "amount": [2.5, 1.0, 0.0, 3.5, 5.5, 6.5],
        "name": ["a", "x", "new", "c", "e", "f"],
        "pair": [[1, 2], [3], [7], [], [5], [6]],
        "row": [0, 0, 0, 0, 0, 0],
    }
)


def written(tmp_path: Path, name: str, **options: Any) -> Path:
    with opened(ONE) as one, opened(OTHER) as other:
        facts = compare_tables(one, other, key=["id"], preserve=str(tmp_path / name), **options)
    assert facts["preserved"] == {"path": str(tmp_path / name), "fields": ["amount", "name"], "left_out": []}
    return tmp_path / name


def test_both_versions_stand_beside_each_other(tmp_path: Path) -> None:
    found = parquet.read_table(written(tmp_path, "out.parquet")).to_pydict()
    assert list(found) == [
        "row_", "row-2", "status", "diff", "id", "amount", "amount-2", "diff-amount", "name", "name-2", "diff-name",
        "pair", "row",
    ]  # fmt: skip
    assert found["row_"] == [1, 2, None, 3, 4, 5, 6] and found["row-2"] == [1, 2, 3, 4, None, 5, 6]
    assert found["status"] == ["changed", "changed", "inserted", "same", "deleted", "same", "same"]
    assert found["diff"] == [True, True, True, False, True, False, False]
    assert found["amount"] == [1.5, None, None, 3.5, 4.5, 5.5, 6.5]
    assert found["amount-2"] == [2.5, 1.0, 0.0, 3.5, None, 5.5, 6.5]
    assert found["diff-amount"] == [1.0, None, None, 0.0, None, 0.0, 0.0]
    assert found["diff-name"] == [False, True, None, False, None, False, False]
    assert found["id"] == [1, 2, 7, 3, 4, 5, 6] and found["pair"][0] == "[1 2]"


@pytest.mark.parametrize("name", ["out.csv", "out.arrow", "out.zarr", "out.h5"])
def test_every_form_is_read_again(tmp_path: Path, name: str) -> None:
    with open_data(str(written(tmp_path, name))) as data:
        fields = {field.name: field for field in data.fields}
        assert len(fields) == 13 and {field.shape for field in data.fields} == {(7,)}
        assert fields["amount-2"].read(((0, 1),)).tolist() == [2.5]


def test_nothing_is_replaced_without_being_told(tmp_path: Path) -> None:
    path = written(tmp_path, "out.parquet")
    before = path.read_bytes()
    with pytest.raises(HpcprovError, match="there already"):
        written(tmp_path, "out.parquet")
    assert path.read_bytes() == before
    written(tmp_path, "out.parquet", force=True)
    with opened(ONE) as one:
        facts = compare_tables(one, one, preserve=str(tmp_path / "equal.csv"))
    assert facts["preserved"]["path"] is None and not (tmp_path / "equal.csv").exists()
