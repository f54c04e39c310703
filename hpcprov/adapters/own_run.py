"""A run that a Python process records of itself: there is no launcher before it and no agent beside it: what
Snakemake's own process does is no science, and its jobs have records of their own.

The process writes what both would: `start`, `env`, `agent`, facts, a beat a minute, `exit`, `ended`; and merges. Killed
at any moment, it leaves a log that the next hpcprov command settles.

    run = OwnRun(Store("/data/.hpcprov"), kind="workflow", argv=sys.argv, name="flood")
    run.tell("workflow", {...})
    run.end(code=0)  ->  ["/data/.hpcprov/records/2026/11/21/20261121T093000Z-1f2e3d4c"]
"""

from __future__ import annotations

import os
import sys
import threading
import time

from hpcprov import __version__
from hpcprov.agent import facts, starts
from hpcprov.agent.journal import Journal
from hpcprov.capture import redact
from hpcprov.merge import publish
from hpcprov.record import layout
from hpcprov.tracking.launch import parent, umask, usage
from hpcprov.tracking.place import new_id, node_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hpcprov.record.layout import Store

BEAT = 60.0  # s, as agents do
PATIENCE = 5.0  # s for facts that are still being collected at the end


class OwnRun:
    """This process as a run of one rank. `beat` is called once a minute. Raises OSError when nothing can be written."""

    def __init__(
        self, store: Store, *, kind: str, argv: Sequence[str], name: str | None, beat: Callable[[], None] | None = None
    ) -> None:
        self.store, self.id = store, new_id()
        self.began = time.monotonic_ns()
        self.pid, self.ticks = os.getpid(), starts.own_ticks() or 0
        node = node_name(os.environ)
        self.log = layout.log_name(node, f"{self.ticks}-{self.pid}", 0)
        os.makedirs(store.run(self.id), exist_ok=True)
        self.journal = Journal(store.log(self.id, self.log), node)
        self.process = {"pid": self.pid, "ticks": self.ticks, "hpcprov": __version__}
        self.process |= {"boot_id": starts.boot_id(), "pid_ns": starts.pid_namespace()}
        start = self._start(kind, argv, name)
        self.journal.write("start", **start)
        self.journal.write("env", rank=0, pid=self.pid, env=redact.environment(os.environ))
        self.journal.write("agent", **self.process, python=sys.version.split()[0])
        self.over = threading.Event()
        self.facts = _thread(lambda: facts.collect(self.journal, facts.Context(start, self.pid)))
        self.heart = _thread(lambda: self._beat(beat))

    def tell(self, kind: str, value: Any) -> None:
        """Write a fact; a later one of its kind takes its place."""
        self.journal.write("fact", kind=kind, value=value)

    def end(self, *, code: int) -> list[str]:
        """Tell the exit status and merge; the directories of the record. Raises OSError, HpcprovError."""
        self.over.set()
        self.facts.join(PATIENCE)
        duration = time.monotonic_ns() - self.began
        self.journal.write("exit", rank=0, pid=self.pid, code=code, duration=duration, core=False, rusage=usage())
        self.journal.write("ended", ranks=1)
        self.journal.tell_lost()
        self.journal.sync()
        os.close(self.journal.fd)
        return publish.merge_run(self.store, self.id, log=self.log)

    def _start(self, kind: str, argv: Sequence[str], name: str | None) -> dict[str, Any]:
        where = {"run": self.id, "n": 0, "host": os.uname().nodename, "launch": f"{self.ticks}-{self.pid}"}
        one = {"rank": 0, "size": 1, "local_rank": 0, "local_size": 1, "nodes": 1, "launcher": "none"}
        words = {"argv": redact.scrub_argv(argv), "cwd": os.getcwd(), "umask": umask(), "name": name, "kind": kind}
        options = {"hash": "off", "forward": "never", "capture_output": False, "agent": True, "tags": {}}
        who = {"parent": parent(os.environ), "uid": os.getuid(), "gid": os.getgid()}
        return self.process | where | one | words | options | who | {"clock": "CLOCK_REALTIME"}

    def _beat(self, beat: Callable[[], None] | None) -> None:
        while not self.over.wait(BEAT):
            self.journal.write("beat")
            if beat is not None:
                beat()
            self.journal.sync()


def _thread(work: Callable[[], object]) -> threading.Thread:
    thread = threading.Thread(target=work, daemon=True)  # it never keeps the process alive
    thread.start()
    return thread
