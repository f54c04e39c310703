"""Units of work that several threads take in turn.

    work_off(plan.boxes(whole, extents), lambda: sign, threads=4)      # each thread asks once for what does a unit

The caller is one of the threads, and none of the others is left when it returns: files may be closed then.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Event, Lock, Thread
from typing import Generic, TypeVar

Unit = TypeVar("Unit")


def work_off(units: Iterator[Unit], work: Callable[[], Callable[[Unit], None]], *, threads: int) -> None:
    """Do all units; the first error ends them all, and is raised."""
    _Turns(units, work).run(threads)


class _Turns(Generic[Unit]):
    def __init__(self, units: Iterator[Unit], work: Callable[[], Callable[[Unit], None]]) -> None:
        self.units, self.work = units, work
        self.lock = Lock()
        self.error: BaseException | None = None

    def run(self, threads: int) -> None:
        events = [Event() for _ in range(threads - 1)]
        helpers = [Thread(target=self._help, args=(event,), daemon=True) for event in events]
        for helper in helpers:
            helper.start()
        self._drain()
        for helper, event in zip(helpers, events, strict=True):
            self._wait(helper, event)
        if self.error is not None:
            raise self.error

    def _help(self, ended: Event) -> None:
        try:
            self._drain()
        finally:
            ended.set()

    def _wait(self, helper: Thread, ended: Event) -> None:
        """Not only `join`: interrupted, it takes the thread for ended (Python 3.11). But it waits for what the thread
        lets go of last, its own readers: Python aborts where it ends while a thread is in a library of C++."""
        while not ended.is_set():
            try:
                ended.wait()
            except BaseException as error:  # an interrupt: files stay open until no thread reads them
                self.error = self.error or error
        try:
            helper.join()
        except BaseException as error:
            self.error = self.error or error

    def _drain(self) -> None:
        try:
            do = self.work()
            while (unit := self._take()) is not None:
                do(unit)
        except BaseException as error:
            self.error = self.error or error

    def _take(self) -> Unit | None:
        with self.lock:
            return None if self.error is not None else next(self.units, None)
