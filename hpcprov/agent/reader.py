"""Reading on in one event area: it stops where writers are at work, and passes over what a killed process left half
done.

Reader(area, 0).feed(seen)  ->  bytes that were taken, 0 when there is nothing new
"""

from __future__ import annotations

import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.agent.area import Area
    from hpcprov.capture.observed import Observed

BLOCK = 1 << 18  # bytes folded at one time; launchers wait for the agent's answers meanwhile
STUCK = 5.0  # s after which a record that was begun and not ended is one that a killed process left
MAGIC = (0x52, 0x43)  # the low bytes of a record's first word: reserved, committed


class Reader:
    """One area and where it does not go on."""

    def __init__(self, area: Area, number: int) -> None:
        self.area, self.number = area, number
        self.stuck_at, self.stuck_since = -1, 0.0

    def feed(self, seen: Observed, *, final: bool = False) -> int:
        """Fold what is new, up to BLOCK bytes; how many were consumed."""
        data = self.area.read(BLOCK)
        if not data:
            return 0
        last = len(data) >= self.area.waiting()  # else the record at the end of `data` goes on behind it
        consumed = min(seen.feed(self.number, data, self.area.position, final=final and last), len(data))
        if not consumed and (final or self.is_stuck()):
            settled = self.area.position + unfinished(data)
            consumed = min(seen.feed(self.number, data, self.area.position, settled=settled), len(data))
        self.area.advance(consumed)
        return consumed

    def is_filling(self) -> bool:
        """Whether so much is waiting that events may soon be lost."""
        return self.area.waiting() > self.area.capacity // 4

    def is_stuck(self) -> bool:
        now = time.monotonic()
        if self.stuck_at != self.area.position:
            self.stuck_at, self.stuck_since = self.area.position, now
        return now - self.stuck_since > STUCK


def unfinished(data: bytes) -> int:
    """The length in bytes of the record at the front that nobody is going to finish."""
    size = int.from_bytes(data[1:4], "little")
    if data[0] == MAGIC[0] and 0 < size <= len(data):
        return size
    return next((at for at in range(16, len(data), 16) if data[at] in MAGIC), len(data))
