"""Makes a store with any number of records, as the runs of a group over some years would have left them. No logs.

python benchmarks/records.py DIRECTORY --records 100000
-> DIRECTORY/.hpcprov/records/2024/01/01/20240101T000311Z-00000000/record.json ...

Every run makes one to five arrays; twenty runs in a row are a chain, each using what the one before it made. One run in
fifty is a workflow with those before it as its parts. Records are 5 to 40 kB, as those of real runs are.
"""

from __future__ import annotations

import argparse
import os
import random
from concurrent.futures import ProcessPoolExecutor
from hashlib import sha256
from itertools import pairwise
from typing import Any

from hpcprov.merge.seal import seal
from hpcprov.record import model, moment
from hpcprov.record.canonical import canonical, digest
from hpcprov.record.layout import Store

BEGAN = 1_704_067_200  # 2024-01-01
CHAIN = 20
WORKFLOW = 50
PROJECTS = ("ocean", "albedo", "glacier", "flood", "spin-up", "ensemble")
USERS = ("ada", "grace", "emmy", "noether", "hopper")
STATUSES = ("completed",) * 17 + ("failed", "timed out", "out of memory")
NO_ACCESS = {"programs": [1], "ranks": [[0, 0]], "renamed_from": None}


def record(number: int, spread: int) -> dict[str, Any]:
    """The record of the run with this number; runs are `spread` seconds apart."""
    chance = random.Random(number)
    start = (BEGAN + number * spread) * moment.SECOND + 123_456_789
    took = chance.randrange(5, 5000)
    run_id = name_of(number, spread)
    kind = "workflow" if number % WORKFLOW == WORKFLOW - 1 else "command"
    status = chance.choice(STATUSES)
    ranks = 1 if kind == "workflow" else chance.choice((1, 1, 1, 4, 16, 64))
    nodes = [f"nid{chance.randrange(500):05d}" for _ in range(max(1, ranks // 16))]
    facts = facts_of(number, chance, kind)
    whole = number - number % WORKFLOW + WORKFLOW - 1
    made = {
        "format": model.FORMAT,
        "version": model.VERSION,
        "revision": 1,
        "run": {
            "id": run_id,
            "given": run_id,
            "kind": kind,
            "name": f"{PROJECTS[number // 1000 % len(PROJECTS)]}-{number % 7}",
            "note": None,
            "tags": {"case": f"b{number % 40}", "year": str(1850 + number % 250)},
            "parent": None,
            "part_of": {
                "job": f"slurm-alps-{4000 + number // 10}",
                "array": None,
                "workflow": name_of(whole, spread) if kind == "command" and number % 2 else None,
            },
            "previous": None,
            "argv": ["./model", "--config", f"config-{number % 100}.nml"],
            "cwd": f"/scratch/{USERS[number % len(USERS)]}/run-{number // CHAIN}",
            "umask": "0022",
            "others": [],
            "user": {"uid": 1000 + number % len(USERS), "gid": 100, "name": USERS[number % len(USERS)]},
            "start": moment.iso(start),
            "end": moment.iso(start + took * moment.SECOND),
            "last_heard": moment.iso(start + took * moment.SECOND),
            "duration_s": float(took),
            "status": status,
            "cause": None if status == "completed" else {"text": f"rank 0 {status}", "ranks": [[0, 0]]},
            "declared": {"inputs": [], "outputs": ["out/*.zarr"]},
            "options": {"hash": "now", "forward": "auto", "capture_output": False},
            "hpcprov": "0.1.0",
            "clock": "CLOCK_REALTIME",
        },
        "launcher": {"kind": "slurm" if ranks > 1 else "none", "size": ranks},
        "nodes": [
            {
                "node": node,
                "host": f"{node}.cluster",
                "boot_id": "b",
                "launches": ["1-2"],
                "agent": None,
                "unknown": None,
            }
            | {"facts": {fact["kind"]: name for name, fact in facts.items()}}
            for node in nodes
        ],
        "ranks": {"count": ranks, "missing": [], "columns": columns(ranks, took)},
        "signals": [],
        "environment": {"common": {f"SLURM_SETTING_{k}": str(k) for k in range(20)}, "varying": {}, "unknown": []},
        "facts": facts,
        "observation": None,
        "artifacts": artifacts(number, chance, start),
        "output": {"files": [], "lost_bytes": 0},
        "parts": parts(number, spread) if kind == "workflow" else [],
        "witnesses": [],
        "problems": [],
    }
    return seal(made, [], previous=None)


def name_of(number: int, spread: int) -> str:
    compact = moment.iso((BEGAN + number * spread) * moment.SECOND)[:19].replace("-", "").replace(":", "")
    return f"{compact}Z-{number:08x}"


def facts_of(number: int, chance: random.Random, kind: str) -> dict[str, Any]:
    """Facts as an agent writes them: a few machines, environments and versions of the code, which many runs share."""
    environment = number // 2000
    software = {
        "executables": [{"path": "/scratch/model", "sha256": f"{environment:064x}", "build_id": f"{environment:040x}"}],
        "libraries": [
            {"path": f"/opt/lib/libpart{k}.so.{environment % 5}", "build_id": f"{k * 97 + environment:040x}"}
            for k in range(30)
        ],
        "python": [{"executable": "python", "packages": [[f"package-{k}", f"{k}.{environment}"] for k in range(120)]}],
    }
    values = {
        "host": {
            "hostname": "n",
            "cpu": {"model": f"EPYC {environment % 3}", "threads": 128},
            "kernel": {"x": "y" * 300},
        },
        "scheduler": {
            "name": "slurm",
            "cluster": "alps",
            "job_id": str(4000 + number // 10),
            "step_id": str(number % 10),
        },
        "modules": {
            "kind": "lmod",
            "loaded": [{"name": f"gcc/{12 + environment % 3}.2"}, {"name": f"netcdf/4.{environment}"}],
        },
        "code": {"directory": {"git": {"root": "/src/model", "commit": f"{number // 500:040x}", "dirty": False}}},
        "software": software if kind == "command" else {},
        "resources": {
            "cpu": 1.5,
            "series": {name: [chance.random() for _ in range(40)] for name in ("cpu", "rss", "read")},
        },
    }
    if number % 3 == 0:
        identity = {"digest": f"sha256:{environment:064x}", "of": "primary partition"}
        image = {"path": "/images/model.sif", "image": "model.sif", "identity": identity, "labels": {"version": "1"}}
        values["image"] = {"images": [image]}
    entries = ({"kind": kind, "value": value} for kind, value in values.items())
    return {digest(entry): entry for entry in entries}


def columns(ranks: int, took: int) -> dict[str, list[Any]]:
    same = {"node": 0, "start": 0, "end": took * 10**9, "duration": took * 10**9, "pid": 100, "state": "completed"}
    same |= {"utime": 1.5, "stime": 0.2, "maxrss": 204800, "code": 0, "signal": None, "lost_output": None}
    return {"rank": [*range(ranks)], **{name: [value] * ranks for name, value in same.items()}}


def artifacts(number: int, chance: random.Random, start: int) -> dict[str, Any]:
    """What the run before it in the chain made is used, and a forcing that many runs share; something new is made."""
    used = [artifact(f"/data/forcing-{number % 30}.nc", f"forcing {number % 30}", 2, start)]
    if number % CHAIN:
        used.append(artifact(f"/scratch/run-{number // CHAIN}/out-{number - 1}.zarr", f"chain {number - 1}", 3, start))
    generated = [artifact(f"/scratch/run-{number // CHAIN}/out-{number}.zarr", f"chain {number}", 3, start)]
    for k in range(chance.randrange(5)):
        generated.append(
            artifact(f"/scratch/run-{number // CHAIN}/extra-{number}-{k}.h5", f"extra {number} {k}", 2, start)
        )
    return {"used": used, "generated": sorted(generated, key=lambda one: one["path"])}


def artifact(path: str, seed: str, fields: int, start: int) -> dict[str, Any]:
    names = [f"field{k}" for k in range(fields)]
    signature = {
        "digest": f"hpcprov1:{hexdigest(seed)}",
        "how": "full",
        "kind": "tree",
        "fields": [
            {"path": name, "type": "f8", "shape": [100, 50], "tile": [100, 50], "bytes": 40_000}
            | {"signature": f"hpcprov1:{hexdigest(seed + name)}"}
            for name in names
        ],
    }
    seen = moment.iso(start + moment.SECOND)
    return {
        "path": path,
        "observed": NO_ACCESS | {"access": "written", "first": seen, "last": seen},
        "declared": [],
        "state": "ok",
        "reason": None,
        "format": "zarr",
        "size": 1_000_000,
        "files": None,
        "mtime": start,
        "storage": {"digest": f"blake3:{hexdigest(path + seed)}", "how": "full"},
        "signature": signature,
        "unsigned": None,
    }


def parts(number: int, spread: int) -> list[dict[str, Any]]:
    return [
        {
            "run": name_of(part, spread),
            "name": None,
            "tags": {},
            "argv": ["./model"],
            "cwd": "/",
            "inputs": [],
            "outputs": [],
        }
        for part in range(number - WORKFLOW + 2, number, 2)
    ]


def hexdigest(seed: str) -> str:
    return sha256(seed.encode()).hexdigest()


def write_some(root: str, first: int, last: int, spread: int) -> None:
    """The records with numbers from `first` to before `last`; files and days have the times that they tell."""
    store = Store(root)
    days: dict[str, int] = {}
    for number in range(first, last):
        began = BEGAN + number * spread
        directory = store.record(name_of(number, spread), began)
        os.makedirs(directory)
        path = os.path.join(directory, "record.json")
        with open(path, "wb") as file:
            file.write(canonical(record(number, spread)) + b"\n")
        os.utime(path, (began, began))
        days[os.path.dirname(directory)] = began
    for day, began in days.items():
        os.utime(day, (began, began))


def write(directory: str, *, records: int, days: int = 1000) -> str:
    """A store with that many records on so many days; its root."""
    root = os.path.join(directory, ".hpcprov")
    os.makedirs(os.path.join(root, "runs"))
    spread = max(1, days * 86400 // records)
    model.parse(canonical(record(3, spread)), name="a synthetic record")
    steps = [*range(0, records, max(1, records // 64)), records]
    with ProcessPoolExecutor(len(os.sched_getaffinity(0))) as pool:
        for done in [pool.submit(write_some, root, first, last, spread) for first, last in pairwise(steps)]:
            done.result()
    return root


if __name__ == "__main__":
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("directory")
    parser.add_argument("--records", type=int, default=100_000)
    parser.add_argument("--days", type=int, default=1000)
    told = parser.parse_args()
    print(write(told.directory, records=told.records, days=told.days))
