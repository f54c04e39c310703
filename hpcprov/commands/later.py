"""Signing what a finished run left unsigned: `--hash later`, its time was over, or its agent was killed or never there.

What was found out is appended to a log of the settler's own beside the record, which then gets a new revision. A file
that has changed since the run ended is not signed: the signature would be that of other data.

    sign(store, record_directory)  ->  [("/scratch/ada/out.zarr", "ok")]
"""

from __future__ import annotations

import time

from hpcprov.agent import declared
from hpcprov.commands import later_images
from hpcprov.commands.choose import tell
from hpcprov.merge import settler
from hpcprov.merge.publish import check_logs, refresh, revise
from hpcprov.merge.read import read_run
from hpcprov.record import moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store

ROLES = ("used", "generated")
# A file server's clock and a node's differ.
CLOCKS = 5 * moment.SECOND


def sign(store: Store, directory: str) -> list[tuple[str, str]]:
    """Sign the artifacts of a record that were not hashed, except where that was asked for; path and state of each."""
    record = refresh(store, directory)
    left = [(role, artifact) for role in ROLES for artifact in record["artifacts"][role] if wants_hash(artifact)]
    left += unseen(record, directory)
    images = later_images.left(record)
    if not left and not images:
        return []
    check_logs(directory, record)
    ended = record["run"]["end"] or record["run"]["last_heard"]
    until = moment.ns(ended) if ended else 0
    found = [(role, artifact, described(store, artifact, until)) for role, artifact in left]
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


def tells_more(artifact: dict[str, Any], facts: dict[str, Any]) -> bool:
    """Is this not what the record says already?"""
    return any(artifact.get(key) != facts.get(key) for key in ("state", "reason"))


def unseen(record: dict[str, Any], directory: str) -> list[tuple[str, dict[str, Any]]]:
    """What was declared and never looked at, because no agent lived to do so; nothing where hashing is off."""
    if record["run"]["options"].get("hash") == "off":
        return []
    seen = {(role, name) for role in ROLES for a in record["artifacts"][role] for name in (a["path"], *a["declared"])}
    events = (event for log in read_run(directory) for event in log.events if event["event"] in declared.EVENTS)
    found = [
        one
        for one in declared.resolve(events)
        if "reason" not in one and not seen & {(one["role"], n) for n in (one["path"], *one["declared"])}
    ]
    return [(one["role"], {"path": one["path"], "declared": one["declared"], "mtime": None}) for one in found]


CHANGED = "it has changed since the run ended"


def wants_hash(artifact: dict[str, Any]) -> bool:
    reason = artifact["reason"] or ""
    return artifact["state"] == "not hashed" and not reason.startswith("off") and not reason.endswith("not looked at")


def can_sign(record: dict[str, Any]) -> bool:
    """Is there something that settling by name may sign: left for later, or declared and not looked at?"""
    if record["run"]["options"].get("hash") == "off" or "seal" not in record:
        return False
    if later_images.left(record):
        return True
    found = record["artifacts"]
    if any(wants_hash(artifact) and artifact["reason"] != CHANGED for role in ROLES for artifact in found[role]):
        return True
    declared = record["run"]["declared"]
    return any(declared[key] and not found[role] for key, role in (("inputs", "used"), ("outputs", "generated")))


def described(store: Store, artifact: dict[str, Any], ended: int) -> dict[str, Any]:
    """The artifact's facts by now; not hashed when it is not what the run, which `ended` then (ns), has left."""
    from hpcprov.signature.artifact import describe

    facts: dict[str, Any] = describe(artifact["path"], cache_dir=store.cache, tiles_dir=store.tiles, tell=tell)
    if not has_changed(artifact, facts, ended):
        return facts
    return {key: artifact[key] for key in facts if key in artifact} | {
        "state": "not hashed",
        "reason": CHANGED,
    }


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
