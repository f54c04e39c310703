"""Which images the containers of a run were: the fact `image`, written at the end by the node that signs.

    {"images": [{"path": "/data/step.sif", "format": "sif", "how": "cached", "uuid": "daa2b726-...", "labels": {...},
      "identity": {"digest": "sha256:5f70...", "of": "primary partition"}, "storage": {"digest": "blake3:..."}}]}

What the cache knows costs a look at the file's times; an image that is new is read in a child process, within the time
that is left for hashing, when the application has ended.
"""

from __future__ import annotations

import json
import os
import sys
import time

from hpcprov.capture import program
from hpcprov.capture.container import reference
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.agent.journal import Journal

    Images = list[dict[str, Any]]

MOST = 16  # images of one run
GRACE = 2.0  # s for the child to end by itself after its time is up
NOT_A_PATH = "its runtime does not tell where the image lies"
NOT_SEEN = "its file cannot be seen from here: {}"


def tell(
    cache_dir: str, events: Iterable[Mapping[str, Any]], *, journal: Journal, reason: str | None, seconds: float
) -> None:
    """Write the fact, if these events of a run tell of images; with a `reason` none is looked at."""
    wanted = images_of(events, node=journal.node)
    if wanted:
        images = found(wanted, cache_dir, reason=reason, seconds=seconds)
        journal.write("fact", kind="image", value={"images": images})


def images_of(events: Iterable[Mapping[str, Any]], *, node: str | None = None) -> Images:
    """The images that `container` facts tell of, each once: `image`, `path`, `state`, `began` (ns), `nodes`, `argv`.

    The latest fact of a node counts, and of several nodes that of `node`, which is to read the images. Facts come from
    a log: nothing in them is trusted."""
    ordered = sorted((event for event in events if type(event.get("time")) is int), key=lambda event: event["time"])
    own = [event for event in ordered if node in (None, event.get("node"))]
    argv: list[Any] = next((event["argv"] for event in own if type(event.get("argv")) is list), [])
    facts = {event.get("node"): event for event in ordered if event.get("kind") == "container"}
    began = ordered[0]["time"] if ordered else 0
    images: dict[tuple[Any, ...], dict[str, Any]] = {}
    for name in sorted(facts, key=lambda name: name != node):
        for one in containers(facts[name].get("value")):
            image = {"image": one["image"], "runtime": one.get("runtime"), "path": one.get("path"), "state": one}
            image |= {"began": began, "argv": [str(word) for word in argv], "nodes": []}
            known = images.setdefault((one.get("path") or (one.get("runtime"), one["image"]),), image)
            known["nodes"].append((name, one))
    return list(images.values())[:MOST]


def containers(value: Any) -> Images:
    """The containers in a fact's value whose image has a name."""
    found = value.get("containers") if type(value) is dict else None
    ones = [one for one in found if type(one) is dict] if type(found) is list else []
    return [one for one in ones if type(one.get("path", "")) is str and is_named(one.get("image"))]


def is_named(image: Any) -> bool:
    return type(image) is str and image != "unknown"


def found(wanted: Images, cache_dir: str | None, *, reason: str | None, seconds: float) -> Images:
    """What is known of each image: from the cache, from its runtime, or by reading it, unless a `reason` forbids."""
    until = time.monotonic() + seconds
    wanted = [located(image) for image in wanted] if reason is None else wanted
    facts = [quick(image, cache_dir, reason) for image in wanted]
    left = [at for at, fact in enumerate(facts) if fact is None]
    if left and reason is None:
        told = in_child([request(wanted[at]) for at in left], cache_dir, until - time.monotonic())
        for at, fact in zip(left, told, strict=True):
            facts[at] = fact
    return [named(image) | (fact or unknown(reason or "time")) for image, fact in zip(wanted, facts, strict=True)]


def named(image: Mapping[str, Any]) -> dict[str, Any]:
    """What the fact says of an image in any case: how it was named, where it lies, which nodes had another one."""
    same = ("size", "mtime")
    first = [image["state"].get(key) for key in same]
    others = sorted({str(node) for node, one in image["nodes"] if [one.get(key) for key in same] != first})
    facts = {"image": image["image"], "path": image["path"], "other_on": others}
    return {key: value for key, value in facts.items() if value}


def unknown(reason: str) -> dict[str, Any]:
    """An image whose identity is not known, and why."""
    return {"identity": None, "reason": reason}


def quick(image: Mapping[str, Any], cache_dir: str | None, reason: str | None) -> dict[str, Any] | None:
    """What can be said without reading: cached, told by its runtime, or why nothing will be; None where it is to be
    read."""
    try:
        if image["path"] is None:
            return of_runtime(image) if reason is None else unknown(reason)
        if not image["state"].get("exists"):
            return unknown(NOT_SEEN.format(image["state"].get("reason", "")).rstrip(": "))
        return in_cache(image, cache_dir) if reason is None and not os.path.isdir(image["path"]) else None
    except HpcprovError as error:
        return unknown(error.message)
    except (OSError, ValueError):
        return None  # the child says why


def located(image: dict[str, Any]) -> dict[str, Any]:
    """An image with its path, where only its runtime knows that: that of an instance."""
    if image["path"] is not None or image["state"].get("transport") != "instance":
        return image
    from hpcprov.capture.container.asking import instance_image
    from hpcprov.capture.container.image import describe

    try:
        state = describe(instance_image(image["argv"], image["image"], os.environ))
    except HpcprovError as error:
        return image | {"state": image["state"] | {"reason": error.message}}
    return image | {"path": state["path"], "state": state, "nodes": []}


def of_runtime(image: Mapping[str, Any]) -> dict[str, Any]:
    """What the runtime tells of an image without a path. Raises HpcprovError."""
    from hpcprov.capture.container import asking

    if image["runtime"] in asking.ENGINES and image["state"].get("how") == "argv":
        return {"how": "asked"} | asking.inspected(image["argv"], image["image"], os.environ)
    raise HpcprovError(image["state"].get("reason") or NOT_A_PATH)


def in_cache(image: Mapping[str, Any], cache_dir: str | None) -> dict[str, Any] | None:
    """What the cache knows of a file that is still the one that the run began with. Raises OSError, HpcprovError."""
    from hpcprov.agent.image_cache import cached, is_newer
    from hpcprov.capture.container.image import STATE, describe
    from hpcprov.signature.snapshot import look

    now = describe(image["path"])
    if any(now.get(key) != image["state"].get(key) for key in STATE):
        return None
    seen = look(image["path"])
    return None if is_newer(seen, image["began"], cache_dir) else cached(cache_dir, seen, tag(image))


def tag(image: Mapping[str, Any]) -> str | None:
    """The part of the reference that says which image of an archive it is."""
    return reference.tag(image["image"], os.path.dirname(image["path"]))


def request(image: Mapping[str, Any]) -> dict[str, Any]:
    """What the child is told of an image: little, since arguments are limited."""
    from hpcprov.capture.container.image import STATE

    state = {key: image["state"].get(key) for key in STATE}
    return {"path": image["path"], "tag": tag(image), "state": state, "began": image["began"]}


def in_child(wanted: Images, cache_dir: str | None, seconds: float) -> list[dict[str, Any] | None]:
    """What `image_child` finds out about each image within `seconds`; None for those that it did not get to."""
    facts: list[dict[str, Any] | None] = [None] * len(wanted)
    if seconds <= 0:
        return facts
    words = ["--seconds", f"{seconds:.1f}", "--cache", cache_dir or "", "--parent", str(os.getpid())]
    command = [sys.executable, "-P", "-m", "hpcprov.agent.image_child", *words, json.dumps(wanted)]
    lines: list[bytes] = []
    failure = None
    try:
        environ = os.environ | {"OPENBLAS_NUM_THREADS": "1"}
        program.stream(command, program.bounded("the child", lines.append), environ=environ, timeout=seconds + GRACE)
    except program.ProgramTimeout:
        pass
    except program.ProgramFailed as error:
        failure = unknown(error.message)
    for line in b"".join(lines).splitlines():
        at, fact = answer(line, len(wanted))
        if fact is not None:
            facts[at] = fact
    return [fact or failure for fact in facts]


def answer(line: bytes, count: int) -> tuple[int, dict[str, Any] | None]:
    """One line of the child; no fact where it is cut off."""
    try:
        at, fact = json.loads(line)
        return (at, fact) if 0 <= at < count and type(fact) is dict else (0, None)
    except (ValueError, TypeError):
        return 0, None
