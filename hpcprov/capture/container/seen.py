"""The containers that a run's processes are in, seen from outside while they run: whatever script started them.

    seen(4711) == {"runtime": "apptainer", "how": "seen", "sign": "file", "image": "/data/step.sif", "path": ...}

A process in another mount namespace than ours has its runtime's marks below /proc/PID/root and in its environment.
Source: proc(5).
"""

from __future__ import annotations

import os

from hpcprov.capture.container.image import describe, same
from hpcprov.capture.container.inside import NO_NAME, inside
from hpcprov.capture.libraries import namespace
from hpcprov.capture.reading import read_bytes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    Containers = list[dict[str, Any]]

MOST = 16  # containers of one run on one node
MOST_LOOKS = 1024  # processes in other namespaces that are looked at
UNPACKED = "Apptainer has unpacked it into a temporary folder, which does not tell where its file lies"


class Watch:
    """Containers seen so far; each mount namespace is looked at until a process in it has told its image."""

    def __init__(self) -> None:
        self.own = namespace("self")
        self.found: dict[str, dict[str, Any]] = {}
        self.looks = 0

    @property
    def containers(self) -> Containers:
        """Each container once, in the order in which they were seen."""
        distinct: Containers = []
        for fact in self.found.values():
            if fact not in distinct:
                distinct.append(fact)
        return distinct[:MOST]

    def look(self, pids: Iterable[int]) -> None:
        """Look at these processes; one that has ended, or belongs to another user, is not missed."""
        for pid in pids:
            place = namespace(pid)
            if place in (None, self.own) or self.is_told(place) or self.looks >= MOST_LOOKS:
                continue
            self.looks += 1
            fact = seen(pid)
            if fact is not None and place is not None:
                self.found[place] = fact

    def is_told(self, place: str | None) -> bool:
        """Whether a namespace's image is known: a runtime sets its variables only when it starts the application."""
        image: str = self.found.get(str(place), {}).get("image", "unknown")
        return image != "unknown"


def seen(pid: int) -> dict[str, Any] | None:
    """The container that a process is in, or None when its root is ours: a runtime that has not entered its yet."""
    root = f"/proc/{pid}/root"
    try:
        fact = None if os.path.samefile(root, "/") else found_in(pid, root)
    except OSError:
        return None
    # A variable alone is no sign here: this process may be the runtime itself, with what its user had set.
    if fact is None or (fact["sign"] == "environment" and fact["runtime"] != "charliecloud"):
        return None
    return fact | {"how": "seen"} | state(fact, root)


def found_in(pid: int, root: str) -> dict[str, Any] | None:
    """As `inside`, for another process. Raises OSError."""
    return inside(environment(pid), root, mountinfo=f"/proc/{pid}/mountinfo")


def environment(pid: int) -> dict[str, str]:
    """The environment that a process was started with. Raises OSError."""
    words = read_bytes(f"/proc/{pid}/environ").decode("utf-8", "surrogateescape").split("\0")
    return {name: value for name, equals, value in (word.partition("=") for word in words) if equals}


def state(fact: dict[str, Any], root: str) -> dict[str, Any]:
    """State of the image's file or folder. A folder is believed only when it is the process's root."""
    if not os.path.isabs(fact["image"]):
        return {}
    if is_temporary(fact["image"]):
        return {"image": fact.get("name", "unknown"), "reason": UNPACKED}
    found = describe(fact["image"])
    if fact["runtime"] == "charliecloud" and not same(found, describe(root)):
        return {"image": "unknown", "reason": NO_NAME}
    return found


def is_temporary(path: str) -> bool:
    """Whether this is the folder that Apptainer unpacks an image into where it cannot mount it, and removes."""
    return os.path.basename(path) == "root" and os.path.basename(os.path.dirname(path)).startswith("rootfs-")


def joined(told: Containers, watched: Containers) -> Containers:
    """What the command line and the marks told, with what was seen: the same image once, `confirmed`."""
    found = [dict(fact) for fact in told]
    for fact in watched:
        match = next((one for one in found if one.get("how") == "argv" and is_one(one, fact)), None)
        if match is None:
            found.append(fact)
            continue
        more = {} if "path" in match else {key: fact[key] for key in fact if key not in ("runtime", "how", "sign")}
        match.update(more | {"image": match["image"] if match["image"] != "unknown" else fact["image"]})
        match["confirmed"] = True
    return found


def is_one(told: dict[str, Any], fact: dict[str, Any]) -> bool:
    """Whether a command line's container is the one that was seen."""
    if {told["runtime"], fact["runtime"]} == {"ch-run", "charliecloud"}:
        return fact["image"] == "unknown" or same(told, fact)
    if told["runtime"] not in ("apptainer", "singularity") or fact["runtime"] not in ("apptainer", "singularity"):
        return False
    unpacked = "path" not in fact and os.path.basename(told["image"]) == fact["image"]
    return same(told, fact) or "transport" in told or unpacked
