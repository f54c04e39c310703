"""Looking at the ranks' processes while they run: resource samples, and which programs and libraries they are.

Both modules behind this are loaded when an application is still running after its first moments; `true` needs neither.
"""

from __future__ import annotations

import os
import shutil
import time

from hpcprov.agent.journal import Journal
from hpcprov.agent.node import Node
from hpcprov.record import frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.capture.container.seen import Watch
    from hpcprov.capture.sampler import Sampler

# Programs load libraries as they go: look often at first, then ever more rarely.
LOOKS = (0.0, 0.3, 1.0, 3.0, 10.0, 30.0, 120.0, 600.0)  # s after the first
MOST_PROCESSES = 64  # looked at for libraries at one time; ranks of one program have the same


class Observer:
    """Samples the process trees of a node's applications; `write` tells what was seen."""

    def __init__(self, ranks: Node) -> None:
        self.ranks = ranks
        self.sampler: Sampler | None = None
        self.seen: dict[str, dict[str, dict[str, Any]]] = {kind: {} for kind in ("executables", "libraries", "python")}
        self.containers: Watch | None = None
        self.looks = list(LOOKS)
        self.begin = time.monotonic()

    def sample(self) -> float:
        """Take one sample of all applications; seconds until the next is due."""
        from hpcprov.capture.sampler import Sampler

        applications = self.ranks.applications
        if self.sampler is None:
            self.look(applications)
            self.sampler = Sampler(applications)
        for pid in applications:
            self.sampler.add(pid)
        pause = self.sampler.sample()
        if self.looks and time.monotonic() - self.begin >= self.looks[0]:
            self.look(self.sampler.pids())
            self.looks = [at for at in self.looks if at > time.monotonic() - self.begin]
        return pause

    def look(self, pids: list[int]) -> None:
        """See what these processes have mapped; one that has ended in the meantime is not missed."""
        from hpcprov.capture import software
        from hpcprov.capture.container.seen import Watch

        self.containers = self.containers or Watch()
        self.containers.look(pids)
        for pid in pids[:MOST_PROCESSES]:
            try:
                self.seen = software.union(self.seen, software.snapshot(pid))
            except OSError:
                continue

    def write(self, journal: Journal, start: Mapping[str, Any]) -> None:
        """The `software` and `resources` facts, and `container` again where more was seen; `start` is the first
        rank's."""
        from hpcprov.agent import facts

        if self.containers is not None and self.containers.containers:
            facts.write(journal, "container", lambda: self.container(journal))

        facts.write(journal, "software", lambda: self.software(start))
        if self.sampler is None:
            journal.write("fact", kind="resources", error="the application ended before it could be sampled")
        else:
            facts.write(journal, "resources", self.sampler.summary)

    def doubts(self, start: Mapping[str, Any]) -> list[str]:
        """What looks wrong in how the ranks were started, a line each."""
        from hpcprov.capture import worlds

        found = worlds.apart(start, os.environ, executables=self.seen["executables"], libraries=self.seen["libraries"])
        return [found] if found else []

    def container(self, journal: Journal) -> dict[str, Any]:
        """The containers that were told when the run began, with those that were seen."""
        from hpcprov.capture.container.seen import joined

        told = facts_of(journal.path, "container")
        assert self.containers is not None  # the caller has looked
        return {"containers": joined(told.get("containers") or [], self.containers.containers)}

    def software(self, start: Mapping[str, Any]) -> dict[str, Any]:
        from hpcprov.capture import software

        if self.seen["executables"]:
            return software.finish(self.seen)
        found = named(start)
        reason = "the application ended before it could be looked at"
        if found is None:
            return software.finish(self.seen) | {"reason": reason}
        only = {"path": found, "size": os.stat(found).st_size} | software.inspect(found) | software.digest(found)
        return software.finish(self.seen) | {"executables": [only], "reason": f"{reason}: this is what its name finds"}


def facts_of(log: str, kind: str) -> dict[str, Any]:
    """The value of the latest fact of that kind in a node's own log; empty when there is none."""
    with open(log, "rb") as file:
        found = [event.get("value") for event in frame.scan(file) if event.get("kind") == kind]
    return found[-1] if found and type(found[-1]) is dict else {}


def named(start: Mapping[str, Any]) -> str | None:
    """The file that the first word of the command finds."""
    argv, cwd = start.get("argv") or [""], str(start.get("cwd") or "/")
    word = str(argv[0])
    return shutil.which(os.path.join(cwd, word) if "/" in word else word)
