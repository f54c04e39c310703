"""The hand with which one process writes its steps into a run's log: each at once while there are few, later together.

A function that is called ten thousand times a second must not write ten thousand frames: after the first FREE writes
there are RATE each second, and what came meanwhile is in the next one. All that one process may write is BUDGET bytes.

    pen = Pen(journal, rank=0)
    pen.step({"id": 1, "name": "smooth", "began": ...})
    pen.flush()
"""

from __future__ import annotations

import os
import threading
import time
from typing import TYPE_CHECKING

from hpcprov.agent import starts

if TYPE_CHECKING:
    from typing import Any

    from hpcprov.agent.journal import Journal

FREE, RATE = 64.0, 2.0  # writes, writes per second
BUDGET = 8 << 20  # bytes
SPENT = "more is not recorded of the steps of process {}: it has told {} MB of them"
TOGETHER = 40  # entries in one event


class Pen:
    """One process's writer. Threads share it."""

    def __init__(self, journal: Journal, rank: int) -> None:
        self.journal, self.rank = journal, rank
        self.begin()

    def begin(self) -> None:
        """Start afresh, as a child process does that was forked."""
        self.pid, self.ticks = os.getpid(), starts.own_ticks() or 0
        self.process = f"{self.ticks}-{self.pid}-{self.rank}"  # as the steps of another process name this one
        self.lock = threading.RLock()
        self.waiting: dict[int, dict[str, Any]] = {}
        self.tokens, self.filled = FREE, time.monotonic()
        self.left, self.closed = BUDGET, False

    def step(self, entry: dict[str, Any]) -> None:
        """What is known of a step by now; it is written when its time has come."""
        with self.lock:
            self.waiting[entry["id"]] = dict(entry)
            now = time.monotonic()
            self.tokens = min(FREE, self.tokens + RATE * (now - self.filled))
            self.filled = now
            if self.tokens >= 1.0:
                self.tokens -= 1.0
                self.flush()

    def flush(self) -> None:
        """Write all that waits."""
        with self.lock:
            entries, self.waiting = list(self.waiting.values()), {}
            for first in range(0, len(entries), TOGETHER):
                self.event("step", entries=entries[first : first + TOGETHER])

    def event(self, kind: str, **keys: Any) -> None:
        """Write one event now. Raises ValueError for what is no JSON."""
        with self.lock:
            if self.closed:
                return
            self.left -= size(keys)
            if self.left < 0:
                self.closed = True
                self.journal.write("problem", rank=self.rank, text=SPENT.format(self.pid, BUDGET >> 20))
                return
            self.journal.write(kind, rank=self.rank, pid=self.pid, ticks=self.ticks, **keys)


def size(keys: Any) -> int:
    """About how many bytes this is in a log."""
    import json

    return len(json.dumps(keys))
