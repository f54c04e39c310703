"""One agent's life: greet, watch, collect, and when all ranks of the node have ended: sign, meet the other nodes,
merge."""

from __future__ import annotations

import os
import socket
import sys

from hpcprov.agent import finish, priority, spools, starts
from hpcprov.agent.draining import Draining
from hpcprov.agent.journal import Journal
from hpcprov.agent.membership import Membership
from hpcprov.agent.node import Node
from hpcprov.agent.observing import Observer
from hpcprov.agent.opening import Opening
from hpcprov.agent.room import Room
from hpcprov.record.layout import Store

PATIENCE = 5.0  # s for facts that are still being collected when the ranks have ended


def run(*, root: str, run_id: str, log: str, node: str, listening: int = 3) -> None:
    """Serve the ranks of `node` until they have ended, then finish the run as far as this node can. `listening`: the
    descriptor of the socket.

    Nothing slow stands before `watch`: launchers wait for the agent's answers.
    """
    worker, hurrier = priority.Worker(), priority.Worker()
    priority.idle()
    journal = Journal(log, node)
    ranks = Node(socket.socket(fileno=listening), journal)
    introduce(journal)
    ranks.turn(0.5)
    membership = Membership(Store(root), run_id, log=os.path.basename(log), node=node)
    opening = Opening(journal, next(iter(ranks.applications), None), membership)
    observer, draining = Observer(ranks), Draining(ranks, journal, opening)
    hurrier.begin(draining.keep_room)
    room = Room()
    if ranks.watch(observer, journal.sync, room, draining):
        worker.do(lambda: end(root, run_id, ranks, opening, observer, draining))
    else:
        journal.write("problem", text=room.words)
        draining.stop()


def introduce(journal: Journal) -> None:
    """The `agent` event: which process this is."""
    from hpcprov import __version__

    identity = {
        "pid": os.getpid(),
        "ticks": starts.own_ticks(),
        "boot_id": starts.boot_id(),
        "pid_ns": starts.pid_namespace(),
    }
    journal.write("agent", **identity, hpcprov=__version__, python=sys.version.split()[0])


def end(root: str, run_id: str, ranks: Node, opening: Opening, observer: Observer, draining: Draining) -> None:
    """Everything after the last rank; its launcher may go in any case."""
    journal = ranks.journal
    try:
        opening.wait(PATIENCE)
        opening.look_again()
        draining.end()
        observer.write(journal, opening.first)
        for text in [*opening.changes(), *observer.doubts(opening.first)]:
            journal.write("problem", text=text)
        finish.finish(root=root, run_id=run_id, ranks=ranks, starts=opening.starts)
        opening.wait_for_scheduler()
    finally:
        ranks.release()
        starts.sweep()
        spools.sweep()
