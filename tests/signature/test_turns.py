"""Threads that take units of work in turn, and are gone afterwards."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable

from hpcprov.signature.turns import work_off


def test_what_a_thread_lets_go_of_last_is_waited_for() -> None:
    """A reader of its own, in a library of C++: Python aborts where it ends meanwhile."""
    gone, own = threading.Event(), threading.local()

    class Reader:
        def __del__(self) -> None:
            time.sleep(0.2)
            gone.set()

    both = threading.Barrier(2)

    def work() -> Callable[[int], None]:
        both.wait(60)
        if threading.current_thread() is not threading.main_thread():
            own.reader = Reader()
        return lambda unit: None

    work_off(iter(range(4)), work, threads=2)
    assert gone.is_set()
