"""A run that a Python program makes of itself, outside of `hpcprov exec`: it writes what a launcher writes, into a log
of the same form, and has the node's agent do the rest. Killed at any moment it leaves what the agent, or the next
hpcprov command, finishes.

    launch = Launch(store, find(os.environ), name="calibrate", note=None, tags={}, inputs=[], outputs=[], hash="now")
    launch.journal.write("step", ...)
    launch.end(code=0)
"""

from __future__ import annotations

import os
import resource
import sys
import time
from typing import TYPE_CHECKING

from hpcprov import __version__
from hpcprov.agent import starts
from hpcprov.agent.journal import Journal
from hpcprov.capture import redact
from hpcprov.merge import publish
from hpcprov.record import layout
from hpcprov.record.errors import NoStore, NoSuchRun
from hpcprov.tracking import agents

if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.tracking.place import Place

SUMS = ("utime", "stime", "minflt", "majflt", "inblock", "oublock", "nvcsw", "nivcsw")  # of getrusage(2)
NO_AGENT = "no agent on this node could be started: there are no facts, and files are not signed"
# How long the end of a run waits for its files to be signed: as long as the agent takes at most, and some seconds more.
SIGNING, PART, SLACK = 60.0, 0.1, 15.0


class Launch:
    """This process as one rank of a run. Raises OSError, HpcprovError when nothing can be written."""

    def __init__(self, store: Store, place: Place, **declared: Any) -> None:
        self.store, self.place, self.id = store, place, place.run_id
        self.pid = os.getpid()
        self.log = layout.log_name(place.node, place.launch, place.n)
        os.makedirs(store.run(self.id), exist_ok=True)
        self.journal = Journal(store.log(self.id, self.log), place.node)
        self.journal.fd = agents.above_stdio(self.journal.fd)
        self.began = time.monotonic_ns()
        self.used = usage()
        if not self.journal.write("start", **self._start(declared)):
            os.close(self.journal.fd)
            raise OSError(self.journal.reason)
        self.journal.write("env", rank=place.rank, pid=self.pid, env=redact.environment(os.environ))
        self.agent = agents.join(store.root, self.id, self.journal.path, place)
        if self.agent is None:
            self.journal.write("problem", rank=place.rank, text=NO_AGENT)

    def end(self, *, code: int | None, signal: int | None = None) -> None:
        """Tell the end and, if this is the last rank here and ended well, wait for the record. Raises OSError,
        HpcprovError."""
        duration = time.monotonic_ns() - self.began
        ended = {"rank": self.place.rank, "pid": self.pid, "code": code, "signal": signal, "duration": duration}
        self.journal.write("exit", **ended, core=False, error=None, rusage=since(self.used, usage()))
        self.journal.tell_lost()
        os.close(self.journal.fd)
        if self.agent is not None:
            allowed = SIGNING + PART * duration / 1e9 + SLACK
            self.agent.tell_exit(-1 if code is None else code, signal or 0, wait=allowed)
        elif self.place.size == 1:
            publish.merge_run(self.store, self.id, log=self.log)

    def record(self) -> dict[str, Any]:
        """The record; as long as it has not been made, since other ranks go on, what is known by now. Raises OSError,
        HpcprovError."""
        from hpcprov.merge.find import find_record

        for _ in range(2):  # it may be made right now
            directory = find_record(self.store, self.id)
            if directory is not None:
                return publish.refresh(self.store, directory)
            try:
                return known(self.store.run(self.id), self.id)
            except FileNotFoundError:
                continue
        raise NoSuchRun(f"{self.id} has neither a record nor logs")

    def _start(self, declared: dict[str, Any]) -> dict[str, Any]:
        place = self.place
        ticks = place.launch.partition("-")[0]
        process: dict[str, Any] = {"rank": place.rank, "pid": self.pid, "ticks": starts.own_ticks() or 0, "n": place.n}
        where: dict[str, Any] = {
            "run": self.id,
            "host": os.uname().nodename,
            "launch": place.launch,
            "launcher": place.launcher,
        }
        where |= {"boot_id": starts.boot_id(), "pid_ns": starts.pid_namespace(), "launch_time": launch_time(int(ticks))}
        sizes = {"size": place.size, "local_rank": place.local_rank, "local_size": place.local_size}
        options = {"forward": "never", "capture_output": False, "agent": True, "observe": "off"}
        who = {"uid": os.getuid(), "gid": os.getgid(), "umask": umask(), "parent": parent(os.environ)}
        words = {"argv": redact.scrub_argv(sys.orig_argv or sys.argv), "cwd": os.getcwd(), "hpcprov": __version__}
        nodes = {"nodes": place.nodes, "clock": "CLOCK_REALTIME"}
        return process | where | sizes | options | who | words | nodes | declared


def known(directory: str, run_id: str) -> dict[str, Any]:
    """What the logs tell by now of a run that goes on, as a record. Raises OSError."""
    from hpcprov.merge.groups import Group
    from hpcprov.merge.read import read_run

    return publish.compose(Group(read_run(directory)), run_id=run_id, over=False)


def store_of(environ: Mapping[str, str], cwd: str) -> Store:
    """The store that `hpcprov exec` would write to in `cwd`. Raises NoStore for one of another user."""
    store = layout.new_store(environ, cwd)
    trusted = environ.get("HPCPROV_DIR") or environ.get("HPCPROV_TRUST_STORE", "0") not in ("", "0")
    if not trusted and os.path.isdir(store.root) and not layout.is_ours(store.root):
        raise NoStore(f"{store.root!a} belongs to another user", hint=layout.TRUST)
    return store


def launch_time(ticks: int) -> int:
    """When a process started, ns since the epoch; `ticks`: clock ticks since boot."""
    since_boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return time.time_ns() + ticks * (1_000_000_000 // os.sysconf("SC_CLK_TCK")) - since_boot


def parent(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The run and rank that this process is a part of, from `HPCPROV_RUN=<run>/<rank>`."""
    run, _, rank = environ.get("HPCPROV_RUN", "").rpartition("/")
    if layout.is_run_id(run) and rank.isascii() and rank.isdigit() and len(rank) < 10:
        return {"run": run, "rank": int(rank)}
    return None


def umask() -> str:
    """The process's file mode mask, from /proc: asking the kernel would change it for other threads meanwhile."""
    try:
        with open("/proc/self/status", encoding="ascii", errors="replace") as file:
            return next(line.split()[1] for line in file if line.startswith("Umask:"))
    except (OSError, StopIteration, IndexError):
        return "unknown"


def usage() -> dict[str, int | float]:
    """getrusage(2) of this process and of those that it has waited for, together."""
    own, others = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    sums = {key: getattr(own, f"ru_{key}") + getattr(others, f"ru_{key}") for key in SUMS}
    return sums | {"maxrss": max(own.ru_maxrss, others.ru_maxrss)}


def since(before: dict[str, int | float], now: dict[str, int | float]) -> dict[str, int | float]:
    """What was used meanwhile; of memory the most at any time."""
    return {key: round(now[key] - before[key], 6) for key in SUMS} | {"maxrss": now["maxrss"]}
