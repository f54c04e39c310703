"""`thing.hpcprov` on the objects of xarray, pandas and polars."""

from __future__ import annotations

import importlib
import json
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hpcprov
from hpcprov.quality.definitions.attributes import definition
from tests.tracking.conftest import Going

pandas = pytest.importorskip("pandas")
polars = pytest.importorskip("polars")
xarray = pytest.importorskip("xarray")
pytest.importorskip("pyarrow")

for library in ("pandas", "polars", "xarray"):
    importlib.import_module(f"hpcprov.{library}")


@pytest.fixture
def going(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Going]:
    from hpcprov.tracking import session

    monkeypatch.delenv("HPCPROV", raising=False)
    monkeypatch.chdir(tmp_path)
    yield Going(tmp_path / "r1")
    session.state.recorder = session.state.launch = session.state.looked = None


def dataset() -> Any:
    values = np.arange(12.0).reshape(3, 4)
    values[0, 0] = np.nan
    return xarray.Dataset({"depth": (("x", "y"), values, {"units": "m"})}, coords={"x": [1, 2, 3]})


def table() -> Any:
    return pandas.DataFrame({"id": [1, 1, 2], "amount": [1.5, 2.0, 3.0]})


@pytest.mark.parametrize(
    "thing",
    [dataset(), dataset().depth, table(), table().amount, polars.DataFrame(table()), polars.Series([1, 2])],
    ids=lambda thing: f"{type(thing).__module__.partition('.')[0]}-{type(thing).__name__}",
)
def test_what_all_of_them_have(thing: Any) -> None:
    assert thing.hpcprov.signature() == hpcprov.signature(thing)
    counted = thing.hpcprov.statistics()
    found = thing.hpcprov.dictionary()
    assert {field["name"]: field["max"] for field in found.fields} == {
        name: one["max"] for name, one in counted.items()
    }
    assert "<table>" in found._repr_html_()
    same = thing.hpcprov.diff(thing)
    assert (same.status, bool(same), same.same) == ("same", False, True)
    assert "hpcprov" in repr(thing.hpcprov)


def test_what_was_read_is_of_the_attributes_too() -> None:
    found = dataset().hpcprov.dictionary()
    assert (found["depth"]["units"], found["depth"]["missing"]) == ("m", 1)
    assert dataset().hpcprov.dictionary(stats=False)["depth"]["max"] is None


def test_a_difference_of_arrays() -> None:
    other = dataset()
    other.depth[1, 2] = 7.5
    found = dataset().hpcprov.diff(other)
    assert (found.status, bool(found)) == ("different", True)
    (depth,) = (field for field in found.fields if field["path"] == "depth")
    assert (depth["differing"], depth["first"]["at"]) == (1, [1, 2])
    assert "6.0 -> 7.5" in str(found)
    assert dataset().hpcprov.diff(other, atol=2).status == "within"
    assert json.loads(found.to_json())["paths"] == ["Dataset in memory", "Dataset in memory"]


def test_a_difference_of_tables_of_two_libraries() -> None:
    other = table()
    other.loc[2, "amount"] = 9.0
    found = polars.DataFrame(table()).hpcprov.diff(other)
    assert "3.0 -> 9.0" in str(found)
    assert found.document["table"]["status"] == "different"
    assert not table().hpcprov.diff(polars.DataFrame(table()))


def test_one_name_need_not_be_a_list() -> None:
    one = pandas.DataFrame({"id": [1, 2], "amount": [1.0, 2.0]})
    other = pandas.DataFrame({"id": [2, 1], "amount": [2.0, 1.5]})
    found = one.hpcprov.diff(other, key="id").document["table"]
    assert (found["key"]["columns"], found["counts"]["changed"]) == (["id"], 1)
    arrays = xarray.Dataset({"t2m": ("x", [1.0]), "u": ("x", [1.0])})
    assert [field["path"] for field in arrays.hpcprov.diff(arrays + 1, fields="t2m").fields] == ["t2m"]


def test_a_difference_with_a_file(tmp_path: Path) -> None:
    table().to_csv(tmp_path / "t.csv", index=False)
    assert table().hpcprov.diff(tmp_path / "t.csv").same
    with pytest.raises(TypeError, match="no option preserve"):
        table().hpcprov.diff(table(), preserve="x.zarr")


def test_what_xarray_has_decoded_is_told(tmp_path: Path) -> None:
    path = tmp_path / "d.zarr"
    dataset().to_zarr(path, encoding={"depth": {"_FillValue": -999.0}}, consolidated=False)
    with xarray.open_zarr(path, consolidated=False) as decoded:
        found = decoded.hpcprov.diff(path)
        assert (found.same, "decode_cf=False" in str(found)) == (False, True)
        assert "decode_cf" not in str(decoded.hpcprov.diff(dataset() + 1))
    with xarray.open_zarr(path, consolidated=False, decode_cf=False) as stored:
        assert stored.hpcprov.diff(path).same


def test_a_hostile_name_is_no_markup_in_a_notebook() -> None:
    name = "<script>alert(1)</script>\x1b[31m"
    one, other = (pandas.DataFrame({name: [value, 1]}) for value in (1, 2))
    for shown in (one.hpcprov.dictionary()._repr_html_(), one.hpcprov.diff(other)._repr_html_()):
        assert "<script>" not in shown and "\x1b" not in shown


def test_definitions_are_recorded_and_travel_in_attributes(going: Going, tmp_path: Path) -> None:
    data = dataset()
    data["double"] = data.depth * 2
    data.hpcprov.define("double", "depth * 2", inputs=["depth"])
    data.depth.hpcprov.define("h * 1", inputs=["flood.nc/h"], context="by cell")
    table().hpcprov.define("amount", "price * number", inputs=["id"])
    polars.Series("s", [1, 2, 3]).hpcprov.define("1, 2, 3")
    told = {(one["field"], one["expression"]): one for one in going.record()["definitions"]}
    assert set(told) == {("double", "depth * 2"), ("", "h * 1"), ("amount", "price * number"), ("", "1, 2, 3")}
    assert told["double", "depth * 2"]["inputs"] == [{"path": "", "field": "depth"}]
    data.to_netcdf(tmp_path / "out.nc")
    with xarray.open_dataset(tmp_path / "out.nc") as read:
        found = definition(read.double.attrs)
    assert found is not None
    assert (found["expression"], found["by"]) == ("depth * 2", "r1")
    with pytest.raises(KeyError):
        data.hpcprov.define("nothing", "x")


def test_each_is_there_on_its_own_and_importing_hpcprov_loads_none() -> None:
    code = (
        "import sys, hpcprov\n"
        "assert not {'xarray', 'pandas', 'polars'} & set(sys.modules)\n"
        "import hpcprov.polars, polars\n"
        "assert 'xarray' not in sys.modules\n"
        "print(polars.DataFrame({'x': [1]}).hpcprov)\n"
    )
    done = subprocess.run([sys.executable, "-W", "error", "-c", code], capture_output=True, text=True)
    assert (done.returncode, done.stderr) == (0, "")
