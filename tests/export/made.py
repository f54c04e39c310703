"""Runs for exports, made by the house's own merge: a chain of three, one that failed, a workflow, one still going on.

store = chain(tmp_path)      # raw.nc -> prepare -> clean.nc -> solve -> out.zarr -> plot -> figure.png
"""

from __future__ import annotations

import hashlib
import os
from pathlib import Path
from typing import Any

from merge import build
from merge.build import BEGAN, SECOND, Launch

from hpcprov.commands.choose import choose
from hpcprov.export.formats import Run
from hpcprov.record.layout import Store

OLD = Path(__file__).parents[1] / "merge/golden/before_observation/record.json"
FIELD = {"type": "f8", "shape": [4, 5], "tile": [4, 5], "bytes": 160}
IMAGE = {
    "image": "docker://ghcr.io/ocean/model:2.1",
    "format": "oci",
    "identity": {"digest": "sha256:" + "a" * 64, "of": "OCI manifest"},
}
CODE = {
    "script": {"path": "/data/solve.py", "sha256": "b" * 64, "size": 9},
    "directory": {
        "path": "/data",
        "git": {"commit": "c" * 40, "remote": {"name": "origin", "url": "https://git.example/ocean.git"}},
    },
}


def digest(text: str, algorithm: str) -> str:
    return f"{algorithm}:{hashlib.sha256(text.encode()).hexdigest()}"


def data(role: str, path: str, values: str | None, at: float, **keys: Any) -> dict[str, Any]:
    """An artifact event: `values` stands for what is in it, None for what nobody hashed."""
    told: dict[str, Any] = {"at": at, "role": role, "path": path, "state": "ok", "declared": [], "size": 160}
    if values is None:
        return told | {"state": "not hashed", "reason": "time"} | keys
    field = FIELD | {"path": "depth", "signature": digest(values, "hpcprov1")}
    signature = {"digest": digest(values + "!", "hpcprov1"), "how": "full", "kind": "tree", "fields": [field]}
    storage = {"digest": digest(path + values, "blake3"), "how": "full"}
    return told | {"signature": signature, "storage": storage, "mtime": BEGAN} | keys


def publish(store: Store, run_id: str, launch: Launch, *artifacts: dict[str, Any]) -> str:
    """Merge a launch as the run `run_id`, with artifacts; its record's directory."""
    for facts in artifacts:
        launch.add("artifact", **facts)
    return build.publish(store, run_id, launch)


def new_store(place: Path) -> Store:
    store = Store(str(place / ".hpcprov"))
    os.makedirs(store.runs, exist_ok=True)
    return store


def chain(place: Path) -> Store:
    """A store with the three runs of a chain, `prepare`, `solve` and `plot`, and `broken`, which failed."""
    store = new_store(place)
    first = Launch().start(name="prepare", argv=["./prepare", "raw.nc"]).env(LANG="C", OMP_NUM_THREADS="4").exit(at=5)
    publish(
        store,
        "prepare",
        first.agent().fact("code", CODE),
        data("used", "/data/raw.nc", "raw", 6, format="netcdf3"),
        data("generated", "/data/clean.nc", "clean", 6, format="netcdf3"),
    )
    second = Launch(launch="7-7", size=2).start(0, 20, name="solve").start(1, 20).exit(0, 30).exit(1, 31)
    publish(
        store,
        "solve",
        second.agent(20).fact("image", {"images": [IMAGE]}, at=21),
        data("used", "/data/clean.nc", "clean", 32, format="netcdf3"),
        data("generated", "/data/out.zarr", "out", 32, format="zarr3", files=3),
    )
    third = Launch(launch="8-8").start(at=40, name="plot", argv=["python", "plot.py", "a name"]).exit(at=50)
    publish(
        store,
        "plot",
        third,
        data("used", "/data/out.zarr", "out", 51, format="zarr3", files=3),
        data("used", "/data/notes", None, 51),
        data("generated", "/data/figure.png", "figure", 51, signature=None, format="file"),
    )
    publish(store, "broken", Launch(launch="9-9").start(at=60, name="broken", argv=["./broken"]).exit(at=61, code=3))
    return store


def job(number: int, rule: str, used: list[str], made: list[str]) -> dict[str, Any]:
    return {"id": number, "rule": rule, "runs": [rule], "status": "completed", "input": used, "output": made}


def workflow(place: Path, snakefile: str = "/data/Snakefile", sha256: str = "d" * 64) -> Store:
    """The chain as a workflow, `flow`: three rules, of which each had one job."""
    store = chain(place)
    fact = {
        "engine": "snakemake",
        "version": "9.27.1",
        "final": True,
        "snakefile": {"path": snakefile, "sha256": sha256},
        "rules": [
            {"name": "all", "how": "nothing", "input": ["figure.png"], "output": []},
            {"name": "prepare", "how": "shell", "shell": "./prepare", "input": ["raw.nc"], "output": ["clean.nc"]},
            {"name": "solve", "how": "wrapper", "input": ["clean.nc"], "output": ["out.zarr"]},
            {"name": "plot", "how": "script", "script": "plot.py", "input": ["out.zarr"], "output": ["figure.png"]},
        ],
        "edges": [["prepare", "solve"], ["solve", "plot"], ["plot", "all"]],
        "jobs": [
            {"id": 0, "rule": "all", "runs": [], "status": "completed", "input": ["figure.png"], "output": []},
            job(1, "prepare", ["raw.nc"], ["clean.nc"]),
            job(2, "solve", ["clean.nc"], ["out.zarr"]),
            job(3, "plot", ["out.zarr"], ["figure.png"]),
        ],
    }
    launch = Launch(launch="5-5").start(kind="workflow", at=0, name="flow", argv=["snakemake"]).exit(at=70)
    launch.agent().fact("workflow", fact)
    for run, began in (("prepare", 0), ("solve", 20), ("plot", 40)):
        told = {"node": "n1", "kind": "workflow", "argv": ["x"], "tags": {}, "name": run, "inputs": [], "outputs": []}
        launch.add("part", began + 1, run=run, began=BEGAN // SECOND + began, cwd="/data", **told)
    publish(store, "flow", launch)
    return store


def going_on(place: Path) -> Store:
    """A store with a run, `now`, whose process is this one."""
    store = new_store(place)
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    Launch(launch=f"{ticks}-{os.getpid()}").start(name="now", pid=os.getpid(), ticks=ticks).write(store.run("now"))
    return store


def runs_of(store: Store, *names: str) -> list[Run]:
    """Runs of a store as exports take them."""
    found = [choose(store, name) for name in names]
    return [Run(one.record, one.directory) for one in found]
