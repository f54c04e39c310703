"""Which run this process records to: that of the `hpcprov exec` around it, one that it has begun itself, or none.

    recorder = active() or begin_implicit()

One process is at one run at a time. A child process that was forked goes on with the run of its parent.
"""

from __future__ import annotations

import atexit
import os
import sys
import threading
from typing import TYPE_CHECKING

from hpcprov.agent.journal import Journal
from hpcprov.record import site
from hpcprov.tracking import joined, launch, notebook, place, steps
from hpcprov.tracking.agents import above_stdio
from hpcprov.tracking.recorder import Recorder
from hpcprov.tracking.trouble import sheltered

if TYPE_CHECKING:
    from typing import Any

    from hpcprov.tracking.launch import Launch

RUN = "HPCPROV_RUN"


class State:
    """What this process is at."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.recorder: Recorder | None = None
        self.launch: Launch | None = None
        self.outer: str | None = None  # HPCPROV_RUN as it was before the run
        self.implicit = self.failed = False
        self.looked: str | None = None  # the HPCPROV_RUN that was looked for
        self.made = 0
        self.flushes_at: int | None = None  # the process that will write at its end what waits


state = State()


def is_off() -> bool:
    return os.environ.get("HPCPROV", "").lower() in site.OFF


def active() -> Recorder | None:
    """The recorder of the run that goes on."""
    if is_off():
        return None
    if state.recorder is None and os.environ.get(RUN):
        with state.lock:
            join()
    if state.recorder is not None and state.flushes_at != os.getpid():
        flush_at_the_end()
    return state.recorder


def join() -> None:
    """Record to the run that `hpcprov exec`, or a parent of this process, has begun."""
    named = os.environ.get(RUN)
    if state.recorder is not None or state.looked == named:
        return
    state.looked = named
    with sheltered("what this program does"):
        found = joined.find(os.environ)
        if found is not None:
            journal = Journal(found.log, found.node)
            journal.fd = above_stdio(journal.fd)
            state.recorder = Recorder(
                journal, run_id=found.run_id, rank=found.rank, local_size=found.local_size, observed=found.observed
            )


def begin_own(**declared: Any) -> Recorder:
    """Begin a run. Raises OSError, HpcprovError."""
    with state.lock:
        where = place.find(os.environ, again=state.made)
        store = launch.store_of(os.environ, os.getcwd())
        state.launch = launch.Launch(store, where, **notebook.described(**declared))
        state.made += 1
        state.recorder = Recorder(
            state.launch.journal, run_id=where.run_id, rank=where.rank, local_size=where.local_size, observed=False
        )
        state.outer = os.environ.get(RUN)
        os.environ[RUN] = f"{where.run_id}/{where.rank}"
        return state.recorder


def begin_implicit() -> Recorder | None:
    """Begin the run of a program that tracks functions and has none: it ends with the process."""
    if is_off():
        return None
    with state.lock:
        if state.recorder is None and not state.failed:
            state.failed = True  # once is enough
            with sheltered("what this program does"):
                begin_own(name=program(), note=None, tags={}, inputs=[], outputs=[], hash="now")
                state.implicit, state.failed = True, False
                atexit.register(end_implicit)
        return state.recorder


def program() -> str | None:
    """The name of the script that this process executes; None where it executes none."""
    script = sys.argv[0] if sys.argv and not notebook.is_kernel() else ""
    return os.path.basename(script) if script not in ("", "-c", "-m") else None


def end_own(*, code: int | None, signal: int | None = None) -> Launch | None:
    """End the run that this process has begun; a child process of it only writes what it has to say."""
    with state.lock:
        recorder, ended = state.recorder, state.launch
        if recorder is None or ended is None:
            return None
        if ended.pid != os.getpid():
            recorder.flush()
            return None
        state.recorder = state.launch = None
        state.implicit = False
        restore()
    try:
        recorder.end()
    finally:
        recorder.close()
        ended.end(code=code, signal=signal)
    return ended


def restore() -> None:
    if state.outer is None:
        os.environ.pop(RUN, None)
    else:
        os.environ[RUN] = state.outer


def end_implicit() -> None:
    """At the interpreter's end, or when the program begins a run of its own."""
    if state.implicit:
        failed = getattr(sys, "last_type", None) is not None and not hasattr(sys, "ps1")
        with sheltered("the end of the run"):
            end_own(code=1 if failed else 0)


def flush_at_the_end() -> None:
    """Have what waits written when this process ends; children of multiprocessing do not run what `atexit` has."""
    state.flushes_at = os.getpid()
    multiprocessing = sys.modules.get("multiprocessing.process")
    if multiprocessing is not None and multiprocessing.parent_process() is not None:
        from multiprocessing.util import Finalize

        Finalize(None, flush, exitpriority=100)
    else:
        atexit.register(flush)


def flush() -> None:
    if state.recorder is not None:
        with sheltered("the end of the program's steps"):
            state.recorder.flush()


def after_fork() -> None:
    """In a child process: no lock of the parent's threads, and numbers of its own."""
    state.lock = threading.RLock()
    if state.recorder is not None:
        step = steps.current.get()
        own = step is not None and step.recorder is state.recorder
        state.recorder.fork(step.id if own and step is not None else state.recorder.root)


os.register_at_fork(after_in_child=after_fork)
