"""A run of which everything is known: two nodes, three ranks of which one fails, all facts, data, programs, output.

record = rich(directory)       # sealed; its logs and output lie in the directory
"""

from __future__ import annotations

import os
from typing import Any

from merge.build import BEGAN, Launch, sealed

DIGEST = "ab" * 32
SERIES = {
    "time": [0.1, 1.1, 2.1, 4.1],
    "cpu": [0.4, 1.0, 1.5, 2.0],
    "rss": [1_000, 3_000_000, 2_000_000, 1_000_000],
    "read": [0, 5_000_000, 0, 0],
    "write": [0, 0, 0, 7_000_000],
    "processes": [2, 2, 2, 2],
    "threads": [4, 4, 4, 4],
}
FACTS: dict[str, Any] = {
    "host": {
        "hostname": "n",
        "architecture": "x86_64",
        "cpu": {"model": "AMD EPYC 7763", "sockets": 2, "cores": 128, "threads": 256, "isa": ["avx2"]},
        "memory": {"total": 270_000_000_000},
        "kernel": {"name": "Linux", "release": "6.1.0"},
        "os": {"pretty_name": "Debian GNU/Linux 12"},
        "cgroup": {"cpus": 64, "memory": 128_000_000_000},
        "interconnect": {"infiniband": [{"name": "mlx5_0"}]},
    },
    "user": {"name": "ada", "uid": 1000, "group": "climate"},
    "gpu": {"vendor": "nvidia", "driver": "550.1", "devices": [{"name": "NVIDIA H100"}, {"name": "NVIDIA H100"}]},
    "scheduler": {"name": "slurm", "cluster": "alps", "job_id": "4711", "step_id": "0", "partition": "normal"},
    "modules": {
        "kind": "lmod",
        "version": "8.7",
        "loaded": [{"name": "gcc/13.2", "file": "/m/gcc.lua", "sha256": DIGEST}, {"name": "zlib/1", "auto": True}],
    },
    "container": {
        "containers": [
            {"runtime": "apptainer", "image": "model.sif", "path": "/img/model.sif", "how": "argv", "size": 9}
        ]
    },
    "image": {
        "images": [
            {
                "image": "model.sif",
                "path": "/img/model.sif",
                "format": "sif",
                "identity": {"digest": f"sha256:{DIGEST}", "of": "primary partition"},
                "storage": {"digest": f"blake3:{DIGEST}"},
                "labels": {"org.label": "yes"},
            }
        ]
    },
    "code": {
        "script": {
            "path": "/home/ada/model/solve.py",
            "sha256": DIGEST,
            "size": 99,
            "git": {
                "root": "/home/ada/model",
                "commit": "3f1c" * 10,
                "branch": "main",
                "dirty": True,
                "diff": {"sha256": DIGEST, "size": 3},
                "untracked": 2,
                "remote": {"name": "origin", "url": "https://example.org/ada/model.git"},
            },
        },
        "directory": {"path": "/data", "git": {"reason": "not a git repository"}},
    },
    "software": {
        "executables": [{"path": "/opt/venv/bin/python3.11", "sha256": DIGEST, "size": 7}],
        "libraries": [{"path": "/opt/lib/libhdf5.so.310", "build_id": "cd" * 20}],
        "python": [
            {
                "executable": "python",
                "version": "3.11",
                "packages": [["numpy", "2.1.0"], ["h5py", "3.12.1"]],
                "path": [],
            }
        ],
    },
    "darshan": {
        "logs": [
            {
                "log": "/logs/ada_solve.darshan",
                "processes": 3,
                "files": [
                    {"modules": {"POSIX": {"bytes_read": 4_200_000, "bytes_written": 7}, "MPI-IO": {"bytes_read": 1}}}
                ],
            }
        ]
    },
    "resources": {"cpu": 4.9, "read": 5_000_000, "write": 7_000_000, "rss": 3_000_000, "series": SERIES},
}


def rich(directory: str | os.PathLike[str], **keys: Any) -> dict[str, Any]:
    """The sealed record; `keys` of the start events may be given."""
    nodes = [Launch(f"n{k}", f"7{k}-30{k}", size=3, nodes=2, observe="preload") for k in range(2)]
    for rank, log in ((0, nodes[0]), (1, nodes[0]), (2, nodes[1])):
        told = {"argv": ["python", "solve.py"], "name": "solve", "note": "Does it converge?", "tags": {"case": "b1"}}
        log.start(rank, at=rank / 10, capture_output=True, inputs=["in.nc"], outputs=["out*"], **(told | keys))
        log.env(rank, SLURM_JOB_ID="4711", SLURM_PROCID=str(rank), PATH="/usr/bin")
        log.print(rank, 1 + rank, f"\x1b[32mstep 1\x1b[0m of rank {rank}\n")
    nodes[1].print(2, 4, "10 %\r50 %\rno convergence\n", stream=2)
    for k, log in enumerate(nodes):
        log.agent(at=0.5)
        for kind, value in FACTS.items():
            if kind != "image" or not k:
                log.fact(kind, value)
        log.add("program", 9, node=log.node, entries=programs(k))
        log.add("observation", 9, node=log.node, value=observation())
    nodes[0].exit(0, at=8).exit(1, at=9).ended(2, at=10)
    nodes[1].exit(2, at=5, code=7).ended(1, at=10)
    for event in artifacts():
        nodes[0].add("artifact", 9.5, **event)
    nodes[0].add("problem", 5, text="the disk is nearly full", node="n0", rank=1)
    for log in nodes:
        log.write(directory)
    return sealed(str(directory))


def programs(k: int) -> list[dict[str, Any]]:
    times = {"began": BEGAN + 10**9, "ended": BEGAN + 5 * 10**9, "cwd": "/data", "sha256": DIGEST}
    shell = {"id": 1, "parent": 0, "path": "/usr/bin/python", "argv": ["python", "solve.py"], "ranks": [[k, k]]}
    tool = {"id": 2, "parent": 1, "path": "/opt/mesh", "argv": ["mesh", "-x"], "count": 2, "ranks": [[k, k]]}
    return [shell | times | {"status": 0}, tool | times | {"exits": {"0": 1, "-9": 1}}]


def observation() -> dict[str, Any]:
    package = {"prefix": "/opt/venv", "kind": "python package", "name": "numpy", "version": "2.1.0", "files": 30}
    code = [{"path": "/home/ada/model/solve.py", "sha256": DIGEST, "size": 99}]
    told = {"how": "preload", "lost": 0, "cut": 0, "classes": {}, "software": [package], "code": code}
    return told | {"complete": True, "reasons": []}


def artifacts() -> list[dict[str, Any]]:
    """An input with two fields, an output that could not be hashed."""
    fields = [
        {"path": path, "type": "f4", "shape": shape, "tile": shape, "signature": f"hpcprov1:{DIGEST}", "bytes": 8}
        for path, shape in (("t2m", [721, 1440]), ("time", []))
    ]
    signature = {"digest": f"hpcprov1:{DIGEST}", "how": "full", "kind": "tree", "fields": fields}
    storage = {"digest": f"blake3:{DIGEST}", "how": "full"}
    used = {"role": "used", "path": "/data/in.nc", "declared": ["in.nc"], "state": "ok", "format": "hdf5"}
    used |= {"size": 4_000_000, "storage": storage, "signature": signature}
    made = {"role": "generated", "path": "/data/out.h5", "declared": ["out*"], "state": "unreadable"}
    made |= {"reason": "it is truncated", "format": "hdf5", "size": 10, "storage": None, "signature": None}
    common = {"files": None, "mtime": BEGAN, "unsigned": None, "reason": None, "node": "n0"}
    return [common | used, common | made]
