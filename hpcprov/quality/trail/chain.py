"""Whether an audit trail is whole: each entry begins where the one before it ended, and the last one tells of the data.

chain(entries, "hpcprov1:6f0c...")  ->  Chain(links=["first", "follows", "gap"], now="same")
"""

from __future__ import annotations

from typing import NamedTuple

from hpcprov.quality.trail.entries import DROPPED

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.quality.trail.entries import Entry

#: Of an entry: nothing is before it; it begins with the values that the entry before it left; what it found was not
#: signed (it was made anew, with attributes that were copied, or the run wrote over it); entries before it were
#: dropped; or something that left no entry has changed the values before it.
FIRST, FOLLOWS, UNSIGNED, UNKNOWN, GAP = "first", "follows", "unsigned", "unknown", "gap"
#: Of the data: as the last entry left it, changed since, or not looked at.
SAME, CHANGED, UNCHECKED = "same", "changed", "not checked"


class Chain(NamedTuple):
    """A word for each entry, and one for the data as it is now."""

    links: list[str]
    now: str

    @property
    def is_whole(self) -> bool:
        return GAP not in self.links and self.now != CHANGED


def chain(entries: list[Entry], signature: str | None) -> Chain:
    """How the entries follow each other; `signature`: of the data as it is now, None where it is not known."""
    links, last = [], None
    for at, entry in enumerate(entries):
        links.append(_link(at, entry, last))
        last = entry["after"]
    return Chain(links, UNCHECKED if signature is None or last is None else SAME if signature == last else CHANGED)


def _link(at: int, entry: Entry, last: str | None) -> str:
    if at == 0:
        return FIRST
    if DROPPED in entry or last is None:
        return UNKNOWN
    if entry["before"] is None:
        return FOLLOWS if entry["after"] == last else UNSIGNED  # a run within a run leaves the same values
    return FOLLOWS if entry["before"] == last else GAP
