"""A record's artifacts: what was declared and signed, joined with what was observed.

    artifacts(by_kind, join(by_kind["access"]), {}, over=True)
    ->  {"used": [{"path": "/data/a.nc", "state": "ok", "declared": [], "observed": {"access": "read", ...}, ...}],
         "generated": []}

What lies below a declared directory is a part of that artifact. What was observed and nobody signed stands there too,
with the reason.
"""

from __future__ import annotations

from hpcprov.merge import accesses as seen
from hpcprov.merge.observation import named
from hpcprov.record import moment
from hpcprov.record.artifact import BLANK, MORE, WAIT
from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import joined

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from typing import Any

    from hpcprov.merge.accesses import Access
    from hpcprov.merge.ranks import Event

    Key = tuple[str, str]  # role, path
    Programs = dict[tuple[str, int], int]

KNOWLEDGE = {"not hashed": 0, "missing": 1, "unreadable": 2, "ok": 3}
LEFT = "the run's end left nobody to do it"
RUNNING = "looked at when the run has ended"
TOO_MANY = "more than {} observed files: see observe_files"


def artifacts(
    by_kind: dict[str, list[Event]], found: dict[str, Access], numbers: Programs, *, over: bool
) -> dict[str, list[dict[str, Any]]]:
    """Used and generated artifacts by path; `found`: joined accesses; `numbers`: rows of programs."""
    known = told(by_kind["artifact"])
    patterns = declared(by_kind)
    links = {real: path for event in by_kind["declared"] for path, real in event.get("real", {}).items()}
    parts = places(found, patterns.keys(), links)
    usual = next(
        (WAIT[start["hash"]] for start in by_kind["start"] if start.get("hash") in WAIT), LEFT if over else RUNNING
    )
    reasons = Reasons(by_kind["unsigned"], found, patterns, parts, usual)
    listed: dict[str, list[dict[str, Any]]] = {seen.USED: [], seen.GENERATED: []}
    for key in sorted(known.keys() | parts.keys()):
        accesses = parts.get(key, [])
        only = accesses[0] if len(accesses) == 1 and accesses[0].path == key[1] else None
        facts = after_all(known[key], key[0], only) if key in known else unsigned(key, only, reasons)
        listed[key[0]].append(
            facts
            | {"path": key[1], "declared": sorted(patterns.get(key, ()))}
            | {"observed": summary(accesses, numbers) if accesses else None}
        )
    return listed


def told(events: Iterable[Event]) -> dict[Key, dict[str, Any]]:
    """What was found out of each; of several statements about one, that which knows most, then the latest."""
    best: dict[Key, Event] = {}
    for event in events:
        known = best.setdefault((event["role"], event["path"]), event)
        if known is not event:
            best[event["role"], event["path"]] = max(known, event, key=_knowledge)
    return {
        key: {name: event.get(name) for name in BLANK}
        | {"state": event.get("state", "unknown")}
        | {name: event[name] for name in MORE if name in event}
        for key, event in best.items()
    }


def _knowledge(event: Event) -> tuple[int, int, bytes]:
    return KNOWLEDGE.get(event.get("state", ""), -1), event["time"], canonical(event)


def declared(by_kind: dict[str, list[Event]]) -> dict[Key, set[str]]:
    """The patterns that named each path."""
    found: dict[Key, set[str]] = {}
    for event in by_kind["artifact"]:
        if event.get("declared"):
            found.setdefault((event["role"], event["path"]), set()).update(event["declared"])
    for event in by_kind["declared"]:
        for path in event["paths"] if "pattern" in event else ():
            found.setdefault((event["role"], path), set()).add(event["pattern"])
    return found


def places(found: dict[str, Access], whole: Collection[Key], links: dict[str, str]) -> dict[Key, list[Access]]:
    """The accesses that make up each artifact: its own, and those of files below it when it is a declared directory.
    `whole`: what was declared; `links`: its names by the names behind symbolic links."""
    parts: dict[Key, list[Access]] = {}
    for path in sorted(found):
        for role, _ in seen.roles(found[path]):
            parts.setdefault((role, home(role, path, whole, links)), []).append(found[path])
    return parts


def home(role: str, path: str, whole: Collection[Key], links: dict[str, str]) -> str:
    """The artifact that a path belongs to: a declared one, also by another name of it, or itself."""
    for place in ancestors(path) if whole else ():
        if (role, place) in whole:
            return place
        if (role, links.get(place, "")) in whole:
            return links[place]
    return path


def ancestors(path: str) -> Iterator[str]:
    """The path itself, then the directories that it is in, up to the root."""
    yield path
    while path != "/" and (path := path.rpartition("/")[0] or "/"):
        yield path


class Reasons:
    """Why what was observed was not hashed."""

    def __init__(
        self,
        events: list[Event],
        found: dict[str, Access],
        patterns: dict[Key, set[str]],
        parts: dict[Key, list[Access]],
        usual: str,
    ) -> None:
        last = max(events, key=lambda event: (event["time"], canonical(event)), default={})
        self.most: int | None = last.get("most")
        self.usual: str = last.get("reason") or usual
        self.beyond: set[Key] = set()
        if self.most is not None:
            own = [(key[0], found[key[1]]) for key in parts if key not in patterns and key[1] in found]
            wanted = [one for one in own if dict(seen.roles(one[1])).get(one[0]) is None]
            self.beyond = {(role, access.path) for role, access in seen.in_order(wanted)[self.most :]}

    def of(self, key: Key) -> str:
        return TOO_MANY.format(self.most) if key in self.beyond else self.usual


def unsigned(key: Key, access: Access | None, reasons: Reasons) -> dict[str, Any]:
    """The facts of what was observed and nobody looked at again: its size and time as the run saw them. `access`: None
    of what consists of several parts."""
    if access is None:
        return BLANK | {"reason": reasons.of(key)}
    never = dict(seen.roles(access)).get(key[0])
    facts: dict[str, Any] = {"reason": never or reasons.of(key), "files": access.files if access.store else None}
    stamp = (access.began if key[0] == seen.USED else access.ended) or access.ended
    return BLANK | facts | (dict(zip(("size", "mtime"), stamp, strict=True)) if stamp else {})


def after_all(facts: dict[str, Any], role: str, access: Access | None) -> dict[str, Any]:
    """The facts of what was declared and is still to be hashed, when the run turns out to have read something else than
    what is there now."""
    if access is None or role != seen.USED or facts["state"] != "not hashed":
        return facts
    never = dict(seen.roles(access)).get(role)
    if never is None and access.began and facts["mtime"] is not None and not access.store:
        never = seen.CHANGED if access.began != [facts["size"], facts["mtime"]] else None
    return facts if never is None else facts | {"reason": never}


def summary(parts: list[Access], numbers: Programs) -> dict[str, Any]:
    """What was seen of one artifact, in all its parts."""
    firsts = [part.first for part in parts if part.first is not None]
    lasts = [part.last for part in parts if part.last is not None]
    rows = {numbers[program] for part in parts for program in part.programs if program in numbers}
    return {
        "access": word(parts),
        "first": moment.iso(min(firsts)) if firsts else None,
        "last": moment.iso(max(lasts)) if lasts else None,
        "ranks": parts[0].ranks if len(parts) == 1 else joined(pair for part in parts for pair in part.ranks),
        "programs": sorted(rows),
        "renamed_from": parts[0].renamed_from if len(parts) == 1 else None,
    }


def word(parts: list[Access]) -> str:
    if not any(part.written for part in parts):
        return "read"
    return "both" if any(part.read for part in parts) else "written"


def untouched(
    listed: dict[str, list[dict[str, Any]]], found: dict[str, Access], observation: dict[str, Any] | None
) -> list[dict[str, Any]]:
    """A problem when something was declared that the run, which was seen as a whole, did not touch."""
    if observation is None or not observation["complete"]:
        return []
    unseen = [
        (role, artifact["path"])
        for role in listed
        for artifact in listed[role]
        if artifact["declared"] and artifact["observed"] is None and artifact["state"] != "missing"
    ]
    if not unseen:
        return []
    told = [*found, *(one["path"] for name in ("code", "directories") for one in observation[name])]
    touched = {place for path in told for place in ancestors(path)}
    left = [
        f"{path} ({'input' if role == seen.USED else 'output'})"
        for role, path in unseen
        if path not in touched and not any(place in found for place in ancestors(path))
    ]
    text = f"declared, but the run did not touch: {named(left)}"
    return [{"text": text, "node": None, "ranks": []}] if left else []
