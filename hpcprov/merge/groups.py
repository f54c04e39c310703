"""Which logs of one directory belong to one launch: a run id can come round again.

A node has one log per launch, so two launches of one node are two runs; logs of other nodes join the run that was
launched nearest in time. Where the launching process cannot be seen (another pid namespace), every rank is its own
launch and has its own log: those belong together as long as their ranks differ.

    groups([n1's log of launch A, n1's of launch B, n2's of launch B])  ->  [[n1 A], [n1 B, n2 B]]
"""

from __future__ import annotations

from hpcprov.merge import whole
from hpcprov.record import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.merge.read import Log

WINDOW = 600 * 1_000_000_000
NEVER = 1 << 63


class Group:
    """The logs of one launch. `launched`: ns since the epoch, NEVER when no log says."""

    __slots__ = ("began", "launched", "logs", "n", "name", "nodes", "ranks", "self_launched", "units", "whole")

    def __init__(self, logs: list[Log]) -> None:
        events = [event for log in logs for event in log.events]
        starts = [event for event in events if event["event"] == "start"]
        parts = [event for event in events if event["event"] == "part"]
        times = [event["launch_time"] for event in starts if "launch_time" in event]
        self.logs = logs
        self.units = {log.unit for log in logs}
        self.nodes = {log.node for log in logs} - {layout.SETTLER}
        self.n, self.name = logs[0].n, logs[0].name
        self.ranks = {event["rank"] for event in starts}
        self.whole = whole.kind(starts, parts) != whole.COMMAND
        self.began = whole.began(parts)
        spoken = (event["time"] for event in events if event["event"] != "witness")  # that may be days later
        self.launched = min(times, default=min(spoken, default=NEVER))
        self.self_launched = bool(starts) and all(
            event.get("launcher") != "none" and event.get("launch") == f"{event.get('ticks')}-{event['pid']}"
            for event in starts
        )

    def takes(self, other: Group) -> bool:
        """Could `other` be a part of the same launch?"""
        if self.units & other.units or not (self.nodes and other.nodes):
            return True  # a settling process's log is part of whatever lies beside it
        if self.whole != other.whole and NEVER in (self.launched, other.launched):
            return True  # a part that was killed before it could write a word
        if self.whole and other.whole:  # its parts may begin days apart
            return not (self.began and other.began) or bool(self.began & other.began)
        if self.ranks & other.ranks or (self.nodes & other.nodes and not (self.self_launched and other.self_launched)):
            return False
        return NEVER in (self.launched, other.launched) or abs(self.launched - other.launched) <= WINDOW

    def distance(self, other: Group) -> tuple[bool, bool, int]:
        return not self.units & other.units, self.n != other.n, abs(self.launched - other.launched)

    def join(self, other: Group) -> None:
        self.logs.extend(other.logs)  # a job's may be tens of thousands: sorted once, when all are there
        self.name = min(self.name, other.name)
        self.units |= other.units
        self.nodes |= other.nodes
        self.ranks |= other.ranks
        self.launched = min(self.launched, other.launched)
        self.self_launched &= other.self_launched
        self.whole |= other.whole
        self.began |= other.began


def groups(logs: Iterable[Log]) -> list[Group]:
    """The launches in `logs`, in order of their time; each a group of logs sorted by name."""
    by_unit: dict[tuple[str, str, int], list[Log]] = {}
    for log in logs:
        by_unit.setdefault(log.unit, []).append(log)
    units = [Group(sorted(parts, key=lambda log: log.name)) for parts in by_unit.values()]
    found: list[Group] = []
    for unit in sorted(units, key=_order):
        home = home_of(unit, found)
        if home is None:
            found.append(unit)
        else:
            home.join(unit)
    for group in found:
        group.logs.sort(key=lambda log: log.name)
    return sorted(found, key=_order)


def home_of(unit: Group, candidates: list[Group]) -> Group | None:
    """The candidate that `unit` belongs to most likely, or None."""
    fitting = [candidate for candidate in candidates if candidate.takes(unit)]
    return min(fitting, key=lambda candidate: (candidate.distance(unit), candidate.name), default=None)


def _order(group: Group) -> tuple[int, int, str]:
    return group.launched, group.n, group.name
