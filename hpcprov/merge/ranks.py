"""Rank by rank: when each started, how it ended, what it used. Ranks are columns: 10,000 of them stay small.

columns([Rank(0), Rank(1)], nodes=["n1"], origin=start)
-> {"rank": [0, 1], "node": [0, 0], "state": ["completed", "failed"], "code": [0, 2], ...}
"""

from __future__ import annotations

from hpcprov.record.canonical import canonical
from hpcprov.record.event import RUSAGE, rusage

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Event = dict[str, Any]

UNKNOWN_NODE = "unknown"


class Rank:
    """One rank: its `start`, its `exit` or None, when it was `lost` (ns) or None, and its `state`."""

    __slots__ = ("exit", "lost", "rank", "start", "state")

    def __init__(self, start: Event, exit: Event | None, lost: int | None) -> None:
        self.rank: int = start["rank"]
        self.start, self.exit, self.lost = start, exit, lost
        self.state = state_of(exit)

    @property
    def node(self) -> str:
        return str(self.start.get("node", UNKNOWN_NODE))

    @property
    def ended(self) -> int | None:
        """When it ended, or was seen to be lost; ns since the epoch."""
        return self.exit["time"] if self.exit else self.lost

    @property
    def code(self) -> int | None:
        return self.exit.get("code") if self.exit else None

    @property
    def signal(self) -> int | None:
        return self.exit.get("signal") if self.exit else None


def state_of(exit: Event | None) -> str:
    """How a rank ended, by its exit event; `lost` without one, until more is known."""
    if exit is None:
        return "lost"
    if "signal" in exit:
        return "signalled"
    return "completed" if exit.get("code") == 0 else "failed"


def pair(starts: Iterable[Event], exits: Iterable[Event], lost: Iterable[Event]) -> tuple[list[Rank], list[int]]:
    """Ranks in order, and those that were started more than once: of these only the first start is told."""
    first: dict[int, Event] = {}
    again: set[int] = set()
    for start in starts:
        known = first.setdefault(start["rank"], start)
        if identity(known) != identity(start):
            again.add(start["rank"])
        first[start["rank"]] = earlier(known, start)
    by_process: dict[tuple[int, int], Event] = {}
    for event in exits:
        key = event["rank"], event["pid"]
        by_process[key] = earlier(by_process.get(key, event), event)
    gone: dict[int, int] = {}
    for event in lost:
        gone[event["rank"]] = min(gone.get(event["rank"], event["time"]), event["time"])
    ranks = [Rank(start, by_process.get((rank, start["pid"])), gone.get(rank)) for rank, start in sorted(first.items())]
    return ranks, sorted(again)


def identity(start: Event) -> tuple[Any, ...]:
    return start["pid"], start.get("ticks"), start.get("boot_id")


def earlier(one: Event, other: Event) -> Event:
    """The earlier of two events, by a rule that does not depend on the order of reading."""
    return one if one is other else min(one, other, key=lambda event: (event["time"], event["boot"], canonical(event)))


def columns(ranks: list[Rank], nodes: list[str], origin: int) -> dict[str, list[Any]]:
    """The ranks' table. `start`, `end`: ns after `origin`, the run's start; `duration`: by a clock that never jumps."""
    place = {node: index for index, node in enumerate(nodes)}
    exits: list[Event] = [rank.exit or {} for rank in ranks]
    usage = [rusage(exit) for exit in exits]
    table: dict[str, list[Any]] = {
        "rank": [rank.rank for rank in ranks],
        "node": [place[rank.node] for rank in ranks],
        "local_rank": [rank.start.get("local_rank") for rank in ranks],
        "pid": [rank.start["pid"] for rank in ranks],
        "start": [rank.start["time"] - origin for rank in ranks],
        "end": [exit["time"] - origin if exit else None for exit in exits],
        "state": [rank.state for rank in ranks],
        "core": [exit.get("core") for exit in exits],
    }
    table |= {key: [exit.get(key) for exit in exits] for key in ("duration", "code", "signal", "error")}
    table["lost_output"] = [exit.get("lost_output", 0) if exit else None for exit in exits]
    return table | {key: [counters.get(key) for counters in usage] for key in RUSAGE}
