"""Writes the golden records anew from the committed logs: only when the record's format changes on purpose.

PYTHONPATH=.:tests python -m merge.make_golden          # records from logs
PYTHONPATH=.:tests python -m merge.make_golden --logs   # the logs too, from `cases` below
"""

from __future__ import annotations

import json
import sys
from pathlib import Path

from .build import BEGAN, SECOND, Launch, sealed

GOLDEN = Path(__file__).parent / "golden"
BOOT = "4b1f6c1e-0000-4000-8000-000000000001"
DIGEST = "ab" * 32


def cases() -> dict[str, list[Launch]]:
    """The runs whose logs are committed."""
    one = Launch("login1", "5000-77", launcher="none", size=1, boot_id=BOOT).start(
        argv=["./model", "naïve", "\udcff", "x y"]
    )
    one.env(PATH="/usr/bin", HOME="/home/ada").exit(at=2.5)
    mpi = [
        Launch(f"nid00{k}", f"9{k}-20{k}", launcher="slurm", size=4, nodes=2, boot_id=f"{BOOT[:-1]}{k}")
        for k in range(2)
    ]
    for rank in range(4):
        log = mpi[rank // 2]
        log.start(
            rank,
            at=rank / 8,
            local_rank=rank % 2,
            argv=["./ocean" if rank == 3 else "./atmosphere"],
            run="slurm-alps-4711.0",
        )
        log.env(rank, at=rank / 8, SLURM_JOB_ID="4711", SLURM_PROCID=str(rank), OMP_NUM_THREADS="8")
        log.add("signal", 9, rank=rank, pid=7, signal=15, from_pid=1, from_uid=0, forwarded=True) if rank != 2 else log
        log.exit(rank, at=8, code=1) if rank == 2 else log.killed(rank, at=9 + rank)
    for k, log in enumerate(mpi):
        log.agent(at=0.5).fact("host", {"cpu": {"model": "EPYC", "threads": 128}}).fact(
            "scheduler", {"name": "slurm", "job_id": "4711"}
        )
        log.fact("modules", {"kind": "lmod", "loaded": [{"name": "gcc/13"}]}).fact("gpu", error="no nvidia-smi").ended(
            2, at=13 + k
        )
        log.print(2 * k, 3, f"from rank {2 * k}\n").print(2 * k, 3, "warning\n", stream=2)
    mpi[1].add("artifact", 14, **artifact()).add("problem", 5, text="the disk is nearly full", node="nid001", rank=3)
    twice = [
        Launch("n1", f"{k}-{k}", boot_id=BOOT).start(launch_time=BEGAN + k * 60 * SECOND, at=60 * k).exit(at=60 * k + 5)
        for k in (1, 2)
    ]
    return {
        "one": [one],
        "mpi": mpi,
        "lost": [Launch("n1", size=3, boot_id=BOOT).start(0).start(1).exit(0).add("lost", 5, node="n1", rank=1)],
        "twice": twice,
        "observed": observed(),
    }


def observed() -> list[Launch]:
    """Two ranks on two nodes that were observed: what was declared, what was not, a store, a program that is blind."""
    nodes = [Launch(f"n{k}", f"7{k}-30{k}", size=2, nodes=2, boot_id=BOOT, observe="preload") for k in range(2)]
    for k, log in enumerate(nodes):
        log.start(k, inputs=["in.nc"], outputs=["out.zarr"]).agent(at=0.5)
        log.add(
            "declared",
            0.6,
            node=log.node,
            role="used",
            cwd="/data",
            pattern="in.nc",
            paths=["/data/in.nc"],
            reason=None,
        )
        log.add("access", 5, node=log.node, entries=[access("/data/in.nc", k, read=True, began=[100, BEGAN])])
        log.add("access", 9, node=log.node, entries=accesses(k))
        log.add("program", 9, node=log.node, entries=programs(k))
        log.add("observation", 9, node=log.node, value=observation(k))
        log.exit(k, at=10).ended(1, at=11)
    return [nodes[0].add("unsigned", 12, node="n0", most=3, reason="time"), nodes[1]]


def access(path: str, rank: int, *, programs: tuple[int, ...] = (1,), **keys: object) -> dict[str, object]:
    told = {"path": path, "read": False, "written": False, "first": BEGAN + SECOND, "last": BEGAN + 8 * SECOND}
    told |= {"ranks": [[rank, rank]], "programs": list(programs), "from": None, "began": None, "ended": None}
    return told | {"gone": False, "overwritten": False, "store": None, "files": 1} | keys


def accesses(k: int) -> list[dict[str, object]]:
    stamp = [100, BEGAN]
    return [
        access("/data/in.nc", k, read=True, began=stamp, ended=stamp),
        access("/data/out.zarr", k, written=True, store="zarr", files=4 + k),
        access(f"/data/final{k}.npy", k, written=True, ended=[4096, BEGAN], **{"from": f"/data/tmp{k}.npy"}),
        access("/data/state.bin", k, read=True, written=True, overwritten=True, began=stamp, ended=[200, BEGAN + 1]),
        access(f"/data/gone{k}.tmp", k, written=True, gone=True),
        access("/data/\udcff name\n", k, read=True, began=stamp, ended=stamp, programs=(2,)),
        {"path": "relative"},
    ]


def programs(k: int) -> list[dict[str, object]]:
    shell = {"id": 1, "parent": 0, "rank": k, "pid": 70, "path": "/usr/bin/bash", "argv": ["bash", "job.sh"]}
    tool = {"id": 2, "parent": 1, "path": "/opt/tool", "argv": ["tool", "-x"], "blind": "static", "count": 3}
    times = {"began": BEGAN + SECOND, "ended": BEGAN + 9 * SECOND, "cwd": "/data", "sha256": DIGEST}
    return [shell | times | {"status": 0}, tool | times | {"exits": {"0": 2, "-9": 1}, "ranks": [[k, k]]}]


def observation(k: int) -> dict[str, object]:
    package = {"prefix": "/opt/venv", "kind": "python package", "name": "numpy", "version": "2.0", "files": 30 + k}
    return {
        "how": "preload",
        "lost": 2 * k,
        "cut": 0,
        "classes": {"data": {"files": 6}, "system": {"files": 90}, "nonsense": {"files": 1}},
        "software": [package],
        "code": [{"path": "/data/job.sh", "sha256": DIGEST, "size": 80}],
        "counted": [{"path": "/usr/bin/true", "blind": None, "count": 10_000}],
        "directories": [{"path": "/data/many", "read": 0, "written": 5}],
        "complete": True,
        "reasons": [],
    }


def artifact() -> dict[str, object]:
    field = {
        "path": "u",
        "type": "f8",
        "shape": [10, 10],
        "tile": [10, 10],
        "signature": f"hpcprov1:{DIGEST}",
        "bytes": 800,
    }
    signature = {"digest": f"hpcprov1:{DIGEST}", "how": "full", "kind": "tree", "fields": [field]}
    storage = {"digest": f"blake3:{DIGEST}", "how": "full"}
    facts = {
        "role": "generated",
        "path": "/data/out.h5",
        "declared": ["out*"],
        "state": "ok",
        "reason": None,
        "format": "hdf5",
        "size": 2048,
    }
    return facts | {
        "files": None,
        "mtime": BEGAN + 9 * SECOND,
        "storage": storage,
        "signature": signature,
        "unsigned": None,
    }


def record_text(directory: Path) -> str:
    """The record of the logs in a directory, one line for each value, as it is committed."""
    return json.dumps(sealed(str(directory), "golden"), indent=1, sort_keys=True) + "\n"


def main() -> None:
    for name, launches in cases().items():
        directory = GOLDEN / name
        if "--logs" in sys.argv:
            for old in directory.glob("*.*"):
                old.unlink()
            for launch in launches:
                launch.write(directory)
        if name != "twice":
            (directory / "record.golden.json").write_text(record_text(directory), encoding="utf-8")


if __name__ == "__main__":
    main()
