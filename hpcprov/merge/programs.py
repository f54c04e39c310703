"""The programs that a run executed, as a tree: equal programs with equal ancestors are one row, whatever the rank.

    tree(events).rows[0]
    ->  {"id": 1, "parent": None, "path": "/usr/bin/bash", "argv": ["bash", "job.sh"], "count": 4, "ranks": [[0, 3]],
         "exits": {"0": 4}, "blind": None, ...}

Agents number programs on their node; a parent that is not known, or that is its own ancestor, counts as none.
"""

from __future__ import annotations

from collections import deque

from hpcprov.record import moment
from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import count, joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event, Rank

    Entry = dict[str, Any]
    Key = tuple[str, tuple[str, ...], str | None]  # path, argv, blind

MOST_ROWS = 10_000  # in a record; of more the ones nearest to the root
NEVER = 1 << 64


class Row:
    """Equal programs below equal ancestors."""

    __slots__ = (
        "began",
        "below",
        "count",
        "cwd",
        "ended",
        "exits",
        "first",
        "key",
        "number",
        "parent",
        "ranks",
        "sha256",
    )

    def __init__(self, key: Key, parent: Row | None) -> None:
        self.key, self.parent = key, parent
        self.below: dict[Key, Row] = {}
        self.count, self.began, self.ended = 0, NEVER, -1
        self.first = NEVER  # the lowest number that an agent has given to one of them
        self.ranks: list[list[int]] = []
        self.exits: dict[str, int] = {}
        self.cwd: set[str] = set()
        self.sha256: set[str] = set()
        self.number = 0

    def add(self, entry: Entry) -> None:
        """Count an agent's row, or one program, in."""
        self.count += entry.get("count", 1)
        self.first = min(self.first, entry["id"])
        self.began = min(self.began, entry.get("began", NEVER))
        self.ended = max(self.ended, entry.get("ended", -1))
        self.ranks += entry.get("ranks") or ([[entry["rank"], entry["rank"]]] if "rank" in entry else [])
        for code, number in (entry.get("exits") or ({str(entry["status"]): 1} if "status" in entry else {})).items():
            self.exits[code] = self.exits.get(code, 0) + number
        self.cwd |= {entry["cwd"]} if "cwd" in entry else set()
        self.sha256 |= {entry["sha256"]} if "sha256" in entry else set()

    @property
    def order(self) -> tuple[int, int, bytes]:
        """By time, whose clock ticks too slowly for short programs, then as they were numbered."""
        return self.began, self.first, canonical([self.key[0], list(self.key[1]), self.key[2]])

    def facts(self) -> dict[str, Any]:
        """The row as it stands in a record."""
        return {
            "id": self.number,
            "parent": self.parent.number if self.parent is not None and self.parent.number else None,
            "path": self.key[0],
            "argv": list(self.key[1]) or None,
            "cwd": _only(self.cwd),
            "sha256": _only(self.sha256),
            "blind": self.key[2],
            "count": self.count,
            "ranks": joined(self.ranks),
            "began": moment.iso(self.began) if self.began < NEVER else None,
            "ended": moment.iso(self.ended) if self.ended >= 0 else None,
            "exits": dict(sorted(self.exits.items())),
        }


def _only(texts: set[str]) -> str | None:
    return next(iter(texts)) if len(texts) == 1 else None


class Tree:
    """`rows` of a record, parents before their children; `numbers`: the row of each (node, id), of those beyond the
    limit the nearest ancestor's; `counted`: how many programs, by path and blindness, are beyond it."""

    def __init__(self, root: Row, of_program: dict[tuple[str, int], Row]) -> None:
        kept, cut = _numbered(root)
        self.rows = [row.facts() for row in kept]
        self.numbers = {program: number for program, row in of_program.items() if (number := _kept(row))}
        self.counted: dict[tuple[str, str | None], int] = {}
        for row in cut:
            key = row.key[0], row.key[2]
            self.counted[key] = self.counted.get(key, 0) + row.count


def tree(events: Iterable[Event]) -> Tree:
    """The programs of all nodes. `events`: checked `program` events."""
    by_node: dict[str, dict[int, tuple[int, Entry]]] = {}
    for event in events:
        of_node, at = by_node.setdefault(event["node"], {}), event["time"]
        for entry in event["entries"]:
            known = of_node.get(entry["id"])
            if known is None or at > known[0] or (at == known[0] and canonical(entry) > canonical(known[1])):
                of_node[entry["id"]] = at, entry
    root = Row(("", (), None), None)
    of_program: dict[tuple[str, int], Row] = {}
    for node in sorted(by_node):
        entries = {number: entry for number, (_, entry) in by_node[node].items()}
        rows: dict[int, Row] = {}
        for number in sorted(entries):
            row = _row(root, number, entries, rows)
            row.add(entries[number])
            of_program[node, number] = row
    return Tree(root, of_program)


def end_with_ranks(rows: list[dict[str, Any]], ranks: list[Rank]) -> None:
    """Tell of the applications themselves how they ended: their launchers waited for them, no observed program did."""
    exits = {rank.rank: rank for rank in ranks if rank.exit is not None}
    for row in rows:
        if row["parent"] is None and not row["exits"] and row["count"] == count(row["ranks"]) <= len(exits):
            ended = [exits[n] for first, last in row["ranks"] for n in range(first, last + 1) if n in exits]
            codes = [str(-rank.signal if rank.signal is not None else rank.code) for rank in ended]
            row["exits"] = {code: codes.count(code) for code in sorted(set(codes) - {"None"})}
            last = max((rank.ended or 0 for rank in ended), default=0)
            row["ended"] = row["ended"] or (moment.iso(last) if last else None)


def _row(root: Row, number: int, entries: dict[int, Entry], rows: dict[int, Row]) -> Row:
    """The row of a program, after those of its ancestors."""
    chain: list[int] = []
    seen: set[int] = set()
    at = number
    while at in entries and at not in rows and at not in seen:
        chain.append(at)
        seen.add(at)
        at = entries[at].get("parent", 0)
    above = rows.get(at, root)
    for at in reversed(chain):
        entry = entries[at]
        key = entry["path"], tuple(entry.get("argv", ())), entry.get("blind")
        if key not in above.below:
            above.below[key] = Row(key, above)
        rows[at] = above = above.below[key]
    return above


def _numbered(root: Row) -> tuple[list[Row], list[Row]]:
    """The rows that stay, numbered from 1 in the order of a tree's drawing, and those that do not."""
    levels = deque([root])
    found: list[Row] = []
    while levels:
        below = sorted(levels.popleft().below.values(), key=lambda row: row.order)
        found += below
        levels += below
    kept = {id(row) for row in found[:MOST_ROWS]}
    ordered: list[Row] = []
    waiting = [root]
    while waiting:
        row = waiting.pop()
        if row is not root:
            ordered.append(row)
            row.number = len(ordered)
        below = sorted((child for child in row.below.values() if id(child) in kept), key=lambda child: child.order)
        waiting += reversed(below)
    return ordered, found[MOST_ROWS:]


def _kept(row: Row) -> int:
    at: Row | None = row
    while at is not None and not at.number:
        at = at.parent
    return at.number if at is not None else 0
