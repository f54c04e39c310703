"""Ranks whose launchers could not connect to the agent: only the node's log tells of them.

example: log = Unconnected(path); log.look(); log.begun - log.ended == {7}
"""

from __future__ import annotations

from hpcprov.agent import starts
from hpcprov.merge.alive import lives
from hpcprov.record import frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

BLOCK = 1 << 20  # bytes read at one look


class Unconnected:
    """Follows the `start` and `exit` events of a log that grows; every look reads on from where the last ended."""

    def __init__(self, log: str) -> None:
        self.log, self.at, self.rest = log, 0, b""
        self.begun: set[int] = set()
        self.ended: set[int] = set()
        self.failed: set[int] = set()
        self.launchers: dict[int, tuple[int, int]] = {}  # rank -> pid and ticks, of this pid namespace

    def look(self) -> None:
        """Read what is new; whole lines only, and parts of events together with those that come later."""
        whole, line, torn = (self.rest + self.read()).rpartition(b"\n")
        for event in frame.scan(whole):
            self.take(event)
        parts = [part for part in whole.split(b"\n") if b'"blob"' in part[:32]]
        self.rest = b"\n".join([*parts, torn] if line else [torn])[-BLOCK:]

    def read(self) -> bytes:
        try:
            with open(self.log, "rb") as file:
                file.seek(self.at)
                data = file.read(BLOCK)
        except OSError:
            return b""
        self.at += len(data)
        return data

    def take(self, event: dict[str, Any]) -> None:
        rank, kind = event.get("rank"), event.get("event")
        if type(rank) is not int:
            return
        if kind == "start":
            self.begun.add(rank)
            pid, ticks = event.get("pid"), event.get("ticks")
            if type(pid) is int and type(ticks) is int and event.get("pid_ns") == starts.pid_namespace():
                self.launchers[rank] = (pid, ticks)
        elif kind == "exit":
            self.ended.add(rank)
            if event.get("code") or event.get("signal") or event.get("error"):
                self.failed.add(rank)

    def gone(self) -> set[int]:
        """Ranks that have told their end, or whose launchers are no processes any more."""
        return self.ended | {rank for rank in self.launchers if not self.lives(rank)}

    def lives(self, rank: int) -> bool:
        return lives(*self.launchers[rank])
