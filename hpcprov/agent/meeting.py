"""Nodes of one run meet in its directory, and one of them takes the end upon itself.

Taking a ticket is `mkdir done/<k>` with the first free k, which the file server decides: exactly one node gets the last
ticket, whatever the clients' caches show. Where that node never comes (it has no part in this run, or its agent died),
the logs tell that all ranks have ended. Whoever ends the run first makes `done/takeover`, so that it is only one.
"""

from __future__ import annotations

import os
import time

from hpcprov.agent.signing import ALONE, HELPER, LAST
from hpcprov.record import frame
from hpcprov.record.layout import LOG_NAME

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store

POLL = 0.05  # s, doubled up to a second: metadata servers are shared
GRACE = 1.0  # s for the logs and tickets of other nodes to show
TAKEOVER = "takeover"
# A FIFO with a log's name must not hold up whoever reads it.
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Meeting:
    """One node's side: `nodes` is the scheduler's count (0 where there is none), `ticket` the number of this node's."""

    def __init__(self, store: Store, run_id: str, *, log: str, nodes: int, ticket: int | None = None) -> None:
        self.store, self.run_id, self.nodes, self.ticket = store, run_id, nodes, ticket
        self.run, self.log = store.run(run_id), os.path.basename(log)

    def part(self, patience: float) -> str | None:
        """What is left to do for this node: all of it, its share as the last to end or as a helper of that one, or
        nothing. Waits up to `patience` seconds for other nodes."""
        if self.nodes == 1:
            return ALONE
        if self.ticket is not None and self.ticket == self.nodes - 1:
            return self.claim()
        began, pause = time.monotonic(), POLL
        look = GRACE if self.nodes > 1 else 0.0
        while True:
            if not os.path.isdir(self.run):
                return None  # another node was quicker: the run's directory has moved to the records
            if self.somebody_ends():
                return HELPER
            waited = time.monotonic() - began
            if waited >= min(look, patience):
                look = 2 * look  # logs may be large
                if self.complete(waited):
                    return self.claim()
                if waited >= GRACE and not self.others():
                    return None
            if waited >= patience:
                return None
            time.sleep(pause)
            pause = min(2 * pause, 1.0)

    def claim(self) -> str:
        """The end of the run belongs to whoever is the first to say so."""
        try:
            os.makedirs(self.store.done(self.run_id), exist_ok=True)
            os.mkdir(os.path.join(self.store.done(self.run_id), TAKEOVER))
        except FileExistsError:
            return HELPER
        return LAST

    def somebody_ends(self) -> bool:
        found = tickets(self.store, self.run_id)
        return TAKEOVER in found or (self.nodes > 1 and str(self.nodes - 1) in found)

    def complete(self, waited: float) -> bool:
        """All ranks have ended, and where the scheduler counts nodes their agents said so or had the time to."""
        events = events_of(self.run)
        return all_ended(events) and (self.nodes == 0 or waited >= GRACE or all_told(events))

    def others(self) -> bool:
        """Whether another node has a log of this run."""
        own = LOG_NAME.fullmatch(self.log)
        if own is None:
            return True
        found = filter(None, map(LOG_NAME.fullmatch, names_of(self.run)))
        return any(name["n"] == own["n"] and name["node"] != own["node"] for name in found)


def names_of(run: str) -> list[str]:
    """The logs in a run's directory; none when it has moved."""
    try:
        return sorted(name for name in os.listdir(run) if name.endswith(".log"))
    except OSError:
        return []


def events_of(run: str) -> list[dict[str, Any]]:
    """All events of all node logs that this node can see. What programs were seen to do may be much: of that there is
    only that it was told."""
    return [event | {"entries": []} if "entries" in event else event for event in read_events(run)]


def read_events(run: str, *, kinds: tuple[str, ...] | None = None) -> Iterator[dict[str, Any]]:
    """Event by event of all node logs that this node can see; only these kinds."""
    for name in names_of(run):
        try:
            with open(os.open(os.path.join(run, name), FLAGS), "rb") as file:
                yield from (event for event in frame.scan(file) if kinds is None or event.get("event") in kinds)
        except OSError:
            continue  # the run has just moved


def tickets(store: Store, run_id: str) -> list[str]:
    try:
        return os.listdir(store.done(run_id))
    except OSError:
        return []  # none yet, or merged already


def take_ticket(store: Store, run_id: str) -> int:
    """The number of the first free ticket, which is now this node's."""
    os.makedirs(store.done(run_id), exist_ok=True)
    number = 0
    while True:
        try:
            os.mkdir(store.ticket(run_id, number))
            return number
        except FileExistsError:
            number += 1


def all_ended(events: list[dict[str, Any]]) -> bool:
    """Every rank of the world has told its end in some log."""
    size = max((event.get("size") or 0 for event in events if event.get("event") == "start"), default=0)
    return len({event.get("rank") for event in events if event.get("event") in ("exit", "lost")}) >= size > 0


def all_told(events: list[dict[str, Any]]) -> bool:
    """Every node that started ranks has an agent that said that they have ended."""
    begun, ended = ({e.get("node") for e in events if e.get("event") == kind} for kind in ("start", "ended"))
    return begun <= ended
