"""Which data two runs used and made: artifacts of the one paired with those of the other, and how the pairs differ.

    pairs(one, other, "used")       ->  [("forcing.nc", {artifact}, {artifact}), ...]; None for one that has no partner
    state(artifact, other)          ->  "CHANGED"

Partners have the same path as seen from the working directory, else the same place in the command line, else the same
name, else they are the only ones left.
"""

from __future__ import annotations

import os

from hpcprov.catalog.causes.told import cause, cut, near

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

    from hpcprov.catalog.causes.told import Cause
    from hpcprov.record.model import Record

    Artifact = dict[str, Any]
    Pair = tuple[str, Artifact | None, Artifact | None]

SAME, CHANGED, UNKNOWN = "same", "changed", "not known"


def pairs(one: Record, other: Record, role: str) -> list[Pair]:
    """Every artifact of both in one role, with its name for people, in order of the first's paths."""
    left, right = ({artifact["path"]: artifact for artifact in record["artifacts"][role]} for record in (one, other))
    found: dict[str, str] = {}
    taken: set[str] = set()
    for key in (near, _place(), _base):
        ours = _by(key, one, [path for path in left if path not in found])
        theirs = _by(key, other, [path for path in right if path not in taken])
        found |= {ours[name]: theirs[name] for name in ours.keys() & theirs.keys()}
        taken.update(found.values())
    rest = [[path for path in left if path not in found], [path for path in right if path not in taken]]
    if len(rest[0]) == len(rest[1]) == 1 and _alike(left[rest[0][0]], right[rest[1][0]]):
        found[rest[0][0]] = rest[1][0]
        taken.add(rest[1][0])
    together = [(_name(path, one, partner, other), left[path], right[partner]) for path, partner in found.items()]
    alone: list[Pair] = [(near(path, one), left[path], None) for path in left if path not in found]
    alone += [(near(path, other), None, right[path]) for path in right if path not in taken]
    return sorted([*together, *alone], key=lambda pair: pair[0])


def _by(key: Callable[[str, Record], str | None], record: Record, paths: list[str]) -> dict[str, str]:
    """Paths by a name, where it is the name of one only."""
    found: dict[str, list[str]] = {}
    for path in paths:
        if (name := key(path, record)) is not None:
            found.setdefault(name, []).append(path)
    return {name: group[0] for name, group in found.items() if len(group) == 1}


def _place() -> Callable[[str, Record], str | None]:
    """A function that gives the place in the command line where a path is named."""
    words: dict[int, dict[str, str]] = {}

    def place(path: str, record: Record) -> str | None:
        run = record["run"]
        if id(record) not in words:
            full = (os.path.join(run["cwd"] or "/", word.rpartition("=")[2]) for word in run["argv"] or [])
            words[id(record)] = {os.path.normpath(one): str(at) for at, one in enumerate(full)}
        return words[id(record)].get(path)

    return place


def _base(path: str, record: Record) -> str:
    return os.path.basename(path)


def _alike(one: Artifact, other: Artifact) -> bool:
    return bool(one["format"] == other["format"])


def _name(path: str, one: Record, partner: str, other: Record) -> str:
    ours, theirs = near(path, one), near(partner, other)
    return ours if ours == theirs else f"{ours} / {theirs}"


def state(one: Artifact, other: Artifact) -> str:
    """Whether two artifacts hold the same: by values, else by bytes."""
    for kind in ("signature", "storage"):
        if one[kind] and other[kind]:
            return SAME if one[kind]["digest"] == other[kind]["digest"] else CHANGED
    return UNKNOWN


def inputs(one: Record, other: Record) -> Iterator[Cause]:
    """Inputs that differ. `artifacts` of each are the facts of both, to look closer with."""
    for name, ours, theirs in pairs(one, other, "used"):
        if ours is None or theirs is None:
            yield cause("input", f"input {cut(name)} was read in the {'first' if ours else 'second'} only",
                        ours and name, theirs and name, name=name)  # fmt: skip
        elif state(ours, theirs) == CHANGED:
            before, after = (_digest(artifact) for artifact in (ours, theirs))
            yield cause("input", f"input {cut(name)} changed", before, after, name=name, artifacts=[ours, theirs])


def unknown(one: Record, other: Record, role: str) -> list[str]:
    """Names of what both have and nothing can be said of, since one was not hashed."""
    return [
        name for name, ours, theirs in pairs(one, other, role) if ours and theirs and state(ours, theirs) == UNKNOWN
    ]


def _digest(artifact: Artifact) -> str:
    return str((artifact["signature"] or artifact["storage"])["digest"])
