"""Records, rows and graphs for tests of pages: made by the house's own merge, or as the catalog gives them.

store = a_store(tmp_path)                 # a `.hpcprov` with a small pipeline: raw -> flood -> figure, one failed run
graph = chain(200, seed=1)                # runs and data at random, as a lineage has them
"""

from __future__ import annotations

import os
import random
from pathlib import Path
from typing import Any

from merge.build import BEGAN, SECOND, Launch
from merge.build import publish as publish

from hpcprov.catalog.graph import Graph
from hpcprov.record.artifact import BLANK
from hpcprov.record.layout import Store


def a_store(directory: Path) -> Store:
    """Four finished runs on two days: `terrain` -> `flood` -> `figure`, and `broken`, which failed. The first two are
    parts of the workflow `pipeline`."""
    store = Store(str(directory / ".hpcprov"))
    os.makedirs(store.runs)
    publish(store, "terrain-1", run("terrain", 0, used={}, made={"terrain.npz": "aa"}))
    publish(store, "flood-1", run("flood", 60, used={"terrain.npz": "aa"}, made={"flood.h5": "bb", "flood.zarr": "cc"}))
    publish(store, "figure-1", run("figure", 90_000, used={"flood.h5": "bb"}, made={"flood.png": "dd"}))
    parts = [{"run": "terrain-1", "name": "terrain"}, {"run": "flood-1", "name": "flood"}]
    whole = run("pipeline", -5, used={}, made={}, end=80, kind="workflow")
    for one in parts:
        whole.add("part", 1, node="n1", kind="workflow", argv=["python"], tags={}, began=BEGAN, **one)
    publish(store, "pipeline-1", whole)
    publish(store, "broken-1", run("broken", 90_010, used={"flood.h5": "bb"}, made={}, code=3))
    return store


def run(
    name: str,
    at: float,
    *,
    used: dict[str, str],
    made: dict[str, str],
    code: int = 0,
    end: float | None = None,
    kind: str = "command",
) -> Launch:
    """A run of 10 s, or until `end`; `used` and `made`: of each path the byte that its signature consists of."""
    argv, told = ["python", f"{name}.py"], {"kind": kind} if kind != "command" else {}
    launch = Launch(launch=f"{100 + int(at)}-4999000").start(0, at, name=name, argv=argv, cwd="/data", **told)
    for role, found in (("used", used), ("generated", made)):
        for path, byte in found.items():
            launch.add("artifact", at + 5, **artifact(role, f"/data/{path}", byte))
    end = at + 10 if end is None else end
    return launch.exit(0, end, code, duration=int((end - at) * SECOND)).agent(at).ended(1, end + 0.1)


def artifact(role: str, path: str, byte: str) -> dict[str, Any]:
    digest = f"hpcprov1:{byte * 32}"
    field = {"path": "depth", "type": "f8", "shape": [4, 4], "tile": [4, 4], "signature": digest, "bytes": 128}
    known = {
        "state": "ok",
        "format": "hdf5",
        "size": 4096,
        "signature": {"digest": digest, "kind": "tree", "fields": [field], "how": "full"},
        "storage": {"digest": f"blake3:{byte * 32}", "how": "full"},
    }
    return {"node": "n1", "role": role, "path": path, "declared": [os.path.basename(path)]} | BLANK | known


def chain(nodes: int, *, seed: int = 0, window: int = 20, names: int = 7) -> Graph:
    """A graph of half runs, half data: each run uses up to three of the last `window` versions and makes one."""
    chance, graph = random.Random(seed), Graph()
    data: list[str] = []
    for k in range(nodes // 2):
        name = f"step{'abcdefghijklmnopqrstuvwxyz'[k % names]}"
        start = f"2026-11-21T{k // 3600 % 24:02d}:{k // 60 % 60:02d}:{k % 60:02d}Z"
        status = "failed" if k % 11 == 10 else "completed"
        node = graph.add_run(
            f"r{k}", name=name, status=status, start=start, argv=["python", f"{name}.py"], type="command"
        )
        near = data[-window:]
        for used in chance.sample(near, min(len(near), chance.randint(0, 3))):
            graph.link(used, node, role="used", join="record")
        made = graph.add_artifact(f"hpcprov1:{k:064x}", path=f"/data/{name}_{k:04d}.h5", format="hdf5", size=k * 1000)
        graph.link(node, made, role="generated", join="record")
        data.append(made)
    return graph
