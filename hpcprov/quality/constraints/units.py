"""Work done by several threads, unit by unit, whatever field a unit is of.

work_off(iter(units), threads=4)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from threading import Lock, Thread
from typing import TypeAlias

#: A part of the work that any thread can do.
Unit: TypeAlias = Callable[[], None]


def work_off(units: Iterator[Unit], threads: int) -> None:
    """Do all units, the caller being one of the threads. Raises the first error of any."""
    shared = _Shared(units)
    helpers = [Thread(target=shared.drain, daemon=True) for _ in range(threads - 1)]
    for helper in helpers:
        helper.start()
    shared.drain()
    for helper in helpers:
        helper.join()
    if shared.error is not None:
        raise shared.error


class _Shared:
    """Units that several threads take in turn; the first error ends them all."""

    def __init__(self, units: Iterator[Unit]) -> None:
        self.units, self.lock = units, Lock()
        self.error: BaseException | None = None

    def drain(self) -> None:
        try:
            while (unit := self._take()) is not None:
                unit()
        except BaseException as error:
            self.error = self.error or error

    def _take(self) -> Unit | None:
        with self.lock:
            return None if self.error is not None else next(self.units, None)
