"""Ten transactions of four customers (workflows/transactions), asked everything in CSV, Parquet, HDF5 and Zarr."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path

import pytest

import hpcprov
from tests.commands.conftest import calling
from workflows.transactions import transactions

FORMATS = (".csv", ".parquet", ".h5", ".zarr")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A directory with the tables, made outside of any run."""
    folder, before = tmp_path_factory.mktemp("transactions"), os.getcwd()
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("HPCPROV", "off")
        patch.chdir(folder)
        transactions.raw("trans.csv")
        transactions.derive("trans.csv", "derived")
        transactions.measures("derived.parquet", "measures.csv")
        transactions.variant("derived")
        (folder / ".hpcprov").mkdir()
        yield folder
    assert os.getcwd() == before


def test_measures_are_what_a_person_counts(made: Path) -> None:
    rows = [line.split(",") for line in (made / "measures.csv").read_text().splitlines()]
    assert rows[0] == ["id", "count", "sum-amount", "max-days-since-prev"]
    assert [row[1] for row in rows[1:]] == ["1", "2", "3", "4"]
    assert [row[3] for row in rows[1:]] == ["nan", "10.0", "10.0", "10.0"]


def test_each_field_has_one_signature_in_all_formats(made: Path) -> None:
    found = [
        {field.path: field.digest for field in hpcprov.signature(made / f"derived{suffix}").fields}
        for suffix in FORMATS
    ]
    assert len(found[0]) == 5 and all(one == found[0] for one in found)


@pytest.mark.parametrize("suffix", FORMATS)
def test_the_dictionary_says_the_same_of_every_format(made: Path, suffix: str) -> None:
    told = hpcprov.dictionary(made / f"derived{suffix}")
    gap, amount = told["days-since-prev"], told["amount"]
    assert (gap["min"], gap["max"], gap["missing"], gap["zeros"], gap["distinct"]) == (0, 10, 4, 1, 4)
    assert gap["values"] == [[0, 1], [1, 1], [9, 1], [10, 3]]
    assert (amount["min"], amount["max"], amount["positive"], amount["duplicates"]) == (3.33, 4444.44, 10, 0)
    assert told["date"]["max"] == "2009-04-24"
    assert told["categ"]["values"] == [["A", 6], ["B", 4]]


def test_what_holds_of_one_format_holds_of_all_and_breaks_in_each_variant(
    made: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    call = calling(capsys)
    assert call("constraints", "discover", "derived.csv", "-o", "trans.tdda")[0] == 0
    for suffix in FORMATS:
        assert call("constraints", "verify", f"derived{suffix}", "trans.tdda")[0] == 0
        status, out, _ = call("verify", f"derived-2{suffix}", "trans.tdda")
        assert status == 1 and "-11.11" in out and "FAILED       amount" in out


@pytest.mark.parametrize("suffix", [".csv", ".parquet"])
def test_two_cells_of_a_table_are_all_that_differs(made: Path, suffix: str, capsys: pytest.CaptureFixture[str]) -> None:
    status, out, _ = calling(capsys)("diff", "derived.csv", f"derived-2{suffix}", "--json")
    (found,) = [one for one in json.loads(out)["table"]["fields"] if one["differing"]]
    assert (status, found["path"], found["differing"], found["first"], found["where"]) == (
        1,
        "amount",
        2,
        [3, 3],
        [8, 8],
    )
    assert found["max_abs"] == pytest.approx(400.04)


@pytest.mark.parametrize("suffix", [".h5", ".zarr"])
def test_two_elements_of_arrays_are_all_that_differs(
    made: Path, suffix: str, capsys: pytest.CaptureFixture[str]
) -> None:
    status, out, _ = calling(capsys)("diff", "derived.h5", f"derived-2{suffix}", "--json")
    (found,) = [one for one in json.loads(out)["fields"] if one["differing"]]
    assert (status, found["path"], found["differing"]) == (1, "amount", 2)
    assert found["first"] == {"at": [2], "values": [11.11, -11.11]}
    assert found["largest"]["at"] == [7] and found["largest"]["value"] == pytest.approx(400.04)
