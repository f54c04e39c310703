"""The ranks of one node, as their launchers tell of them over the agent's socket.

Messages are text in SOCK_SEQPACKET packets. A launcher says `hello <rank> <size> <local size> <pid> <ticks>
<application pid>`, with the descriptor of its event area, and, when the application has ended, `exit <code or -1>
<signal or 0>`. The agent answers `go`, or `wait` to the one launcher that is the node's last and ended with status 0;
that one leaves when it then reads `go`. An end-of-file without `exit` is the death of a launcher.
"""

from __future__ import annotations

import errno
import os
import select
import socket
import sys
import time

from hpcprov.agent.journal import Journal
from hpcprov.agent.unconnected import Unconnected

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Protocol

    from hpcprov.agent.room import Room

    class Sampler(Protocol):
        """What samples the process trees below some processes."""

        def sample(self) -> float:
            """Take one sample; seconds until the next is due."""

    class Drain(Protocol):
        """What reads the event areas."""

        due: float

        def turn(self) -> None:
            """Read what there is, for a moment; `due` is then when to read again (monotonic time)."""


LINGER = 5.0  # s without any connection before ranks that never came are given up
FIRST = 10.0  # s for the first launcher to say hello
BEAT = 60.0  # s between heartbeats
ROOM = socket.CMSG_SPACE(4)  # bytes for one descriptor
LOOK = 2.0  # s between looks into the log for ranks that are missing here


class Rank:
    """One launcher's connection and what it has said."""

    __slots__ = ("application", "connection", "ended", "ok", "rank")

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection
        self.rank = -1
        self.application = 0
        self.ended = False
        self.ok = False


class Node:
    """Keeps the connections of one node's launchers until all of its ranks have ended."""

    def __init__(self, listening: socket.socket, journal: Journal) -> None:
        self.listening, self.journal = listening, journal
        self.open: dict[int, Rank] = {}
        self.areas: list[int] = []  # descriptors of event areas, for somebody to take
        self.seen: set[int] = set()
        self.done: set[int] = set()
        self.local_size = -1
        self.failed = False
        self.last: Rank | None = None
        self.quiet_since = self.looked = time.monotonic()
        self.unconnected = Unconnected(journal.path)
        self.poll = select.poll()
        self.poll.register(listening, select.POLLIN)
        listening.setblocking(False)

    @property
    def applications(self) -> list[int]:
        """Process ids of the applications that are running, as far as their launchers still are."""
        return [r.application for r in self.open.values() if r.application > 0 and not r.ended]

    @property
    def over(self) -> bool:
        """All ranks that this node has, or is going to have, have ended."""
        if self.seen and self.done >= self.seen and len(self.seen) >= self.local_size > 0:
            return True
        if self.unconnected.launchers.keys() - self.done:
            return False  # `look` finds out which of them are dead
        quiet = time.monotonic() - self.quiet_since
        return not self.running and quiet > (LINGER if self.seen else FIRST)

    @property
    def running(self) -> bool:
        return any(not r.ended for r in self.open.values())

    @property
    def missing(self) -> bool:
        """Whether there may be ranks that only the log tells of."""
        return len(self.seen) < self.local_size or not self.running

    def look(self) -> None:
        """Count ranks whose launchers could not connect: a socket's queue is short, and a launcher does not wait."""
        self.looked = time.monotonic()
        log = self.unconnected
        log.look()
        connected = {rank.rank for rank in self.open.values() if not rank.ended}
        new = log.begun - self.seen
        over = (log.begun & self.seen & log.gone()) - connected - self.done
        self.seen |= log.begun
        if new or over:
            self.quiet_since = self.looked
        for rank in sorted(over):
            self.done.add(rank)
            self.failed |= rank in log.failed or rank not in log.ended
            if rank not in log.ended:
                self.journal.write("lost", rank=rank)

    def turn(self, timeout: float) -> None:
        """Wait up to `timeout` seconds for something to happen and deal with it."""
        for fd, _ in self.poll.poll(max(0.0, timeout) * 1000):
            if fd == self.listening.fileno():
                self.accept()
            else:
                self.hear(self.open[fd])

    def accept(self) -> None:
        while True:
            try:
                connection, _ = self.listening.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in (errno.EINTR, errno.ECONNABORTED):
                    continue
                return
            if peer_uid(connection) != os.geteuid():
                connection.close()  # abstract sockets have no permissions of their own
                continue
            self.open[connection.fileno()] = Rank(connection)
            self.poll.register(connection, select.POLLIN)

    def hear(self, rank: Rank) -> None:
        try:
            packet, told, _, _ = rank.connection.recvmsg(512, ROOM, socket.MSG_CMSG_CLOEXEC)
        except OSError:
            packet, told = b"", []
        self.areas += descriptors(told)
        words = packet.split()
        verb, numbers = (words[0], [int(w) for w in words[1:] if w.lstrip(b"-").isdigit()]) if words else (b"", [])
        if verb == b"hello" and len(numbers) == 6:
            self.hello(rank, numbers)
        elif verb == b"exit" and len(numbers) == 2:
            self.exit(rank, *numbers)
        elif not words:
            self.gone(rank)

    def hello(self, rank: Rank, numbers: list[int]) -> None:
        rank.rank, rank.application = numbers[0], numbers[5]
        self.local_size = max(self.local_size, numbers[2])
        self.seen.add(rank.rank)

    def exit(self, rank: Rank, code: int, signal: int) -> None:
        rank.ended, rank.ok = True, code == 0 and signal == 0
        self.failed |= not rank.ok
        self.done.add(rank.rank)
        self.quiet_since = time.monotonic()
        if rank.ok and not self.failed and self.over:
            self.last = rank
            answer(rank, b"wait")
        else:
            answer(rank, b"go")

    def gone(self, rank: Rank) -> None:
        self.poll.unregister(rank.connection)
        del self.open[rank.connection.fileno()]
        rank.connection.close()
        self.quiet_since = time.monotonic()
        if rank.rank >= 0 and not rank.ended:
            self.failed = True
            self.done.add(rank.rank)
            self.journal.write("lost", rank=rank.rank)

    def release(self) -> None:
        """Let the last launcher go."""
        if self.last is not None:
            answer(self.last, b"go")
            self.last = None

    def watch(self, sampler: Sampler | None, started: Callable[[], object], room: Room, drain: Drain | None) -> bool:
        """Follow the ranks to their end; `started` is called once, when the first application runs. False: there is not
        enough memory left for the agent to stay until then."""
        due = beat = time.monotonic()
        beat += BEAT
        told = False
        while not self.over:
            now = time.monotonic()
            if not room.enough():
                return False
            if self.applications and not told:
                told = True
                started()
            if sampler is not None and self.applications and now >= due:
                due = now + sampler.sample()
            if drain is not None and now >= drain.due:
                drain.turn()
            if now >= beat:
                beat = now + BEAT
                self.journal.write("beat")
                self.journal.sync()
            if self.missing and now >= self.looked + LOOK:
                self.look()
            next_sample = due - now if sampler is not None and self.applications else BEAT
            patience = (LOOK if self.missing else BEAT) if self.running else 0.5
            next_events = drain.due - time.monotonic() if drain is not None else BEAT
            self.turn(min(next_sample, next_events, beat - now, room.due - now, patience))
        self.listening.close()
        return True


def answer(rank: Rank, word: bytes) -> None:
    try:
        rank.connection.send(word)
    except OSError:
        pass  # it has left by itself


def descriptors(told: list[tuple[int, int, bytes]]) -> list[int]:
    """What a packet brought with it."""
    found = [data for level, kind, data in told if (level, kind) == (socket.SOL_SOCKET, socket.SCM_RIGHTS)]
    return [int.from_bytes(data[at : at + 4], sys.byteorder) for data in found for at in range(0, len(data) - 3, 4)]


def peer_uid(connection: socket.socket) -> int:
    credentials = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, 12)
    return int.from_bytes(credentials[4:8], "little")
