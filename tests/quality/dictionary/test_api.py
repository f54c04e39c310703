"""Dictionaries in Python: of paths and of objects that a program holds."""

from __future__ import annotations

import json
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import polars as pl
import pytest
import xarray as xr

import hpcprov
from hpcprov.quality.dictionary.annotations import Cell, load, save
from hpcprov.record.layout import Store

DEPTH = np.array([[0.0, 1.5], [np.nan, 3.25]], "f4")


def a_dataset() -> xr.Dataset:
    depth = xr.DataArray(DEPTH, dims=("y", "x"), attrs={"units": "m", "long_name": "<b>depth</b>"})
    return xr.Dataset({"depth": depth}, attrs={"title": "A flood"})


def test_of_a_file_and_of_what_is_in_it(tmp_path: Path) -> None:
    path = tmp_path / "flood.nc"
    a_dataset().to_netcdf(path)
    found = hpcprov.dictionary(path)
    assert found.dataset["signature"] == hpcprov.signature(path).digest
    assert (found.dataset["name"], found.dataset["description"], len(found)) == ("flood.nc", "A flood", 1)
    field = found["depth"]
    assert (field["units"], field["min"], field["max"], field["missing"]) == ("m", 0.0, 3.25, 1)
    assert field["dimensions"] == ["y", "x"] and field["signature"] == hpcprov.signature(DEPTH).digest
    with pytest.raises(KeyError):
        found["wind"]
    with xr.open_dataset(path) as data:
        held = hpcprov.dictionary(data)
    assert held["depth"]["units"] == "m" and held["depth"]["max"] == 3.25 and held["depth"]["dimensions"] == ["y", "x"]
    assert held.dataset["dimensions"] == {"y": 2, "x": 2} and held.dataset["path"] is None
    with h5py.File(path) as file:
        assert hpcprov.dictionary(file["depth"]).fields[0]["max"] == 3.25


def test_without_statistics_nothing_is_read() -> None:
    found = hpcprov.dictionary(a_dataset(), stats=False)
    assert found["depth"]["max"] is None and found.dataset["signature"] is None and found["depth"]["units"] == "m"


@pytest.mark.parametrize("library", [pd, pl], ids=["pandas", "polars"])
def test_of_tables(library: object) -> None:
    table = library.DataFrame({"id": [3, 1, 1], "note": ["a", "", "a"]})  # type: ignore[attr-defined]
    found = hpcprov.dictionary(table)
    assert found.dataset["records"] == 3 and found["id"]["values"] == [[1, 2], [3, 1]]
    assert found["note"]["zeros"] == 1 and found["note"]["max_length"] == 1


def test_it_shows_itself() -> None:
    found = hpcprov.dictionary(a_dataset())
    assert "&lt;b&gt;depth&lt;/b&gt;" in found._repr_html_() and "<b>" not in found._repr_html_()
    assert json.loads(found.to_json())["fields"][0]["units"] == "m" and found.to_csv().startswith("name,")
    wide = hpcprov.dictionary(pd.DataFrame(np.zeros((1, 300))), stats=False)
    assert "and 100 more fields" in wide._repr_html_() and "and 100 more fields" in str(wide)


def test_it_is_printed_as_a_table() -> None:
    printed = str(hpcprov.dictionary(pd.DataFrame({"id": [3, 1, 1], "note": ["\x1b[31m" * 30, "", "a"]})))
    head, first, second = printed.split("\n")
    assert head.split() == ["Name", "Type", "Shape", "Min", "Max", "Missing", "Distinct"]
    assert first.split() == ["id", "i8", "3", "1", "3", "0", "2"] and head.index("Min") == first.index("1")
    assert "\x1b" not in printed and len(second) < 120


def test_what_people_wrote_is_known(tmp_path: Path) -> None:
    path = str(tmp_path / "a.npy")
    np.save(path, DEPTH)
    store = Store(str(tmp_path / ".hpcprov"))
    Path(store.runs).mkdir(parents=True)
    notes = load(store, path, None)
    notes.put("", "units", Cell("cm", "", "ada"))
    save(store, path, None, notes)
    assert hpcprov.dictionary(path)[""]["units"] == "cm"
