"""The demo's program on 1, 2, 3 and 5 ranks: one record each, every rank in it, and the same signatures."""

from __future__ import annotations

import sys
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.agent.conftest import Site
from tests.require import require

FLOOD = Path(__file__).parents[2] / "workflows" / "flood" / "flood.py"


@pytest.mark.mpi
def test_signatures_do_not_depend_on_the_number_of_ranks(site: Site) -> None:
    library = find_spec("matplotlib")
    require("mpi", library is not None and Path(site.mpiexec).exists() and find_spec("mpi4py") is not None)
    assert library is not None and library.origin is not None
    terrain = Path(library.origin).parent / "mpl-data" / "sample_data" / "jacksboro_fault_dem.npz"
    found = {}
    for ranks in (1, 2, 3, 5):
        declared = ["--input", terrain, "--output", "flood.zarr", "--output", "flood.h5"]
        program = [sys.executable, FLOOD, "--terrain", terrain, "--out", ".", "--hours", "0.05", "--frames", "2"]
        site.call(site.mpiexec, "-n", ranks, site.launcher, "exec", *declared, "--", *program)
        record = site.record()
        assert record["ranks"]["columns"]["rank"] == list(range(ranks)) and record["run"]["status"] == "completed"
        assert record["artifacts"]["used"][0]["storage"]["how"] == ("full" if ranks == 1 else "cached")
        found[ranks] = {
            (a["format"], f["path"]): f["signature"]
            for a in record["artifacts"]["generated"]
            for f in a["signature"]["fields"]
        }
    assert found[1] == found[2] == found[3] == found[5]
    assert found[1]["zarr3", "max_depth"] == found[1]["hdf5", "max_depth"]
