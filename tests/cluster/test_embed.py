"""`exec --embed` on several nodes: one of them writes the trail, once, when all ranks have ended."""

from __future__ import annotations

import json
from pathlib import Path

from .conftest import Site

# Rank 0 writes a file of its own, and every rank its chunks of one store.
APPLICATION = """
import h5py, numpy, zarr
from mpi4py import MPI
world = MPI.COMM_WORLD
if world.rank == 0:
    with h5py.File("flood.h5", "w") as file:
        file["depth"] = numpy.arange(512.0).reshape(32, 16)
    zarr.create_array("flood.zarr", shape=(8 * world.size, 16), chunks=(8, 16), dtype="f8")
world.Barrier()
rows = slice(8 * world.rank, 8 * world.rank + 8)
zarr.open_array("flood.zarr", mode="r+")[rows] = 128.0 * world.rank + numpy.arange(128.0).reshape(8, 16)
"""


def test_ranks_of_several_nodes_leave_one_entry_in_each_output(site: Site) -> None:
    (site.cwd / "application.py").write_text(APPLICATION)
    layout = ("srun", "--mpi=pmi2", "-N2", "-n4", "--ntasks-per-node=2")
    site.run(*layout, site.hpcprov, "exec", "--embed", "--", "python", "application.py")
    record = site.record()
    assert (record["ranks"]["count"], len(record["nodes"])) == (4, 2)
    made = {Path(one["path"]).name: one for one in record["artifacts"]["generated"]}
    assert {name: one["embedded"]["entries"] for name, one in made.items()} == {"flood.h5": 1, "flood.zarr": 1}
    stamps = [log.read_bytes().count(b'"embedded"') for log in site.store.glob("records/**/*.log")]
    assert (sum(stamps), max(stamps)) == (2, 2), "one node stamps"

    shown = json.loads(site.run(site.hpcprov, "trail", "--json", "flood.h5", "flood.zarr").stdout)
    for found in shown:
        (entry,) = found["entries"]
        assert (found["status"], found["told_by"], entry["run"]) == ("same", "itself", record["run"]["id"])
        assert entry["after"] == made[found["path"]]["signature"]["digest"] == found["signature"]
        assert entry["host"].endswith(" and 1 more")
        assert made[found["path"]]["storage"]["digest"] == found["storage"] != made[found["path"]]["embedded"]["before"]
    # The same values in both formats, stamped or not.
    fields = [made[name]["signature"]["fields"][0]["signature"] for name in ("flood.h5", "flood.zarr")]
    assert fields[0] == fields[1]
