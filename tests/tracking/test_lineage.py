"""From a file through arrays in memory to another file: three programs that share nothing but values."""

from __future__ import annotations

from pathlib import Path

from hpcprov.catalog import open_catalog
from tests.tracking.conftest import Place

MAKE = """
import numpy as np, hpcprov
with hpcprov.run("make", outputs=["raw.npy"]):
    np.save("raw.npy", np.arange(1000.0))
"""
CHANGE = """
import numpy as np, hpcprov
with hpcprov.run("change"):
    hpcprov.track(np.sqrt, name="root")(np.load("raw.npy"))
"""
WRITE = """
import numpy as np, hpcprov
@hpcprov.track
def write(field, path):
    np.savez(path, u=field)
write(np.sqrt(np.arange(1000.0)), "final.npz")
"""


def test_values_join_what_files_do_not(place: Place) -> None:
    for code in (MAKE, CHANGE, WRITE):
        place.python(code)
    records = {record["run"]["name"]: record["run"]["id"] for record in place.records(3)}
    with open_catalog([str(place.cwd / ".hpcprov")]) as catalog:
        graph = catalog.lineage(str(place.cwd / "final.npz"), up=True).as_json()
        down = catalog.lineage(str(place.cwd / "raw.npy"), up=False, down=True).as_json()
    for told in (graph, down):
        runs = {node["run"] for node in told["nodes"] if node.get("run")}
        assert runs >= {records["make" if told is graph else "change"], records["change"], records["program.py"]}
    verified = place.call("hpcprov", "verify", "--upstream", "final.npz").stdout
    assert "MISSING" not in verified and "memory:" not in verified
    paths = {Path(str(node.get("path"))).name.partition("#")[0] for node in graph["nodes"]}
    assert paths >= {"final.npz", "memory:write(field)"}
