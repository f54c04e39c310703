"""Reading images that a finished run left unread: `--hash later`, its time was over, or no agent looked.

Without an agent (a container without Python) the command line and the environment tell which image it was. One that has
changed since the run ended is not read: it would be another image.

    left(record)  ->  the images to look at;  events(store, record, images)  ->  `fact` events for a log
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import images
from hpcprov.capture.container.asking import PROGRAMS
from hpcprov.capture.container.image import STATE, describe
from hpcprov.capture.container.inside import claimed
from hpcprov.capture.container.outside import from_argv
from hpcprov.capture.container.wrappers import unwrap
from hpcprov.record import model, moment

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

SECONDS = 24 * 3600.0
NO_AGENT = "no agent looked: from the command line and the environment alone"
# A file server's clock and a node's differ.
CLOCKS = 5 * moment.SECOND


def left(record: Record) -> list[dict[str, Any]]:
    """The images that were to be read later, as `images.images_of` gives them."""
    if record["run"]["options"].get("hash") == "off":
        return []
    wanted = images.images_of(told(record))
    known = {one.get("image"): one for one in known_images(record)}
    return [image for image in wanted if is_left(known.get(image["image"]))]


def is_left(fact: dict[str, Any] | None) -> bool:
    """Whether an image was not looked at, or not for want of time."""
    return fact is None or (fact.get("identity") is None and str(fact.get("reason")).startswith(("time", "later")))


def known_images(record: Record) -> list[dict[str, Any]]:
    """The images in the fact `image`."""
    found = model.fact(record, "image").get("images")
    ones = [one for one in found if type(one) is dict] if type(found) is list else []
    return [one for one in ones if type(one.get("image")) is str]


def told(record: Record) -> list[dict[str, Any]]:
    """What the record says of containers, in the form of events."""
    run = record["run"]
    start = moment.ns(run["start"]) if run["start"] else 0
    events: list[dict[str, Any]] = [{"event": "start", "time": start, "argv": asked(run["argv"])}]
    facts = [
        {"event": "fact", "kind": "container", "time": start, "node": node, "value": fact.get("value")}
        for nodes, fact in model.facts(record, "container")
        for node in nodes
    ]
    if not facts and record["nodes"]:
        found = from_record(record)
        value = {"containers": found, "reason": NO_AGENT}
        facts = [fact_event("container", record["nodes"][0]["node"], value)] if found else []
    return events + facts


def asked(argv: list[str] | None) -> list[str]:
    """The engine that a run's command called, by its name alone: no program and no option of a record's is run."""
    words = unwrap(argv or [])
    return [name] if words and (name := os.path.basename(words[0])) in PROGRAMS else []


def from_record(record: Record) -> list[dict[str, Any]]:
    """The containers of a run whose surroundings nobody looked at, with the state of their images as far as that is
    the one that the run left."""
    run, environ = record["run"], record["environment"]["common"]
    around, started = claimed(environ), from_argv(run["argv"] or [], run["cwd"] or "/", environ)
    around = around | describe(around["image"]) if around and around["image"].startswith("/") else around
    ended = moment.ns(run["end"] or run["last_heard"]) if run["end"] or run["last_heard"] else 0
    found = [one for one in (around, started) if one]
    for one in found:
        if one.get("exists") and one["mtime"] > ended + CLOCKS:
            for key in STATE:
                del one[key]
    return found


def fact_event(kind: str, node: str, value: dict[str, Any]) -> dict[str, Any]:
    boot = time.clock_gettime_ns(time.CLOCK_BOOTTIME)
    return {"event": "fact", "time": time.time_ns(), "boot": boot, "node": node, "kind": kind, "value": value}


def events(store: Store, record: Record, wanted: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """What there is to write of these images; nothing when no more is known than before."""
    found = images.found(wanted, store.cache, reason=None, seconds=SECONDS)
    named = {image["image"] for image in wanted}
    kept = [one for one in known_images(record) if one.get("image") not in named]
    if not wanted or kept + found == known_images(record):
        return []
    node = next((names[0] for names, _ in model.facts(record, "image")), record["nodes"][0]["node"])
    facts = [] if model.facts(record, "container") else [e for e in told(record) if e.get("kind") == "container"]
    return [*facts, fact_event("image", node, {"images": kept + found})]


def outcomes(events: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Image and what became of it, for each in these events."""
    found = [one for event in events if event["kind"] == "image" for one in event["value"]["images"]]
    return [(one["image"], "ok" if one.get("identity") else f"not known: {one.get('reason')}") for one in found]
