"""The agent's pen: appends events to the node's log and remembers what could not be written.

example: Journal("/data/.hpcprov/runs/x/n1.77-12.0.log", "n1").write("fact", kind="host", value={...})
"""

from __future__ import annotations

import os
import time

from hpcprov.record import frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any


class Journal:
    """The log of one node, opened for appending. A disk that is full must not end the agent: `lost` counts events
    instead."""

    def __init__(self, path: str, node: str) -> None:
        self.path, self.node, self.lost, self.reason = path, node, 0, ""
        self.fd = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_CREAT, 0o666)

    def write(self, event: str, **keys: Any) -> bool:
        """Append one event; False when it could not be stored."""
        stamp = {
            "v": 1,
            "event": event,
            "time": time.time_ns(),
            "boot": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
            "node": self.node,
        }
        try:
            frame.append(self.fd, stamp | keys)
        except OSError as error:
            self.miss(error.strerror or str(error))
            return False
        return True

    def miss(self, reason: str) -> None:
        """Count something that could not be stored."""
        self.lost += 1
        self.reason = self.reason or reason

    def tell_lost(self) -> None:
        """Say at the end what is missing; there may be room for it by then."""
        if self.lost:
            events = "1 event" if self.lost == 1 else f"{self.lost} events"
            self.write("problem", text=f"{events} could not be stored: {self.reason}")

    def sync(self) -> None:
        """Make everything on this node durable: one call for all ranks' frames."""
        try:
            os.fdatasync(self.fd)
        except OSError as error:
            self.miss(error.strerror or str(error))
