"""Makes the logs of a run of any size, as its launchers and agents would have written them.

python benchmarks/frames.py DIRECTORY --ranks 10000 --per-node 128
-> DIRECTORY/.hpcprov/runs/bench/nid00000.100-200.0.log ...
"""

from __future__ import annotations

import argparse
import os
from collections.abc import Iterator
from typing import Any

from hpcprov.record import frame
from hpcprov.record.layout import Store, log_name

BEGAN = 1_795_000_000 * 10**9
SECOND = 10**9
SHARED = {f"SLURM_SETTING_{k:02d}": "value of a setting that all ranks share" for k in range(40)}


def start(
    rank: int, size: int, per_node: int, *, run_id: str = "bench", launch: str = "100-200", **keys: Any
) -> dict[str, Any]:
    """The start event of one rank."""
    node, local = divmod(rank, per_node)
    moment = BEGAN + rank * 1000
    event: dict[str, Any] = {
        "v": 1,
        "event": "start",
        "time": moment,
        "boot": moment - BEGAN + 10**12,
        "rank": rank,
        "pid": 1000 + local,
        "run": run_id,
        "n": 0,
        "node": node_name(node),
        "host": f"{node_name(node)}.cluster",
        "boot_id": f"boot-{node}",
        "ticks": 5000 + local,
        "launch": launch,
        "launch_time": BEGAN - SECOND,
        "launcher": "slurm",
        "size": size,
        "local_rank": local,
        "local_size": min(per_node, size - node * per_node),
        "nodes": -(-size // per_node),
        "argv": ["./model", "--config", "config.nml"],
        "cwd": "/scratch/ada/run",
        "umask": "0022",
        "uid": 1000,
        "gid": 1000,
        "name": "model",
        "note": None,
        "tags": {"case": "b1"},
        "inputs": ["forcing.nc"],
        "outputs": ["out/*.zarr"],
        "parent": None,
        "hash": "now",
        "forward": "auto",
        "capture_output": False,
        "agent": True,
        "hpcprov": "0.1.0",
        "clock": "CLOCK_REALTIME",
    }
    return event | keys


def env(rank: int, per_node: int) -> dict[str, Any]:
    own = {
        "SLURM_PROCID": str(rank),
        "SLURM_LOCALID": str(rank % per_node),
        "SLURMD_NODENAME": node_name(rank // per_node),
    }
    moment = BEGAN + rank * 1000 + 10
    return {
        "v": 1,
        "event": "env",
        "time": moment,
        "boot": moment,
        "rank": rank,
        "pid": 1000 + rank % per_node,
        "env": SHARED | own,
    }


def exit(rank: int, per_node: int, **keys: Any) -> dict[str, Any]:
    moment = BEGAN + 3600 * SECOND + rank * 1000
    usage = {
        "utime": 3500.25,
        "stime": 20.5,
        "maxrss": 204800,
        "minflt": 40000,
        "majflt": 3,
        "inblock": 0,
        "oublock": 8,
        "nvcsw": 10,
        "nivcsw": 900,
    }
    event: dict[str, Any] = {
        "v": 1,
        "event": "exit",
        "time": moment,
        "boot": moment,
        "rank": rank,
        "pid": 1000 + rank % per_node,
        "code": 0,
        "signal": None,
        "core": False,
        "duration": 3600 * SECOND,
        "error": None,
        "rusage": usage,
    }
    return event | keys


def of_node(node: int, first: int, last: int) -> Iterator[dict[str, Any]]:
    """What an agent writes: itself, its facts, beats, the end."""
    name = node_name(node)
    common = {"v": 1, "time": BEGAN + SECOND, "boot": 10**12 + SECOND, "node": name}
    yield common | {
        "event": "agent",
        "pid": 900,
        "ticks": 5100,
        "boot_id": f"boot-{node}",
        "hpcprov": "0.1.0",
        "python": "3.11.7",
    }
    yield common | {
        "event": "fact",
        "kind": "host",
        "value": {"hostname": name, "cpu": {"model": "AMD EPYC 7763", "cores": 128}},
    }
    yield common | {"event": "fact", "kind": "scheduler", "value": {"name": "slurm", "job_id": "4711", "nodes": 79}}
    yield common | {
        "event": "fact",
        "kind": "modules",
        "value": {"kind": "lmod", "loaded": [{"name": "gcc/13"}, {"name": "hdf5/1.14"}]},
    }
    for minute in range(60):
        yield common | {"event": "beat", "time": BEGAN + minute * 60 * SECOND}
    yield common | {"event": "ended", "time": BEGAN + 3601 * SECOND, "ranks": last - first}


def seen_on(node: int, ranks: range, *, programs: int, files: int) -> Iterator[dict[str, Any]]:
    """What a node's agent tells of the programs and files of its ranks: each rank executes `programs` programs, and the
    node's ranks read or write `files` files of their own and an input that all nodes read."""
    name, moment = node_name(node), BEGAN + 3600 * SECOND
    common = {"v": 1, "time": moment, "boot": moment, "node": name}
    span = [[ranks.start, ranks.stop - 1]]
    times = {"began": BEGAN + SECOND, "ended": moment}
    rows = [
        {"id": k + 1, "parent": min(k, 1), "path": f"/usr/bin/tool{k}", "argv": [f"tool{k}", "--step", "1"]}
        | times
        | {"cwd": "/scratch/ada/run", "sha256": "ab" * 32, "blind": None, "count": len(ranks), "ranks": span}
        | {"exits": {"0": len(ranks)}}
        for k in range(programs)
    ]
    names = ["/scratch/ada/run/forcing.nc", *(f"/scratch/ada/run/out/{name}/part-{k:06d}.npy" for k in range(files))]
    entries = [
        {"path": path, "read": not k, "written": bool(k), "first": BEGAN + k, "last": moment, "ranks": span}
        | {"programs": [1], "from": None, "began": None if k else [4096, BEGAN], "ended": [4096, BEGAN + k]}
        | {"gone": False, "overwritten": False, "store": None, "files": 1}
        for k, path in enumerate(names)
    ]
    for kind, whole in (("program", rows), ("access", entries)):
        for at in range(0, len(whole), 200):
            yield common | {"event": kind, "entries": whole[at : at + 200]}
    yield common | {
        "event": "observation",
        "value": {"how": "preload", "lost": 0, "cut": 0, "classes": {"data": {"files": files}}, "complete": True},
    }


def node_name(node: int) -> str:
    return f"nid{node:05d}"


def events(ranks: int, per_node: int, node: int, *, programs: int = 0, files: int = 0) -> Iterator[dict[str, Any]]:
    """All events of one node, in the order of their time."""
    members = range(node * per_node, min(ranks, (node + 1) * per_node))
    observe = "preload" if programs else "off"
    yield from (
        event for rank in members for event in (start(rank, ranks, per_node, observe=observe), env(rank, per_node))
    )
    yield from of_node(node, members.start, members.stop)
    yield from (exit(rank, per_node) for rank in members)
    if programs:
        yield from seen_on(node, members, programs=programs, files=files)


def write(
    root: str, *, ranks: int, per_node: int = 128, run_id: str = "bench", programs: int = 0, files: int = 0
) -> str:
    """Write the logs of one run below `root`/.hpcprov; the run's directory. `programs` of each rank and `files` of each
    node are observed ones."""
    directory = Store(os.path.join(root, ".hpcprov")).run(run_id)
    os.makedirs(directory)
    for node in range(-(-ranks // per_node)):
        with open(os.path.join(directory, log_name(node_name(node), "100-200", 0)), "wb") as file:
            told = events(ranks, per_node, node, programs=programs, files=files)
            file.writelines(part for event in told for part in frame.encode(event))
    return directory


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("directory")
    parser.add_argument("--ranks", type=int, default=10_000)
    parser.add_argument("--per-node", type=int, default=128)
    options = parser.parse_args()
    print(write(options.directory, ranks=options.ranks, per_node=options.per_node))


if __name__ == "__main__":
    main()
