"""Scheduling: the agent runs idle beside the application and at normal priority once that has ended.

Linux schedules threads. One without privilege may give up its priority and never get it back, and children inherit that
of the thread that forks them. So a thread that is kept aside from the start does what is left to do at the end.

    worker = Worker()   # before `idle`
    idle()
    ...
    worker.do(finish)   # at normal priority, and so its children
"""

from __future__ import annotations

import os
import threading

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable


class Worker:
    """A thread that sleeps at the priority of its maker until it has something to do, once."""

    def __init__(self) -> None:
        self.asked = threading.Event()
        self.job: Callable[[], object] | None = None
        self.error: BaseException | None = None
        self.thread = threading.Thread(target=self._work, daemon=True)
        self.thread.start()

    def do(self, job: Callable[[], object]) -> None:
        """Run `job` in the thread and wait for its end; raises what it raises."""
        self.begin(job)
        self.thread.join()
        if self.error is not None:
            raise self.error

    def begin(self, job: Callable[[], object]) -> None:
        """Run `job` in the thread."""
        self.job = job
        self.asked.set()

    def _work(self) -> None:
        self.asked.wait()
        try:
            if self.job is not None:
                self.job()
        except BaseException as error:
            self.error = error


def idle() -> None:
    """Let this thread, and those that it starts, run only when nobody else wants a CPU."""
    try:
        os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))
    except OSError:
        pass  # a C library that refuses, or a kernel: it is a courtesy
