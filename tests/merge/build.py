"""Events and logs as launchers and agents write them, for tests: every key may be given.

log = Launch("n1").start(0, size=2).start(1, size=2).exit(0).exit(1, code=2)
log.write(directory)
"""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

from hpcprov.merge.groups import Group
from hpcprov.merge.publish import compose, merge_run
from hpcprov.merge.read import read_run
from hpcprov.merge.seal import seal
from hpcprov.record import event as border
from hpcprov.record import frame, layout

SECOND = 10**9
BEGAN = 1_795_000_000 * SECOND
USAGE = {
    "utime": 1.5,
    "stime": 0.25,
    "maxrss": 2048,
    "minflt": 10,
    "majflt": 0,
    "inblock": 0,
    "oublock": 8,
    "nvcsw": 3,
    "nivcsw": 1,
}
# A process that cannot be alive: no kernel gives this pid.
DEAD_PID = 4_999_999
HERE = Path("/proc/sys/kernel/random/boot_id").read_text().strip()


class Launch:
    """The log of one launch on one node; times are seconds after BEGAN."""

    def __init__(self, node: str = "n1", launch: str = "100-4999000", n: int = 0, **common: Any) -> None:
        self.node, self.launch, self.n = node, launch, n
        self.common = {"launcher": "mpich", "size": 1, "boot_id": HERE} | common
        self.events: list[dict[str, Any]] = []
        self.output: list[dict[str, Any]] = []

    @property
    def name(self) -> str:
        return layout.log_name(self.node, self.launch, self.n)

    def add(self, event: str, at: float, **keys: Any) -> Launch:
        moment = BEGAN + int(at * SECOND)
        self.events.append({"v": 1, "event": event, "time": moment, "boot": moment - BEGAN} | keys)
        return self

    def start(self, rank: int = 0, at: float = 0, **keys: Any) -> Launch:
        told = {
            "run": "r1",
            "n": self.n,
            "node": self.node,
            "host": f"{self.node}.cluster",
            "ticks": 100 + rank,
            "launch": self.launch,
            "launch_time": BEGAN - SECOND,
            "local_rank": rank,
            "argv": ["./model", "-v"],
            "cwd": "/data",
            "umask": "0022",
            "uid": 1000,
            "gid": 100,
            "name": "spin",
            "note": "why not",
            "tags": {"case": "b1"},
            "inputs": ["in.nc"],
            "outputs": ["out/*"],
            "parent": None,
            "hash": "now",
            "forward": "auto",
            "capture_output": False,
            "agent": True,
            "hpcprov": "0.1.0",
            "clock": "CLOCK_REALTIME",
        }
        return self.add("start", at, **({"rank": rank, "pid": DEAD_PID} | told | self.common | keys))

    def env(self, rank: int = 0, at: float = 0.001, **env: str) -> Launch:
        return self.add("env", at, rank=rank, pid=DEAD_PID, env=env)

    def exit(self, rank: int = 0, at: float = 10, code: int | None = 0, **keys: Any) -> Launch:
        told = {
            "code": code,
            "signal": None,
            "core": False,
            "duration": int(at * SECOND),
            "error": None,
            "rusage": USAGE,
        }
        return self.add("exit", at, **({"rank": rank, "pid": DEAD_PID} | told | keys))

    def killed(self, rank: int = 0, at: float = 10, signal: int = 15) -> Launch:
        return self.exit(rank, at, None, signal=signal)

    def agent(self, at: float = 0.1, **keys: Any) -> Launch:
        told = {
            "node": self.node,
            "pid": DEAD_PID - 1,
            "ticks": 5,
            "boot_id": self.common["boot_id"],
            "hpcprov": "0.1.0",
            "python": "3.11.7",
        }
        return self.add("agent", at, **(told | keys))

    def fact(self, kind: str, value: Any = None, at: float = 0.2, **keys: Any) -> Launch:
        return self.add(
            "fact", at, **({"node": self.node, "kind": kind} | ({"value": value} if "error" not in keys else {}) | keys)
        )

    def ended(self, ranks: int, at: float = 10.1) -> Launch:
        return self.add("ended", at, node=self.node, ranks=ranks)

    def print(self, rank: int, at: float, data: str, stream: int = 1) -> Launch:
        moment = BEGAN + int(at * SECOND)
        self.output.append(
            {
                "event": "output",
                "time": moment,
                "boot": moment,
                "rank": rank,
                "pid": DEAD_PID,
                "stream": stream,
                "data": data,
            }
        )
        return self

    @property
    def data(self) -> bytes:
        return encoded(self.events)

    def write(self, directory: str | os.PathLike[str]) -> Launch:
        os.makedirs(directory, exist_ok=True)
        append(os.path.join(directory, self.name), self.data)
        if self.output:
            append(
                os.path.join(directory, layout.log_name(self.node, self.launch, self.n, "out")), encoded(self.output)
            )
        return self


def encoded(events: list[dict[str, Any]]) -> bytes:
    return b"".join(part for event in events for part in frame.encode(event))


def append(path: str, data: bytes) -> None:
    with open(path, "ab") as file:
        file.write(data)


def normal(*launches: Launch) -> list[dict[str, Any]]:
    """The events of launches as a fold gets them."""
    read = (border.normal(event) for launch in launches for event in frame.scan(launch.data))
    return [event for event in read if event is not None]


def sealed(directory: str, run_id: str = "r1") -> dict[str, Any]:
    """The record of all logs in a directory."""
    group = Group(read_run(directory))
    return seal(compose(group, run_id=run_id) | {"revision": 1}, group.logs, previous=None)


def publish(store: layout.Store, run_id: str, launch: Launch) -> str:
    """Merge a launch as the run `run_id`; its record's directory."""
    for event in launch.events:
        if event["event"] == "start":
            event["run"], event["launch_time"] = run_id, max(BEGAN, event["time"] - SECOND)
    launch.write(store.run(run_id))
    (place,) = merge_run(store, run_id)
    return place
