"""Reading the event areas of a node while its ranks run, and telling its log what was seen.

Reading is cheap when nothing happens and frequent when much does; an area that is full loses events. What was seen is
told now and then, so that a run that is killed has it, and at the end.

    draining = Draining(ranks, journal, opening)
    draining.turn()     # at draining.due; never longer than a moment
    draining.end()      # when all ranks have ended
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import identity, spools
from hpcprov.agent.area import Area
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.agent.journal import Journal
    from hpcprov.agent.node import Node
    from hpcprov.agent.opening import Opening
    from hpcprov.capture.observed import Observed

BLOCK = 1 << 18  # bytes folded at one time; launchers wait for the agent's answers meanwhile
SHORTEST, LONGEST = 0.02, 0.5  # s between looks
TELL = (2.0, 5.0, 15.0)  # s after the first event; then every
BEAT = 60.0  # s
STUCK = 5.0  # s after which a record that was begun and never ended is one that a killed process left
LAST = 20.0  # s for what is left when all ranks have ended
HASHING = 5.0  # s
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
        consumed = min(seen.feed(self.number, data, self.area.position, final=final), len(data))
        if not consumed and self.is_stuck():
            consumed = min(seen.feed(self.number, data[: unfinished(data)], self.area.position, final=True), len(data))
        self.area.advance(consumed)
        return consumed

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


class Draining:
    """All areas of the node: one, or several where ranks do not share a place for it."""

    def __init__(self, ranks: Node, journal: Journal, opening: Opening) -> None:
        self.ranks, self.journal, self.opening = ranks, journal, opening
        self.readers: list[Reader] = []
        self.seen: Observed | None = None
        self.reasons: list[str] = []
        self.budget = identity.Budget()
        self.due, self.pause = 0.0, SHORTEST
        self.began = time.monotonic()
        self.times = list(TELL)
        self.broken = False

    def turn(self) -> None:
        """Read what there is, for a moment, and tell what is due."""
        self.guard(self.look)

    def end(self) -> None:
        """Everything that was written until now, and what came of it."""
        self.guard(self.finish)
        for reader in self.readers:
            self.leave(reader)
        self.readers = []

    def stop(self) -> None:
        """The agent goes early: tell what was seen so far."""
        self.reasons.append("the agent left before the run's end")
        for reader in self.readers:
            reader.area.stop()
        self.guard(lambda: self.tell(final=True))

    def guard(self, work: Callable[[], None]) -> None:
        """Whatever an application writes into its area: the agent goes on, and the record says what is missing."""
        if self.broken:
            return
        try:
            work()
        except Exception as error:
            self.broken = True
            self.due = float("inf")
            for reader in self.readers:
                reader.area.stop()
            why = f"{type(error).__name__}: {error}"[:300]
            self.journal.write("problem", text=f"what was read and written is not known from here on: {why}")

    def look(self) -> None:
        self.take()
        folded = sum(reader.feed(self.observed()) for reader in self.readers)
        self.pause = SHORTEST if folded >= BLOCK else min(2 * self.pause, LONGEST)
        now = time.monotonic()
        self.due = now if folded >= BLOCK else now + self.pause
        if self.readers and now >= self.began + self.times[0]:
            self.times = self.times[1:] or [self.times[0] + BEAT]
            self.tell(final=False)

    def take(self) -> None:
        """The areas that launchers have handed over; all ranks of a node mostly share one."""
        known = {reader.area.identity for reader in self.readers}
        while self.ranks.areas:
            try:
                area = Area(self.ranks.areas.pop(0))
            except (OSError, HpcprovError) as error:
                self.reasons.append(f"an event area cannot be read: {error}")
                continue
            if area.identity in known:
                os.close(area.fd)
            else:
                known.add(area.identity)
                self.readers.append(Reader(area, len(self.readers)))

    def observed(self) -> Observed:
        if self.seen is None:
            from hpcprov.agent.opening import own_starts
            from hpcprov.capture.observed import Observed

            first = next(iter(self.opening.starts or own_starts(self.journal.path)), {})
            self.seen = Observed(cwd=str(first.get("cwd") or "/"), environ=os.environ)
        return self.seen

    def finish(self) -> None:
        self.take()
        until = time.monotonic() + LAST
        for reader in self.readers:
            self.read_all(reader, until)
        self.tell(final=True)

    def read_all(self, reader: Reader, until: float) -> None:
        end = reader.area.position + reader.area.waiting()
        while reader.area.position < end and reader.feed(self.observed(), final=True):
            if time.monotonic() > until:
                self.reasons.append(f"{end - reader.area.position} bytes of events were left unread")
                break

    def leave(self, reader: Reader) -> None:
        """Nobody reads this area any more; the last to use it removes it."""
        path = spools.find(self.journal.path, reader.area.identity)
        reader.area.stop()
        if reader.area.is_last() and path is not None:
            spools.remove(path)
        os.close(reader.area.fd)

    def tell(self, *, final: bool) -> None:
        """Write what is new."""
        if not self.readers:
            return
        seen = self.observed()
        self.budget.allow(HASHING if final else 0.2)
        for event in seen.events(final):
            self.write(event)

    def write(self, event: dict[str, Any]) -> None:
        if event["event"] == "program":
            identity.identify(event["entries"], self.budget)
        elif event["event"] == "observation":
            self.complete(event["value"])
        keys = {key: value for key, value in event.items() if key not in ("event", "node")}
        self.journal.write(event["event"], **keys)

    def complete(self, value: dict[str, Any]) -> None:
        """What only the areas and the agent know."""
        lost = [reader.area.lost for reader in self.readers]
        value["lost"] = value.get("lost", 0) + sum(records for records, _ in lost)
        value["cut"] = value.get("cut", 0) + sum(cut for _, cut in lost)
        reasons = [*value.get("reasons", []), *self.reasons]
        if any(reader.area.damaged for reader in self.readers):
            reasons.append("the event area was overwritten by the application")
        value["reasons"] = reasons
        value["complete"] = bool(value.get("complete", True)) and not reasons and not value["lost"]
        identity.identify(value.get("code", []), self.budget)
