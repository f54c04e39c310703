"""What all nodes saw of each path -> what the run used and generated. Pure: events in, values out.

A node's agent tells of a path again and again, each time all that it knows: its latest word counts. Words of several
nodes are joined; the order of events and their repetition change nothing.

    found = join(events)                    # {"/data/a.nc": Access(read=True, ranks=[[0, 3]], ...)}
    roles(found["/data/a.nc"])              # [("used", None)]
    in_order([("used", found["/data/a.nc"])])   # the order in which they are signed
"""

from __future__ import annotations

from itertools import zip_longest

from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, TypeVar

    from hpcprov.merge.ranks import Event

    Entry = dict[str, Any]
    T = TypeVar("T")

USED, GENERATED = "used", "generated"
OVERWROTE, REMOVED = "this run overwrote it", "this run removed it"
CHANGED = "it changed after the run had first read it"
#: Reasons for which there will never be anything to hash.
NEVER = (OVERWROTE, REMOVED, CHANGED)


class Access:
    """What the run did with one path. `first`, `last`: ns since the epoch or None; `programs`: (node, id) pairs;
    `began` and `ended`: [size, mtime in ns] as the run first read it and as it left it, or None."""

    __slots__ = (
        "began",
        "ended",
        "files",
        "first",
        "gone",
        "last",
        "overwritten",
        "path",
        "programs",
        "ranks",
        "read",
        "renamed_from",
        "store",
        "written",
    )

    def __init__(self, path: str, node: str, entry: Entry) -> None:
        self.path = path
        self.read, self.written = entry.get("read", False), entry.get("written", False)
        self.gone, self.overwritten = entry.get("gone", False), entry.get("overwritten", False)
        self.first: int | None = entry.get("first")
        self.last: int | None = entry.get("last")
        self.ranks: list[list[int]] = entry.get("ranks", [])
        self.programs = tuple((node, number) for number in entry.get("programs", ()))
        self.began: list[int] | None = entry.get("began")
        self.ended: list[int] | None = entry.get("ended")
        self.renamed_from: str | None = entry.get("from")
        self.store: str | None = entry.get("store")
        self.files: int | None = entry.get("files")

    @property
    def size(self) -> int:
        """Bytes, as far as they are known; 0 when not."""
        return (self.ended or self.began or [0])[0]


def join(events: Iterable[Event]) -> dict[str, Access]:
    """By path, what is known of it. `events`: checked `access` events."""
    latest: dict[str, dict[str, tuple[int, Entry]]] = {}
    for event in events:
        of_node, moment = latest.setdefault(event["node"], {}), event["time"]
        for entry in event["entries"]:
            known = of_node.get(entry["path"])
            if known is None or _is_later(moment, entry, *known):
                of_node[entry["path"]] = moment, entry
    found: dict[str, list[Access]] = {}
    for node in sorted(latest):
        for path, (_, entry) in latest.pop(node).items():
            if "read" in entry or "written" in entry:  # else it takes back what was told of the path
                found.setdefault(path, []).append(Access(path, node, entry))
    return {path: joined_accesses(parts) for path, parts in found.items()}


def _is_later(moment: int, entry: Entry, known_moment: int, known: Entry) -> bool:
    if moment != known_moment:
        return moment > known_moment
    return entry != known and canonical(entry) > canonical(known)


def joined_accesses(parts: list[Access]) -> Access:
    """One of several nodes' words on one path; `parts`: in the order of the nodes' names."""
    whole = min(parts, key=lambda part: _first(part.first))
    if len(parts) == 1:
        return whole
    final = max(parts, key=lambda part: part.last or 0)
    whole.overwritten = any(_read_older(part, parts, final.ended) for part in parts)
    whole.gone, whole.ended = final.gone, final.ended
    whole.renamed_from = final.renamed_from or whole.renamed_from
    whole.last = final.last
    whole.read, whole.written = any(part.read for part in parts), any(part.written for part in parts)
    whole.ranks = joined(pair for part in parts for pair in part.ranks)
    whole.programs = tuple(program for part in parts for program in part.programs)
    whole.store = next((part.store for part in parts if part.store), None)
    whole.files = max((part.files for part in parts if part.files is not None), default=None)
    return whole


def _first(moment: int | None) -> int:
    return 1 << 64 if moment is None else moment


def _read_older(part: Access, parts: list[Access], ended: list[int] | None) -> bool:
    """Has a node read an older version than the one that this run has written? What it found when it first read tells;
    moments of two nodes' clocks only where that is not what is there at the end."""
    others = [_first(other.first) for other in parts if other.written and other is not part]
    if not part.overwritten and (not others or part.began is None or part.began == ended):
        return False
    return _first(part.first) <= min(others, default=_first(part.first))


def roles(access: Access) -> list[tuple[str, str | None]]:
    """In which roles the path is an artifact of the run, and why it can never be hashed as such, or None. What the run
    made and removed again is none."""
    found: list[tuple[str, str | None]] = []
    if access.overwritten or (access.read and not access.written):
        found.append((USED, REMOVED if access.gone else OVERWROTE if access.overwritten else None))
    if access.written and not access.gone:
        found.append((GENERATED, None))
    return found


def in_order(found: Iterable[tuple[str, Access]]) -> list[tuple[str, Access]]:
    """(role, access) in the order in which they are signed when there is not time for all: stores, then the largest."""
    return in_turn(sorted(found, key=lambda one: (one[1].store is None, -one[1].size, one[1].path)))


def in_turn(ordered: Iterable[tuple[str, T]]) -> list[tuple[str, T]]:
    """Outputs and inputs alternately: thousands of the ones leave room for some of the others."""
    by_role: dict[str, list[tuple[str, T]]] = {GENERATED: [], USED: []}
    for one in ordered:
        by_role[one[0]].append(one)
    return [one for pair in zip_longest(*by_role.values()) for one in pair if one is not None]
