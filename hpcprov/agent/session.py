"""One agent's life: greet, watch, collect, and when all ranks of the node have ended: sign, meet the other nodes,
merge."""

from __future__ import annotations

import os
import socket
import sys

from hpcprov.agent import declared, facts, finish, starts
from hpcprov.agent.journal import Journal
from hpcprov.agent.node import Node
from hpcprov.agent.observing import Observer
from hpcprov.record import frame

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PATIENCE = 5.0  # s for facts that are still being collected when the ranks have ended


def run(*, root: str, run_id: str, log: str, node: str) -> None:
    """Serve the ranks of `node` until they have ended, then finish the run as far as this node can."""
    from hpcprov import __version__

    journal = Journal(log, node)
    listening = socket.socket(fileno=3)
    ranks = Node(listening, journal)
    identity = {
        "pid": os.getpid(),
        "ticks": starts.own_ticks(),
        "boot_id": starts.boot_id(),
        "pid_ns": starts.pid_namespace(),
    }
    journal.write("agent", **identity, hpcprov=__version__, python=sys.version.split()[0])
    ranks.turn(0.5)
    begun = own_starts(log)
    application = next(iter(ranks.applications), None)
    first = begun[0] if begun else {}
    inputs = declared.stamps(declared.resolve(begun))
    observer = Observer(ranks, first)
    thread = facts.in_background(journal, facts.Context(first, application))
    ranks.watch(observer, journal.sync)
    thread.join(PATIENCE)
    observer.write(journal)
    for change in declared.changes(inputs, declared.stamps(declared.resolve(begun))):
        journal.write("problem", text=change)
    try:
        finish.finish(root=root, run_id=run_id, journal=journal, ranks=len(ranks.done), failed=ranks.failed)
    finally:
        ranks.release()
        starts.sweep()


def own_starts(log: str) -> list[dict[str, Any]]:
    """The start events of this node so far, by rank."""
    with open(log, "rb") as file:
        found = [event for event in frame.scan(file) if event.get("event") == "start"]
    return sorted(found, key=lambda e: (e.get("rank", 0), e.get("time", 0)))
