"""Leaving before the job's memory is used up: the agent shares the limit of the application's control group.

The kernel would kill the agent first, which sets free what it had; but Slurm then calls the step OUT_OF_MEMORY, though
the application ended well. So the agent looks at what is left, the more often the less there is, and goes in time.

    room = Room()
    while room.enough(): ...   # and look again at `room.due`
"""

from __future__ import annotations

import time

from hpcprov.capture import cgroup
from hpcprov.record.errors import HpcprovError

MARGIN = 32 << 20  # bytes that must be left
FASTEST = 2 << 30  # bytes per second: how fast an application may come near, at most, to be noticed in time
CACHE = ("inactive_file", "active_file")  # the kernel drops page cache before it kills
SHORTEST, LONGEST = 0.02, 2.0  # s between looks
WORDS = "the agent left, because less than {} MB of the job's memory were free: later facts and signatures are missing"


class Room:
    """What is left to the agent's control groups. `due`: when to look again (monotonic time); never without a limit."""

    def __init__(self, root: str = "/") -> None:
        self.groups: list[str] = []
        try:
            self.groups, self.version = cgroup.memory_groups(root)
        except (OSError, HpcprovError):
            pass  # no control groups here: nothing to look at
        self.due = time.monotonic() if self.groups else float("inf")

    def enough(self) -> bool:
        """Look, unless it is too early; is there enough left?"""
        now = time.monotonic()
        if now < self.due:
            return True
        rooms = (cgroup.free_in_group(group, self.version, cache=CACHE) for group in self.groups)
        left = min((room for room in rooms if room is not None), default=None)
        if left is None:
            self.due = float("inf")
            return True
        self.due = now + min(max((left - MARGIN) / FASTEST, SHORTEST), LONGEST)
        return left >= MARGIN

    @property
    def words(self) -> str:
        return WORDS.format(MARGIN >> 20)
