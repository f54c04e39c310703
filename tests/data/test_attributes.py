"""Attributes are the same whatever the format, and bounded whatever the file holds."""

from __future__ import annotations

import base64
import json
import struct
from pathlib import Path
from typing import Any

import h5py
import numpy as np
import pytest
import zarr

from hpcprov.data import attributes as module
from hpcprov.data import attributes_hdf5
from hpcprov.data.attributes import Attributes, attributes_of, cf, missing_values, read_attributes, storage_of
from hpcprov.data.open import open_data
from hpcprov.data.types import Text, plain

netCDF4 = pytest.importorskip("netCDF4")
pa = pytest.importorskip("pyarrow")
pq = pytest.importorskip("pyarrow.parquet")
xr = pytest.importorskip("xarray")

VALUES = np.arange(12, dtype="f4").reshape(3, 4)
WHOLE = {"title": "Flöod", "count": 3, "bounds": [1.5, 2.5]}
DEPTH = {"units": "m", "long_name": "depth of the flood"}


def dataset() -> Any:
    return xr.Dataset({"depth": (("time", "lat"), VALUES, DEPTH), "n": (("lat",), np.arange(4))}, attrs=WHOLE)


WRITERS: dict[str, Any] = {
    "a.nc": lambda path: dataset().to_netcdf(path, engine="netcdf4"),
    "b.nc": lambda path: dataset().to_netcdf(path, engine="h5netcdf") if has("h5netcdf") else None,
    "c.nc": lambda path: dataset().to_netcdf(path, format="NETCDF3_CLASSIC", engine="netcdf4"),
    "d.zarr": lambda path: dataset().to_zarr(path, zarr_format=2, consolidated=False),
    "e.zarr": lambda path: dataset().to_zarr(path, zarr_format=3, consolidated=False),
}


def has(name: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(name) is not None


@pytest.mark.filterwarnings("ignore")
@pytest.mark.parametrize("name", [name for name in WRITERS if name != "b.nc" or has("h5netcdf")])
def test_one_dataset_in_all_formats(tmp_path: Path, name: str) -> None:
    path = str(tmp_path / name)
    WRITERS[name](path)
    found = read_attributes(path)
    assert found.dataset == WHOLE
    assert {key: value for key, value in found.fields["depth"].items() if key != "_FillValue"} == DEPTH
    assert found.skipped == []
    with open_data(path) as data:
        assert {field.name for field in data.fields} == set(found.fields) == set(storage_of(path))
    assert storage_of(path)["depth"].dimensions == ["time", "lat"]
    assert storage_of(path)["n"].dimensions == ["lat"]


def test_parquet_and_arrow(tmp_path: Path) -> None:
    field = pa.field("amount", pa.float64(), metadata={"units": "EUR"})
    table = pa.table([[1.5, None], ["a", "b"]], schema=pa.schema([field, ("s", pa.string())], {"title": "Trans"}))
    pq.write_table(table, tmp_path / "t.parquet", compression="zstd")
    with pa.OSFile(str(tmp_path / "t.arrow"), "wb") as sink, pa.ipc.new_file(sink, table.schema) as writer:
        writer.write_table(table)
    for name in ("t.parquet", "t.arrow"):
        found = read_attributes(str(tmp_path / name))
        assert (found.dataset, found.fields) == ({"title": "Trans"}, {"amount": {"units": "EUR"}, "s": {}})
    assert storage_of(str(tmp_path / "t.parquet"))["amount"].codec == "zstd"
    assert attributes_of(table).fields == {"amount": {"units": "EUR"}, "s": {}}


def test_formats_without_attributes_have_none(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", VALUES)
    (tmp_path / "a.csv").write_text("a,b\n1,2\n3,4\n")
    for name in ("a.npy", "a.csv"):
        assert read_attributes(str(tmp_path / name)) == Attributes()


def test_what_hdf5_keeps_for_itself_and_what_is_no_value(tmp_path: Path) -> None:
    with h5py.File(tmp_path / "a.h5", "w") as file:
        data = file.create_dataset("g/x", data=np.arange(10.0), chunks=(5,), compression="gzip", shuffle=True)
        scale = file.create_dataset("scale", data=np.arange(10.0))
        scale.make_scale("time")
        data.dims[0].attach_scale(scale)
        file.attrs["flag"] = True
        file.attrs["texts"] = ["a", "bé"]
        file.attrs["empty"] = h5py.Empty("S1")
        file.attrs["reference"] = data.ref
        file.attrs["many"] = ["text"] * 300
        file.attrs["pair"] = np.array((1, 2), [("a", "i4"), ("b", "i4")])
        file.attrs["blank padded"] = np.array("abc  ", "S8")
    found = read_attributes(str(tmp_path / "a.h5"))
    assert found.dataset == {"flag": True, "texts": ["a", "bé"], "empty": "", "blank padded": "abc  "}
    assert found.fields == {"g/x": {}, "scale": {}}
    assert sorted(name for _, name, _ in found.skipped) == ["many", "pair", "reference"]
    stored = storage_of(str(tmp_path / "a.h5"))
    assert (stored["g/x"].chunks, stored["g/x"].codec, stored["g/x"].dimensions) == (
        [5],
        "shuffle, deflate(4)",
        ["scale"],
    )


def test_large_values_and_many_are_left_out(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "MOST_ATTRIBUTES", 5)
    group = zarr.open_group(str(tmp_path / "a.zarr"), mode="w", zarr_format=3)
    group.attrs["large"] = "x" * (module.MOST_OCTETS + 1)
    group.attrs.update({f"a{number}": number for number in range(8)})
    found = read_attributes(str(tmp_path / "a.zarr"))
    assert len(found.dataset) == 5
    assert len(found.skipped) == 4
    assert "large" in {name for _, name, _ in found.skipped}


def test_of_many_attributes_in_hdf5_no_more_are_opened_than_are_taken(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    with h5py.File(tmp_path / "a.h5", "w", libver="latest") as file:
        file["x"] = [1.0]
        for number in range(100):
            file["x"].attrs[f"a{number}"] = number
    monkeypatch.setattr(module, "MOST_ATTRIBUTES", 5)
    monkeypatch.setattr(attributes_hdf5, "MOST_ATTRIBUTES", 5)
    opened, real = [], attributes_hdf5.h5a.open
    monkeypatch.setattr(attributes_hdf5.h5a, "open", lambda *of, **how: opened.append(of) or real(*of, **how))
    found = read_attributes(str(tmp_path / "a.h5"))
    assert len(found.fields["x"]) == len(opened) == 5
    assert found.skipped[0][2] == "more than 5 attributes"


def test_hostile_json(tmp_path: Path) -> None:
    (tmp_path / "a.zarr").mkdir()
    document = {"zarr_format": 3, "node_type": "group", "attributes": ["no", "object"]}
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(document))
    assert read_attributes(str(tmp_path / "a.zarr")) == Attributes()
    document["attributes"] = {"deep": {"a": 1}, "null": None, "text": "\udc80\x1b[31m"}
    (tmp_path / "a.zarr" / "zarr.json").write_text(json.dumps(document))
    found = read_attributes(str(tmp_path / "a.zarr"))
    assert found.dataset == {"text": "\udc80\x1b[31m"}
    assert len(found.skipped) == 2
    attributes = '{"deep": ' + "[" * 600 + "]" * 600 + ', "a": 1}'
    (tmp_path / "a.zarr" / "zarr.json").write_text(
        f'{{"zarr_format": 3, "node_type": "group", "attributes": {attributes}}}'
    )
    found = read_attributes(str(tmp_path / "a.zarr"))
    assert found.dataset == {"a": 1} and found.skipped == [("", "deep", "nested too deeply")]


@pytest.mark.parametrize(
    ("attributes", "kind", "expected"),
    [
        ({"_FillValue": 1e20}, plain("f4"), [float(np.float32(1e20))]),
        ({"_FillValue": float("nan"), "missing_value": [-1.0, -2.0]}, plain("f8"), [-1.0, -2.0]),
        ({"_FillValue": -999.0, "missing_value": -999}, plain("i2"), [-999]),
        ({"_FillValue": 1 << 40, "missing_value": 1.5}, plain("i4"), []),
        ({"_FillValue": (1 << 64) - 1}, plain("u8"), [(1 << 64) - 1]),
        ({"_FillValue": base64.b64encode(struct.pack("<d", -5.0)).decode()}, plain("f4"), [-5.0]),
        ({"_FillValue": "n/a"}, Text(), ["n/a"]),
        ({"_FillValue": "n/a"}, plain("i4"), []),
        ({}, plain("f8"), []),
    ],
)
def test_missing_values(attributes: dict[str, Any], kind: Any, expected: list[Any]) -> None:
    assert missing_values(attributes, kind) == expected


def test_cf_attributes_are_picked() -> None:
    assert cf({"units": "m", "mine": 1, "long_name": "depth"}) == {"units": "m", "long_name": "depth"}


def test_open_objects(tmp_path: Path) -> None:
    assert attributes_of(dataset()).fields["depth"] == DEPTH
    assert attributes_of(dataset()["depth"]).fields == {"": DEPTH}
    with h5py.File(tmp_path / "a.h5", "w") as file:
        file.attrs["a"] = 1
        file["x"] = VALUES
        file["x"].attrs["units"] = "m"
        assert attributes_of(file).fields == {"x": {"units": "m"}}
        assert attributes_of(file["x"]).fields == {"": {"units": "m"}}
    assert attributes_of(VALUES) == Attributes()


@pytest.mark.parametrize("form", [2, 3])
def test_codecs_of_zarr(tmp_path: Path, form: int) -> None:
    path = str(tmp_path / "a.zarr")
    group = zarr.open_group(path, mode="w", zarr_format=form)
    options: dict[str, Any] = {"shards": (4, 4)} if form == 3 else {}
    group.create_array("x", shape=(8, 8), chunks=(2, 2), dtype="f4", fill_value=-1, **options)
    stored = storage_of(path)["x"]
    assert (stored.chunks, stored.shards, stored.fill) == ([2, 2], [4, 4] if form == 3 else None, -1.0)
    assert stored.codec == {2: "blosc(lz4 5)", 3: "zstd(0)"}[form]
