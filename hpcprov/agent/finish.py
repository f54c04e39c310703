"""When all ranks of a node have ended: say so, meet the other nodes, sign what was declared, merge.

Taking a ticket is `mkdir done/<k>` with the first free k, which the file server decides: exactly one node gets the last
ticket, whatever the clients' caches show. Tickets are taken when a node's ranks have ended, so the last one also says
that outputs are complete.
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import signing
from hpcprov.agent.journal import Journal
from hpcprov.agent.signing import ALONE, HELPER, LAST
from hpcprov.merge import publish
from hpcprov.record import frame
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

OTHER_NODES = 10.0  # s
POLL = 0.05  # s, doubled up to a second: metadata servers are shared


def finish(*, root: str, run_id: str, journal: Journal, ranks: int, failed: bool) -> None:
    """Everything after the last rank. On one of the nodes this ends with the record."""
    journal.write("ended", ranks=ranks)
    journal.sync()
    full_speed()
    store = Store(root)
    run = store.run(run_id)
    part = part_of(store, run_id, starts_of(run), wait=not failed)
    if part is None:
        return
    starts = starts_of(run)  # by now all nodes have told theirs
    signing.sign(part, root=root, run_id=run_id, journal=journal, starts=starts, seconds=allowance(starts))
    if part != HELPER:
        journal.sync()
        publish.merge_run(store, run_id, log=os.path.basename(journal.path))


def full_speed() -> None:
    """The application has ended: what is left may run at normal priority."""
    try:
        os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
    except OSError:
        pass  # some kernels need a privilege for it; idle priority is slower, not wrong


def events_of(run: str) -> list[dict[str, Any]]:
    """All events of all node logs that this node can see."""
    events: list[dict[str, Any]] = []
    for name in sorted(os.listdir(run)):
        if name.endswith(".log"):
            with open(os.path.join(run, name), "rb") as file:
                events.extend(frame.scan(file))
    return events


def starts_of(run: str) -> list[dict[str, Any]]:
    return [event for event in events_of(run) if event.get("event") == "start"]


def part_of(store: Store, run_id: str, starts: list[dict[str, Any]], *, wait: bool) -> str | None:
    """What is left to do for this node: all of it, its share as the last to end or as a helper of that one, or
    nothing."""
    nodes = max((start.get("nodes") or 0 for start in starts), default=0)
    patience = OTHER_NODES if wait else 0.0
    if nodes == 1:
        return ALONE
    if nodes > 1:
        if take_ticket(store, run_id) == nodes - 1:
            return LAST
        if not seen_within(patience, lambda: str(nodes - 1) in tickets(store, run_id) or merged(store, run_id)):
            return None
        return None if merged(store, run_id) else HELPER
    ended = seen_within(patience, lambda: merged(store, run_id) or all_ended(store.run(run_id)))
    if not ended or merged(store, run_id):
        return None
    return LAST if take_ticket(store, run_id) == 0 else HELPER


def seen_within(seconds: float, happened: Callable[[], bool]) -> bool:
    """Whether something happened before the time was up; looks at once, then ever more rarely."""
    deadline, pause = time.monotonic() + seconds, POLL
    while not happened():
        if time.monotonic() >= deadline:
            return False
        time.sleep(pause)
        pause = min(2 * pause, 1.0)
    return True


def merged(store: Store, run_id: str) -> bool:
    """Another node was quicker: the run's directory has moved to the records."""
    return not os.path.isdir(store.run(run_id))


def tickets(store: Store, run_id: str) -> list[str]:
    try:
        return os.listdir(store.done(run_id))
    except OSError:
        return []  # none yet, or merged already


def take_ticket(store: Store, run_id: str) -> int:
    """The number of the first free ticket, which is now this node's."""
    os.makedirs(store.done(run_id), exist_ok=True)
    number = 0
    while True:
        try:
            os.mkdir(store.ticket(run_id, number))
            return number
        except FileExistsError:
            number += 1


def all_ended(run: str) -> bool:
    """No scheduler says how many nodes there are: every rank of the world has told its end in some log."""
    events = events_of(run)
    size = max((event.get("size") or 0 for event in events if event.get("event") == "start"), default=0)
    return len({event.get("rank") for event in events if event.get("event") in ("exit", "lost")}) >= size > 0


def allowance(starts: list[dict[str, Any]], environ: Mapping[str, str] = os.environ) -> float:
    """Seconds for hashing: min(60 s + 10 % of the run's time, the job's end - 60 s)."""
    begun = min((start["time"] for start in starts if isinstance(start.get("time"), int)), default=time.time_ns())
    seconds = 60.0 + 0.1 * max(0.0, (time.time_ns() - begun) / 1e9)
    end = environ.get("SLURM_JOB_END_TIME", "")
    return min(seconds, float(end) - 60.0 - time.time()) if end.isdigit() else seconds
