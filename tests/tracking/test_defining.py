"""`hpcprov.define`: what it takes, and what it tells."""

from __future__ import annotations

import os
import warnings
from pathlib import Path
from typing import Any

import numpy as np
import pytest

import hpcprov
from hpcprov.data.origin import looks_like_path, origin_of, split
from hpcprov.merge.read import read_run
from hpcprov.quality.definitions import definitions_of
from hpcprov.quality.definitions.attributes import definition
from tests.tracking.conftest import Going, Place

h5py = pytest.importorskip("h5py")


def told(going: Going) -> list[dict[str, Any]]:
    found: list[dict[str, Any]] = going.record().get("definitions", [])
    return found


def test_a_field_by_its_path(going: Going) -> None:
    hpcprov.define("out.h5/g/depth", "h * 2", inputs=["flood.h5/h", "mask"], context="by cell")
    (one,) = told(going)
    here = os.getcwd()
    assert (one["path"], one["field"]) == (f"{here}/out.h5", "g/depth")
    assert (one["expression"], one["language"], one["context"]) == ("h * 2", "python", "by cell")
    assert one["inputs"] == [{"path": f"{here}/flood.h5", "field": "h"}, {"path": "", "field": "mask"}]


def test_an_open_object_of_h5py_and_its_attributes(going: Going) -> None:
    with h5py.File("out.h5", "w") as file:
        file["h"] = np.arange(4.0)
        file["g/depth"] = np.arange(4.0)
        hpcprov.define(file["g/depth"], "h * 2", inputs=[file["h"]], embed=True)
        (one,) = told(going)
        assert (one["field"], one["inputs"][0]["field"]) == ("g/depth", "h")
        embedded = definition(dict(file["g/depth"].attrs))
    assert embedded is not None
    assert (embedded["expression"], embedded["by"]) == ("h * 2", "r1")
    assert embedded["inputs"][0]["path"].endswith("/out.h5")


def test_a_file_that_the_run_made_is_no_input_of_it(going: Going) -> None:
    hpcprov.track(lambda path: Path(path).write_text("1"))("made.txt")
    Path("raw.txt").write_text("1")
    hpcprov.define("out.csv/a", "count", inputs=["made.txt", "raw.txt"])
    assert list(going.artifacts("used")) == [os.path.abspath("raw.txt")]
    told_of = [event for log in read_run(str(going.directory)) for event in log.events if event["event"] == "declared"]
    assert [event["paths"] for event in told_of if event["role"] == "used"] == [[os.path.abspath("raw.txt")]]
    assert [one["path"] for one in told(going)[0]["inputs"]] == [
        os.path.abspath(name) for name in ("made.txt", "raw.txt")
    ]


def test_open_objects_of_zarr_netcdf4_and_xarray(going: Going) -> None:
    zarr, xarray = pytest.importorskip("zarr"), pytest.importorskip("xarray")
    array = zarr.open_group("out.zarr", mode="w").create_array("g/u", data=np.arange(4.0))
    hpcprov.define(array, "v + 1", inputs=[zarr.open_array("out.zarr/g/u")], embed=True)
    (one,) = told(going)
    assert (one["path"], one["field"], one["inputs"][0]["field"]) == (f"{os.getcwd()}/out.zarr", "g/u", "g/u")
    assert array.attrs["hpcprov_definition"] == "v + 1"
    values = xarray.DataArray(np.arange(4.0), dims="x", name="t")
    values.to_dataset().to_netcdf("t.nc", engine="h5netcdf" if not has("netCDF4") else "netcdf4")
    with xarray.open_dataset("t.nc") as dataset:
        assert origin_of(dataset["t"]) == (f"{os.getcwd()}/t.nc", "t")
    if has("netCDF4"):
        import netCDF4

        with netCDF4.Dataset("t.nc") as file:
            assert origin_of(file["t"]) == (f"{os.getcwd()}/t.nc", "t")


def has(module: str) -> bool:
    import importlib.util

    return importlib.util.find_spec(module) is not None


def test_values_in_memory_and_the_name_of_an_output(going: Going) -> None:
    with hpcprov.run("block") as run:
        run.output(np.arange(10.0), name="weights")
        hpcprov.define("weights", "arange(10)", inputs=[np.ones(3)])
    (one,) = told(going)
    assert one["path"].startswith("memory:weights")
    assert one["inputs"][0]["path"].startswith("memory:values#")
    assert one["step"] == "block"
    assert one["path"] in going.artifacts("generated")


def test_without_anyone_who_watches_files_they_are_declared(going: Going) -> None:
    Path("flood.npy").touch()
    Path("out.npz").touch()
    for _ in range(3):
        hpcprov.define("out.npz/x", "h * 2", inputs=["flood.npy", "nowhere.npy"])
    assert set(going.artifacts("used")) == {f"{os.getcwd()}/flood.npy"}
    assert set(going.artifacts("generated")) == {f"{os.getcwd()}/out.npz"}
    assert len(told(going)) == 1


@pytest.mark.parametrize(
    ("arguments", "keys", "error"),
    [
        (("out.h5/x", 3), {}, TypeError),
        (("out.h5/x", " "), {}, ValueError),
        (("", "x"), {}, ValueError),
        ((3.5, "x"), {}, TypeError),
        (("out.h5/x", "x", "flood.h5/h"), {}, TypeError),
        (("out.h5/x", "x", [object()]), {}, TypeError),
        (("out.h5/x", "x"), {"context": 3}, TypeError),
        (("out.h5/x", "x"), {"language": "perl"}, ValueError),
    ],
)
def test_wrong_arguments_are_errors(going: Going, arguments: Any, keys: Any, error: type[Exception]) -> None:
    with pytest.raises(error):
        hpcprov.define(*arguments, **keys)
    assert told(going) == []


def test_what_cannot_be_embedded_is_a_warning_and_recorded_all_the_same(going: Going) -> None:
    with pytest.warns(hpcprov.ProvenanceWarning, match="no attributes"):
        hpcprov.define(np.arange(3.0), "arange(3)", embed=True)
    assert [one["expression"] for one in told(going)] == ["arange(3)"]


def test_too_many_are_one_warning(going: Going, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.tracking.recorder.MOST_DEFINITIONS", 2)
    with warnings.catch_warnings(record=True) as seen:
        warnings.simplefilter("always")
        for number in range(5):
            hpcprov.define("out.h5/x", f"h * {number}")
    assert len(seen) == 1
    assert [one["expression"] for one in told(going)] == ["h * 1"]


def test_secrets_are_left_out(going: Going) -> None:
    hpcprov.define("out.h5/x", "read('https://ada:s3cret@host/x')", context="password=hunter2")
    (one,) = told(going)
    assert "s3cret" not in one["expression"]
    assert "hunter2" not in one["context"]


def test_a_plain_script_has_a_run_of_its_own(place: Place) -> None:
    place.python(
        "import hpcprov, numpy as np\n"
        "np.savez('flood.npz', h=np.arange(100.0))\n"
        "np.savez('out.npz', depth=np.arange(100.0) * 2)\n"
        "hpcprov.define('out.npz/depth', 'h * 2', inputs=['flood.npz/h'])\n"
    )
    (record,) = place.records()
    found = definitions_of(f"{place.cwd}/out.npz", record)["depth"]
    assert found["inputs"][0]["signature"] == hpcprov.signature(str(place.cwd / "flood.npz")).fields[0].digest
    assert found["context"].startswith("[in flood.npz @ hpcprov1:")
    assert found["by"] == record["run"]["id"]


@pytest.mark.parametrize(
    ("text", "expected"),
    [
        ("a.h5/g/x", ("a.h5", "g/x")),
        ("a.h5", ("a.h5", "")),
        ("nowhere/a.nc/x", ("nowhere/a.nc", "x")),
        ("plain", ("plain", "")),
        ("there.zarr/ocean/t", ("there.zarr", "ocean/t")),
        ("v1.2/out.zarr/t", ("v1.2/out.zarr", "t")),
    ],
)
def test_a_path_and_its_field(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, text: str, expected: tuple[str, str]
) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "there.zarr" / "ocean").mkdir(parents=True)
    (tmp_path / "there.zarr" / ".zgroup").touch()
    (tmp_path / "there.zarr" / "ocean" / ".zgroup").touch()
    assert split(text) == expected


def test_what_is_the_name_of_a_field(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "h").mkdir()
    assert [looks_like_path(text) for text in ("h", "ocean/t", "a.h5", "a.h5/x", "./h")] == [
        *(False, False, True, True),
        True,
    ]


@pytest.mark.parametrize("name", ["out.h5", "out.zarr", "out.parquet"])
def test_a_definition_in_the_attributes_of_a_file_that_is_closed(going: Going, name: str) -> None:
    from hpcprov.data.attributes import read_attributes

    if name == "out.h5":
        with h5py.File(name, "w") as file:
            file["x"] = np.arange(3.0)
    elif name == "out.zarr":
        pytest.importorskip("zarr").open_group(name, mode="w").create_array("x", data=np.arange(3.0))
    else:
        parquet, arrow = pytest.importorskip("pyarrow.parquet"), pytest.importorskip("pyarrow")
        parquet.write_table(arrow.table({"x": [1.0, 2.0]}), name)
    before = hpcprov.signature(name)
    hpcprov.define(f"{name}/x", "y * 2", inputs=["y"], embed=True)
    found = definition(read_attributes(name).fields["x"])
    assert found is not None
    assert (found["expression"], found["by"], found["inputs"][0]["field"]) == ("y * 2", "r1", "y")
    assert hpcprov.signature(name) == before


def test_a_file_without_a_place_for_attributes_is_a_warning(going: Going) -> None:
    Path("out.csv").write_text("x,y\n1,2\n3,4\n")
    with pytest.warns(hpcprov.ProvenanceWarning, match="CSV has no place"):
        hpcprov.define("out.csv/x", "y * 2", embed=True)
    assert len(told(going)) == 1


def test_forked_children_and_threads_define_too(place: Place) -> None:
    place.python(
        "import hpcprov, os, threading\n"
        "with hpcprov.run('many'):\n"
        "    threads = [threading.Thread(target=hpcprov.define, args=(f'o.npz/t{n}', 'x')) for n in range(4)]\n"
        "    [one.start() for one in threads]; [one.join() for one in threads]\n"
        "    if os.fork() == 0:\n"
        "        hpcprov.define('o.npz/child', 'y')\n"
        "        os._exit(0)\n"
        "    os.wait()\n"
    )
    (record,) = place.records()
    assert [one["field"] for one in record["definitions"]] == ["child", "t0", "t1", "t2", "t3"]
