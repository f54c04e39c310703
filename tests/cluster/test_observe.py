"""What ranks on several nodes read and write, observed on each and joined: nothing is declared."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from .conftest import Site

NODES, RANKS = 4, 8
# Every rank reads one table and its own part, and writes its own chunks of one store and a file for nobody.
APPLICATION = """
import os, sys, tempfile
import numpy, zarr
from mpi4py import MPI
world = MPI.COMM_WORLD
scale = float(open("scale.csv").read())
part = numpy.load(f"part-{world.rank}.npy")
if world.rank == 0:
    zarr.create_array("field.zarr", shape=(8 * world.size, 16), chunks=(8, 16), dtype="f8")
world.Barrier()
rows = slice(8 * world.rank, 8 * world.rank + 8)
zarr.open_array("field.zarr", mode="r+")[rows] = part * scale
with tempfile.NamedTemporaryFile() as scratch:
    scratch.write(b"not kept")
world.Barrier()
if world.rank == world.size - 1:
    with open(".result.csv", "w") as table:
        table.write(f"{float(zarr.open_array('field.zarr')[:].sum())}\\n")
    os.rename(".result.csv", "result.csv")
"""


def prepare(site: Site) -> None:
    (site.cwd / "application.py").write_text(APPLICATION)
    (site.cwd / "scale.csv").write_text("2.0\n")
    make = f"import numpy\nfor k in range({RANKS}): numpy.save(f'part-{{k}}.npy', numpy.full((8, 16), float(k)))"
    site.run(site.bin / "python", "-c", make)


def seen(record: dict[str, Any], role: str) -> dict[str, list[list[int]]]:
    """The ranks that were seen to use or generate, by name."""
    found = {}
    for one in record["artifacts"][role]:
        assert one["state"] == "ok" and not one["declared"], (one["path"], one["reason"], one["observed"])
        found[Path(one["path"]).name] = one["observed"]["ranks"]
    return found


def test_ranks_of_several_nodes_write_one_store(site: Site) -> None:
    prepare(site)
    layout = ("srun", "--mpi=pmi2", f"-N{NODES}", f"-n{RANKS}", "--ntasks-per-node=2")
    site.run(*layout, site.hpcprov, "exec", "--", "python", "application.py")
    record = site.record()
    assert record["ranks"]["count"] == RANKS and record["ranks"]["missing"] == []

    observation = record["observation"]
    assert observation["complete"], observation["nodes"]
    assert len(observation["nodes"]) == NODES and all(node["lost"] == 0 for node in observation["nodes"])
    parts = {f"part-{k}.npy": [[k, k]] for k in range(RANKS)}
    assert seen(record, "used") == {"scale.csv": [[0, RANKS - 1]], **parts}
    assert seen(record, "generated") == {"field.zarr": [[0, RANKS - 1]], "result.csv": [[RANKS - 1, RANKS - 1]]}
    (python,) = (row for row in observation["programs"] if row["argv"][1:] == ["application.py"])
    assert (python["count"], python["ranks"], python["blind"]) == (RANKS, [[0, RANKS - 1]], None)
    assert [Path(one["path"]).name for one in observation["code"]] == ["application.py"]

    (store,) = (one for one in record["artifacts"]["generated"] if one["path"].endswith(".zarr"))
    again = json.loads(site.run(site.hpcprov, "hash", "--json", "field.zarr").stdout)
    assert store["signature"]["fields"][0]["signature"] in json.dumps(again)
    (table,) = (one for one in record["artifacts"]["generated"] if one["path"].endswith(".csv"))
    assert table["observed"]["renamed_from"] == str(site.cwd / ".result.csv")
