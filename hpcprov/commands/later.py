"""Signing what a finished run left unsigned: `--hash later`, its time was over, or its agent was killed or never there.

What was found out is appended to a log of the settler's own beside the record, which then gets a new revision. A file
that has changed since the run ended is not signed: the signature would be that of other data. Of what was observed and
not declared as many are signed as a site wants (`observe_files`).

    sign(store, record_directory)  ->  [("/scratch/ada/out.zarr", "ok")]
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import declared, wanted
from hpcprov.commands import later_images
from hpcprov.commands.choose import tell
from hpcprov.merge import settler
from hpcprov.merge.accesses import NEVER, in_turn
from hpcprov.merge.artifacts import home
from hpcprov.merge.publish import check_logs, refresh, revise
from hpcprov.merge.read import read_run
from hpcprov.record import moment
from hpcprov.record.artifact import is_memory

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

    Key = tuple[str, str]  # role, path
    Described = tuple[str, dict[str, Any], dict[str, Any]]  # role, artifact, facts by now

ROLES = ("used", "generated")
# A file server's clock and a node's differ.
CLOCKS = 5 * moment.SECOND


def sign(store: Store, directory: str) -> list[tuple[str, str]]:
    """Sign the artifacts of a record that were not hashed, except where that was asked for; path and state of each."""
    record = refresh(store, directory)
    left = wanted_of(record, declarations(record, directory), most=wanted.most(os.environ))
    images = later_images.left(record)
    if not left and not images:
        return []
    check_logs(directory, record)
    ended = record["run"]["end"] or record["run"]["last_heard"]
    until = moment.ns(ended) if ended else 0
    stats = record["run"]["options"].get("stats") is True
    found = [(role, artifact, described(store, artifact, until, stats=stats)) for role, artifact in left]
    found = held(record, found)
    events = [event_of(*one) for one in found if tells_more(one[1], one[2])]
    about_images = later_images.events(store, record, images)
    if not events and not about_images:
        return []
    settler.append(directory, events + about_images)
    revise(store, directory, old=record)
    return [
        (event["path"], event["state"] if event["state"] == "ok" else f"{event['state']}: {event['reason']}")
        for event in events
    ] + later_images.outcomes(about_images)


def wanted_of(record: Record, named: dict[Key, list[str]], *, most: int) -> list[tuple[str, dict[str, Any]]]:
    """(role, artifact) of all that is to be signed: what is declared (`named`: patterns by role and path), and of what
    was observed the first `most`."""
    listed = [(role, artifact) for role in ROLES for artifact in record["artifacts"][role]]
    seen = {(role, name) for role, artifact in listed for name in (artifact["path"], *artifact["declared"])}
    told = [(role, artifact) for role, artifact in listed if artifact["declared"] or (role, artifact["path"]) in named]
    own = [
        one for one in listed if one not in told and home(one[0], one[1]["path"], named.keys(), {}) == one[1]["path"]
    ]
    left = [one for one in told + first(own, most) if wants_hash(one[1])]
    left = [(role, one | {"declared": named.get((role, one["path"]), one["declared"])}) for role, one in left]
    return left + [
        (role, {"path": path, "declared": patterns, "mtime": None})
        for (role, path), patterns in named.items()
        if not seen & {(role, name) for name in (path, *patterns)}
    ]


def first(observed: list[tuple[str, dict[str, Any]]], most: int) -> list[tuple[str, dict[str, Any]]]:
    """Those of many that are signed: as at the end of a run, directories that are stores, then the largest."""
    able = [one for one in observed if one[1]["reason"] not in NEVER]
    able.sort(key=lambda one: (one[1]["files"] is None, -(one[1]["size"] or 0), one[1]["path"]))
    return in_turn(able)[:most]


def tells_more(artifact: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Is this not what the record says already?"""
    return any(artifact.get(key) != facts.get(key) for key in ("state", "reason"))


def declarations(record: Record, directory: str) -> dict[Key, list[str]]:
    """What the run's start declared, by role and path, with the patterns; nothing where hashing is off."""
    if record["run"]["options"].get("hash") == "off":
        return {}
    events = (event for log in read_run(directory) for event in log.events if event["event"] in declared.EVENTS)
    return {(one["role"], one["path"]): one["declared"] for one in declared.resolve(events) if "reason" not in one}


CHANGED = "it has changed since the run ended"


def wants_hash(artifact: dict[str, Any]) -> bool:
    reason = artifact["reason"] or ""
    never = reason.startswith("off") or reason.endswith("not looked at") or reason in NEVER
    return artifact["state"] == "not hashed" and not never and not is_memory(artifact["path"])


def can_sign(record: dict[str, Any]) -> bool:
    """Is there something that settling by name may sign: left for later, or declared and not looked at?"""
    if record["run"]["options"].get("hash") == "off" or "seal" not in record:
        return False
    if later_images.left(record):
        return True
    found = record["artifacts"]
    left = wanted_of(record, {}, most=wanted.most(os.environ))
    if any(artifact["reason"] != CHANGED for _, artifact in left):
        return True
    declared = record["run"]["declared"]
    return any(declared[key] and not found[role] for key, role in (("inputs", "used"), ("outputs", "generated")))


def described(store: Store, artifact: dict[str, Any], ended: int, *, stats: bool = False) -> dict[str, Any]:
    """The artifact's facts by now, with statistics where the run asked for `stats`; not hashed when it is not what the
    run, which `ended` then (ns), has left."""
    from hpcprov.quality.statistics import counting
    from hpcprov.signature.artifact import describe

    count = counting if stats else None
    facts: dict[str, Any] = describe(
        artifact["path"], cache_dir=store.cache, tiles_dir=store.tiles, tell=tell, statistics=count
    )
    if not has_changed(artifact, facts, ended):
        return facts
    return {key: artifact[key] for key in facts if key in artifact} | {
        "state": "not hashed",
        "reason": CHANGED,
    }


def held(record: Record, found: list[Described]) -> list[Described]:
    """The same with the verdicts on outputs, where the run was given constraints."""
    given = record["run"]["options"].get("constraints") or []
    files = [os.path.join(record["run"]["cwd"] or "/", path) for path in given]
    if not files or not any(facts.get("signature") for _, _, facts in found):
        return found
    from hpcprov.agent.constraining import Holding
    from hpcprov.commands.bar import Bar
    from hpcprov.commands.reading import comparer

    with comparer({"threads": None}, Bar()) as reading:
        holding = Holding(reading, files)
        for role, artifact, facts in found:
            verdicts = holding.verdicts({"role": role, "path": artifact["path"]}, facts) if "signature" in facts else []
            if verdicts:
                facts["constraints"] = verdicts
    return found


def has_changed(artifact: dict[str, Any], facts: dict[str, Any], ended: int) -> bool:
    """A file has another mtime than when the run ended; something in a directory, or a file that nobody looked at then,
    has a later one than that end."""
    now = facts.get("mtime")
    if now is None:
        return False
    if facts.get("files") is None and artifact["mtime"] is not None:
        return bool(now != artifact["mtime"])
    return bool(now > ended + CLOCKS)


def event_of(role: str, artifact: dict[str, Any], facts: dict[str, Any]) -> dict[str, Any]:
    common = {
        "event": "artifact",
        "time": time.time_ns(),
        "boot": time.clock_gettime_ns(time.CLOCK_BOOTTIME),
        "role": role,
    }
    return common | {"path": artifact["path"], "declared": artifact["declared"]} | facts
