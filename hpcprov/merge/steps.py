"""The steps of a run, as Python programs told them: equal steps below equal parents are one row, whatever the rank.

    steps(by_kind["step"], over=True)
    ->  [{"id": 1, "parent": None, "name": "smooth", "function": "solve:smooth", "status": "completed", "count": 4,
          "ranks": [[0, 3]], "parameters": {"width": 3}, "used": ["/data/a.npy"], "generated": [...], ...}]

Processes number their steps; a parent that is not known, or that is its own ancestor, counts as none. Of more than
MOST_ROWS rows those nearest to the root stay; the others are counted by function.
"""

from __future__ import annotations

from hpcprov.record import moment
from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event

    Entry = dict[str, Any]
    Key = tuple[str, int]  # a process of the run, and its number for a step

MOST_ROWS = 10_000
MOST_FUNCTIONS = 1_000  # rows beyond those, one for each function
OTHERS = "(other functions)"
UNFINISHED = "unfinished"
# What rows have in common that are one. `duration` and the moments are summed up.
TEXTS = ("name", "function", "code", "error", "note")


class Row:
    """Equal steps below equal parents."""

    __slots__ = ("began", "duration", "ended", "entry", "failed", "number", "open", "parent", "ranks", "times")

    def __init__(self, number: int, parent: int | None, entry: Entry) -> None:
        self.number, self.parent, self.entry = number, parent, entry
        self.times = self.failed = self.duration = self.open = 0
        self.began: list[int] = []
        self.ended: list[int] = []
        self.ranks: set[int] = set()

    def add(self, entry: Entry, rank: int) -> None:
        self.times += entry.get("count", 1)
        self.failed += entry.get("failed", int(entry.get("status") == "failed"))
        self.duration += entry.get("duration", 0)
        self.open += "ended" not in entry
        self.began += [entry["began"]] if "began" in entry else []
        self.ended += [entry["ended"]] if "ended" in entry else []
        self.ranks.add(rank)

    def facts(self, over: bool) -> dict[str, Any]:
        """The row as it stands in a record."""
        ended = max(self.ended) if self.ended and not self.open else None
        return {key: self.entry.get(key) for key in TEXTS} | {
            "id": self.number,
            "parent": self.parent,
            "count": self.times,
            "failed": self.failed,
            "ranks": ranges(self.ranks),
            "began": moment.iso(min(self.began)) if self.began else None,
            "ended": None if ended is None else moment.iso(ended),
            "duration_s": self.duration / moment.SECOND if not self.open else None,
            "status": self.state(over),
            "parameters": self.entry.get("parameters", {}),
            "tags": self.entry.get("tags", {}),
            "used": self.entry.get("used", []),
            "generated": self.entry.get("generated", []),
        }

    def state(self, over: bool) -> str:
        if self.open:
            return UNFINISHED if over else "running"
        return "failed" if self.failed else "completed"


def steps(events: Iterable[Event], *, over: bool) -> list[dict[str, Any]]:
    """All rows, parents before their children. `events`: checked `step` events."""
    told, ranks = latest(events)
    rows: dict[Any, Row] = {}
    row_of: dict[Key, Row] = {}
    for key in in_order(told):
        entry = told[key]
        above = row_of.get(parent_of(key, entry))
        row = row_of[key] = row_for(rows, entry, above.number if above is not None else None)
        row.add(entry, ranks[key[0]])
    return [row.facts(over) for row in rows.values()]


def latest(events: Iterable[Event]) -> tuple[dict[Key, Entry], dict[str, int]]:
    """The last that each process said of each of its steps, and the ranks of the processes."""
    told: dict[Key, tuple[int, bytes, Entry]] = {}
    ranks: dict[str, int] = {}
    for event in events:
        process = f"{event.get('ticks', 0)}-{event['pid']}-{event['rank']}"
        ranks[process] = event["rank"]
        for entry in event["entries"]:
            statement = event["time"], canonical(entry), entry
            key = process, entry["id"]
            told[key] = max(told.get(key, statement), statement, key=lambda one: one[:2])
    return {key: statement[2] for key, statement in told.items()}, ranks


def parent_of(key: Key, entry: Entry) -> Key:
    """The step that this one is a part of; `of` names the process where it is another one's."""
    return entry.get("of", key[0]), entry.get("parent", 0)


def in_order(told: dict[Key, Entry]) -> list[Key]:
    """Parents before their children, nearest to the root first, then by time. What is its own ancestor has none."""
    below: dict[Key, list[Key]] = {}
    for key, entry in told.items():
        below.setdefault(parent_of(key, entry), []).append(key)
    order: list[Key] = []
    level = [key for key, entry in told.items() if parent_of(key, entry) not in told]
    while level:
        level.sort(key=lambda key: (told[key].get("began", 0), key))
        order += level
        level = [child for key in level for child in below.get(key, ())]
    known = set(order)
    return order + sorted(key for key in told if key not in known)


def row_for(rows: dict[Any, Row], entry: Entry, parent: int | None) -> Row:
    """The row that an entry belongs to, a new one if need be."""
    identity: Any = canonical([parent, {key: entry[key] for key in entry.keys() - COUNTED}, "count" in entry])
    if identity not in rows and len(rows) >= MOST_ROWS:
        parent = None
        entry = {key: entry[key] for key in ("id", "name", "function") if key in entry}
        identity = entry["name"], entry.get("function")
        if identity not in rows and len(rows) >= MOST_ROWS + MOST_FUNCTIONS:
            identity, entry = None, {"name": OTHERS}
    if identity not in rows:
        rows[identity] = Row(len(rows) + 1, parent, entry)
    return rows[identity]


COUNTED = frozenset(("id", "parent", "of", "count", "failed", "began", "ended", "duration"))
