"""Reading the event areas of a node while its ranks run, and telling its log what was seen.

Reading is cheap when nothing happens and frequent when much does; an area that is full loses events. What was seen is
told now and then, so that a run that is killed has it, and at the end.

    draining = Draining(ranks, journal, opening)
    draining.turn()     # at draining.due; never longer than a moment
    draining.end()      # when all ranks have ended
"""

from __future__ import annotations

import os
import threading
import time

from hpcprov.agent import identity, spools
from hpcprov.agent.area import Area
from hpcprov.agent.reader import BLOCK, Reader
from hpcprov.capture import python_audit
from hpcprov.capture.reading import read_bytes
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.agent.journal import Journal
    from hpcprov.agent.node import Node
    from hpcprov.agent.opening import Opening
    from hpcprov.capture.observed import Observed

SHORTEST, LONGEST = 0.02, 0.5  # s between looks
TELL = (2.0, 5.0, 15.0)  # s after the first event; then every
BEAT, SLOWEST = 60.0, 3600.0  # s at least, and at most where much was told
SPEED = 200  # bytes per second that may be told while a run goes on for long
HURRY = 0.1  # s between looks whether an area fills up
LAST = 20.0  # s for what is left when all ranks have ended
DIGESTS, LAST_DIGESTS, NO_DIGESTS = (0.2, 16 << 20), (5.0, 512 << 20), (0.0, 0)  # s for all, bytes of one file
MOST_AREAS = 1024
MOUNTS = 1 << 20  # bytes of a list of mounts


def own_mounts() -> bytes:
    """The mounts as the agent sees them; empty where /proc does not tell."""
    try:
        return read_bytes("/proc/self/mountinfo", MOUNTS)
    except OSError:
        return b""


def interval(told: int) -> float:
    """Seconds until the next telling, after one of so many bytes: days of them must not fill the shared file system."""
    return min(max(BEAT, told / SPEED), SLOWEST)


class Draining:
    """All areas of the node: one, or several where ranks do not share a place for it."""

    def __init__(self, ranks: Node, journal: Journal, opening: Opening) -> None:
        self.ranks, self.journal, self.opening = ranks, journal, opening
        self.readers: list[Reader] = []
        self.seen: Observed | None = None
        self.audited: list[dict[str, Any]] = []
        self.reasons: list[str] = []
        self.digests = identity.Digests()
        self.due, self.pause = 0.0, SHORTEST
        self.began = time.monotonic()
        self.times = list(TELL)
        self.broken = False
        self.lock, self.ended = threading.Lock(), threading.Event()

    def turn(self) -> None:
        """Read what there is, for a moment, and tell what is due."""
        self.guard(self.look)

    def end(self) -> None:
        """Everything that was written until now, and what came of it."""
        self.ended.set()
        self.guard(self.finish)
        for reader in self.readers:
            self.leave(reader)
        self.readers = []

    def stop(self) -> None:
        """The agent goes early, since memory is short: tell what was seen so far, and read no more files."""
        self.ended.set()
        self.reasons.append("the agent left before the run's end")
        for reader in self.readers:
            reader.area.stop()
        self.guard(lambda: self.tell(NO_DIGESTS))
        for reader in self.readers:
            reader.area.abandon()

    def guard(self, work: Callable[[], object]) -> None:
        """Whatever an application writes into its area: the agent goes on, and the record says what is missing."""
        if self.broken:
            return
        try:
            with self.lock:
                work()
        except Exception as error:
            self.broken = True
            self.due = float("inf")
            self.ended.set()
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
            before = os.fstat(self.journal.fd).st_size
            self.tell(DIGESTS)
            told = os.fstat(self.journal.fd).st_size - before
            self.times = self.times[1:] or [now - self.began + interval(told)]

    def keep_room(self) -> None:
        """For a thread of normal priority: beside a busy application an idle one gets no CPU, and an area that is full
        loses events. So this reads what fills it by more than a quarter, and nothing else."""
        while not self.ended.wait(HURRY):
            for reader in self.readers[:]:
                before = -1  # where nothing is taken, a writer is at work, or was killed at it
                while not self.ended.is_set() and reader.is_filling() and reader.area.position != before:
                    before = reader.area.position
                    self.guard(lambda reader=reader: reader.feed(self.observed()))  # type: ignore[misc]

    def take(self) -> None:
        """The areas that launchers have handed over; all ranks of a node mostly share one."""
        known = {reader.area.identity for reader in self.readers}
        while self.ranks.areas:
            try:
                area = Area(self.ranks.areas.pop(0))
            except (OSError, HpcprovError) as error:
                self.reasons.append(f"an event area cannot be read: {error}")
                continue
            if area.identity in known or len(known) >= MOST_AREAS:
                os.close(area.fd)
                if area.identity not in known:
                    self.reasons.append(f"more than {MOST_AREAS} event areas")
            else:
                known.add(area.identity)
                self.readers.append(Reader(area, len(self.readers)))

    def observed(self) -> Observed:
        if self.seen is None:
            from hpcprov.agent import declared
            from hpcprov.agent.opening import own_starts
            from hpcprov.capture.observed import Observed, Questions

            starts = self.opening.starts or own_starts(self.journal.path)
            self.seen = Observed(
                cwd=str(starts[0].get("cwd") or "/") if starts else "/",
                environ=os.environ,
                questions=Questions(digest=self.digests.of),
                declared=[os.path.join(cwd, pattern) for _, cwd, pattern in declared.patterns(starts)],
                mountinfo=own_mounts(),
                begin=min((start["time"] for start in starts if type(start.get("time")) is int), default=0),
                how=str(starts[0].get("observe") or "preload") if starts else "preload",
            )
        return self.seen

    def finish(self) -> None:
        self.take()
        until = time.monotonic() + LAST
        for reader in self.readers:
            self.read_all(reader, until)
            self.audited += python_audit.read(self.spool(reader) or "")
        self.tell(LAST_DIGESTS, final=True)

    def read_all(self, reader: Reader, until: float) -> None:
        end = reader.area.position + reader.area.waiting()
        while reader.area.position < end and reader.feed(self.observed(), final=True):
            if time.monotonic() > until:
                self.reasons.append(f"{end - reader.area.position} bytes of events were left unread")
                break

    def spool(self, reader: Reader) -> str | None:
        return spools.find(self.journal.path, reader.area.identity)

    def leave(self, reader: Reader) -> None:
        """Nobody reads this area any more; the last to use it removes it."""
        path = self.spool(reader)
        reader.area.stop()
        if reader.area.is_last() and path is not None:
            spools.remove(path)
        os.close(reader.area.fd)

    def tell(self, digests: tuple[float, int], *, final: bool = False) -> None:
        """Write what is new. `digests`: seconds for them, and the largest file in bytes."""
        if not self.readers:
            return
        seen = self.observed()
        for reader in self.readers:
            lost, cut = reader.area.lost
            seen.lose(reader.number, lost=lost, cut=cut)
            if reader.area.damaged:
                seen.doubt("the event area was overwritten by the application")
            if reader.area.removed:
                seen.doubt("the event area was removed while the job ran")
        for reason in self.reasons:
            seen.doubt(reason)
        self.digests.allow(*digests)
        for event in seen.events(final):
            self.write(event)

    def write(self, event: dict[str, Any]) -> None:
        keys = {key: value for key, value in event.items() if key not in ("event", "node")}
        if event["event"] == "program":
            identity.drop_changed(keys["entries"])
        elif event["event"] == "observation" and self.audited:
            code = python_audit.joined(keys["value"]["code"], self.audited, self.digests.of)
            keys["value"] = keys["value"] | {"code": code}
        self.journal.write(event["event"], **keys)
