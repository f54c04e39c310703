"""The records of an event area: Python's twin of hpcprov/launcher/area.h, which describes the format.

    scan = Scan(data, settled=0)
    for kind, flags, instance, pid, moment, a, b, text in scan: ...
    scan.end    ->  bytes that have been read

Every process of the job can write anything into an area. What is no record is passed over to the next 16-byte boundary
that may hold one; nothing here raises.
"""

from __future__ import annotations

from struct import Struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    Record = tuple[int, int, int, int, int, int, int, bytes]

PAD, PROGRAM, ACCESS, RENAME, LINK, UNLINK, END, NOT_RUN, MOUNTS = range(9)
READ, WRITE, CREATE, TRUNCATE, UNCONFIRMED, EXCHANGED, SYMBOLIC, OF_DIRECTORY, CUT = (1 << bit for bit in range(9))
RESERVED, COMMITTED = 0x52, 0x43
HEAD = Struct("<IHHIIqQQ")  # state, kind, flags, instance, pid, time (ns), and 16 bytes that depend on the kind
STATE = Struct("<IH")
STEP = 16
SMALLEST = 48  # a header and an empty string; only padding may be shorter
LARGEST = 40 + 16384 + 256  # AREA_TEXT_MAX and what ends the strings
BLANK = bytes(4096)


class Scan:
    """The committed records of a piece of an area, in order; `end` is how far they have been read."""

    def __init__(self, data: bytes, *, settled: int = 0) -> None:
        """`settled`: nobody writes before this offset any more; what is not committed there is passed over."""
        self.data = data if len(data) % STEP == 0 else data[: len(data) & -STEP]
        self.settled = settled
        self.end = 0
        self.skipped = 0  # records that their writer never finished, and stretches that hold no records

    def __iter__(self) -> Iterator[Record]:
        data, length, unpack = self.data, len(self.data), HEAD.unpack_from
        while (place := self.end) < length:
            if place + SMALLEST <= length:
                state, kind, flags, instance, pid, moment, a, b = unpack(data, place)
                size = state >> 8
                if (
                    state & 255 == COMMITTED
                    and kind  # not PAD
                    and SMALLEST <= size <= LARGEST
                    and not size & 15
                    and place + size <= length
                ):
                    self.end = place + size
                    yield kind, flags, instance, pid, moment, a, b, data[place + 40 : place + size]
                    continue
            self.end = self.pass_over(place)
            if self.end == place:
                return

    def pass_over(self, place: int) -> int:
        """Where to go on behind what is no whole record; `place` itself where a writer may be at work."""
        state: int
        state, kind = STATE.unpack_from(self.data, place)
        if state == 0:
            return self.pass_blank(place) if place < self.settled else place
        if not is_magic(state):
            self.skipped += 1
            return self.pass_garbage(place)
        after = place + (state >> 8)
        if after > len(self.data):
            return self.pass_garbage(place) if self.settled >= len(self.data) else place
        if state & 255 == RESERVED:
            if place >= self.settled:
                return place
            self.skipped += 1
            return after
        return after if kind == PAD else self.pass_garbage(place)

    def pass_garbage(self, place: int) -> int:
        """The next boundary behind `place` that is blank or holds a magic, or the end."""
        place += STEP
        while place < len(self.data):
            state, _ = STATE.unpack_from(self.data, place)
            if state == 0 or is_magic(state):
                break
            place += STEP
        return place

    def pass_blank(self, place: int) -> int:
        """The next boundary behind a blank one that is not blank, or the end of what is settled."""
        self.skipped += 1
        end = min(self.settled + -self.settled % STEP, len(self.data))
        while place + len(BLANK) <= end and self.data.startswith(BLANK, place):
            place += len(BLANK)
        while place < end and self.data.startswith(BLANK[:4], place):
            place += STEP
        return place


def is_magic(state: int) -> bool:
    """Whether a record may begin with this word."""
    return state & 255 in (COMMITTED, RESERVED) and STEP <= state >> 8 <= LARGEST and not state >> 8 & 15
