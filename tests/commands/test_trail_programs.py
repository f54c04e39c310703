"""Programs that know CF's `history` and nothing of hpcprov: the trail stays, and what they did shows."""

from __future__ import annotations

import json
import shutil
import subprocess
from pathlib import Path

import numpy as np
import pytest

from commands.conftest import Call
from commands.test_trail import a_run
from hpcprov.record.layout import Store
from hpcprov.signature.artifact import describe
from tests.require import require

netCDF4 = pytest.importorskip("netCDF4")

#: Commands, and whether the values stay what they are.
OPERATORS = {
    "ncks": (["ncks", "-O", "flood.nc", "out.nc"], True),
    "ncks to NetCDF-3": (["ncks", "-O", "-3", "flood.nc", "out.nc"], True),
    "ncatted": (["ncatted", "-O", "-a", "title,global,c,c,Flood", "flood.nc", "out.nc"], True),
    "ncrcat": (["ncrcat", "-O", "flood.nc", "flood.nc", "out.nc"], False),
    "ncra": (["ncra", "-O", "flood.nc", "out.nc"], False),
}


def stamped(store: Store, call: Call, path: Path) -> None:
    """A file that the run `one` has made and that says so."""
    with netCDF4.Dataset(path, "w") as data:
        for name, size in (("time", None), ("x", 5)):
            data.createDimension(name, size)
        data.createVariable("time", "f8", ("time",))[:] = np.arange(6.0)
        data.createVariable("depth", "f4", ("time", "x"))[:] = np.arange(30.0).reshape(6, 5)
        data.history = "2020-01-01T00:00:00Z born"
    a_run(store, "one", 0, ("generated", str(path), describe(str(path))))
    assert call("stamp", str(path), "--run", "one")[0] == 0


@pytest.mark.slow
def test_netcdf_operators_keep_the_trail_and_tell_what_they_did(store: Store, call: Call, tmp_path: Path) -> None:
    require("ncks", shutil.which("ncks"))
    stamped(store, call, tmp_path / "flood.nc")
    for command, same in OPERATORS.values():
        subprocess.run(command, check=True)
        status, out, _ = call("trail", "--json", "out.nc")
        (found,) = json.loads(out)
        assert (status, found["status"]) == ((0, "same") if same else (1, "changed")), command
        assert ([entry["run"] for entry in found["entries"]], found["told_by"]) == (["one"], "itself")
        newest, own, born = found["history"]
        assert (newest.endswith(f": {' '.join(command)}"), own[-13:], born[:4]) == (True, "(hpcprov one)", "2020")


@pytest.mark.slow
def test_what_an_operator_did_between_two_runs_stands_between_them(store: Store, call: Call, tmp_path: Path) -> None:
    require("ncks", shutil.which("ncks"))
    stamped(store, call, tmp_path / "flood.nc")
    subprocess.run(["ncra", "flood.nc", "mean.nc"], check=True)
    subprocess.run(["ncatted", "-a", "title,global,c,c,Flood", "mean.nc"], check=True)
    found = describe("mean.nc")
    with netCDF4.Dataset("mean.nc", "r+") as data:
        data["depth"][0, 0] = 7.0
    path = str(tmp_path / "mean.nc")
    a_run(store, "two", 20, ("used", path, found), ("generated", path, describe(path)))
    assert call("stamp", "mean.nc", "--run", "two")[0] == 0
    status, out, _ = call("trail", "mean.nc")
    shown = [line for line in out.splitlines() if line[:3] != "  2"]
    at = shown.index("  ! changed by something that left no entry")
    assert (status, shown[at + 1]) == (1, "  its history attribute has in between:")
    assert [line.partition(": ")[2] for line in shown[at + 2 : at + 4]] == [
        "ncra flood.nc mean.nc", "ncatted -a title,global,c,c,Flood mean.nc"
    ]  # fmt: skip
    assert shown[-1] == "  OK  it is what the last entry left"
