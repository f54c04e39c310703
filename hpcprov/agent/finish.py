"""When all ranks of a node have ended: say so, meet the other nodes, sign what was declared or seen, merge.

Tickets are taken when a node's ranks have ended, so the last one also says that outputs are complete.
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import signing
from hpcprov.agent.meeting import Meeting, events_of, take_ticket
from hpcprov.agent.membership import end_of_job
from hpcprov.agent.signing import HELPER
from hpcprov.attest.automatic import attest_new
from hpcprov.merge import publish
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.agent.journal import Journal
    from hpcprov.agent.node import Node

OTHER_NODES = 10.0  # s


def finish(*, root: str, run_id: str, ranks: Node, starts: list[dict[str, Any]]) -> None:
    """Everything after the last rank; `starts` are those of this node. On one of the nodes this ends with the
    record."""
    journal, store = ranks.journal, Store(root)
    journal.write("ended", ranks=len(ranks.done))
    journal.sync()
    starts = starts or starts_of(store.run(run_id))
    nodes = count_nodes(starts)
    ticket = take_ticket(store, run_id) if nodes > 1 else None
    if is_nested(starts):
        ranks.release()  # the outer run's ranks wait for this launcher, and other nodes for those
    meeting = Meeting(store, run_id, log=journal.path, nodes=nodes, ticket=ticket)
    part = meeting.part(patience(store.run(run_id), failed=ranks.failed))
    if part is None:
        return
    told = events_of(store.run(run_id))  # by now all nodes have told theirs
    begun = [event for event in told if event.get("event") in signing.EVENTS]
    until = time.monotonic() + allowance(begun, end_of_job(store, os.environ))
    signing.sign(part, root=root, run_id=run_id, journal=journal, starts=begun, seconds=until - time.monotonic())
    if part != HELPER:
        identify_images(store, told, journal, until)
        journal.tell_lost()
        journal.sync()
        attest_new(store, publish.merge_run(store, run_id, log=os.path.basename(journal.path)), os.environ)


def identify_images(store: Store, told: list[dict[str, Any]], journal: Journal, until: float) -> None:
    """The fact `image`, when the nodes have told of containers."""
    if any(event.get("kind") == "container" for event in told):
        from hpcprov.agent import images

        reason = signing.reason_to_wait(told)
        images.tell(store.cache, told, journal=journal, reason=reason, seconds=until - time.monotonic())


def count_nodes(starts: list[dict[str, Any]]) -> int:
    """How many nodes the scheduler gave; 0 when none says."""
    return max((start.get("nodes") or 0 for start in starts), default=0)


def is_nested(starts: list[dict[str, Any]]) -> bool:
    """Whether this run was started by a rank of another."""
    return any(start.get("parent") for start in starts)


def patience(run: str, *, failed: bool) -> float:
    """Seconds to wait for other nodes: none when one of them, or this one, has failed, and none in a nested run."""
    if failed:
        return 0.0
    events = events_of(run)
    bad = any(event.get("event") == "lost" or is_bad_exit(event) for event in events)
    return 0.0 if bad or is_nested(events) else OTHER_NODES


def is_bad_exit(event: Mapping[str, Any]) -> bool:
    return event.get("event") == "exit" and bool(event.get("code") or event.get("signal") or event.get("error"))


def starts_of(run: str) -> list[dict[str, Any]]:
    return [event for event in events_of(run) if event.get("event") == "start"]


def allowance(starts: list[dict[str, Any]], end: int | None) -> float:
    """Seconds for hashing: min(60 s + 10 % of the run's time, the job's end - 60 s). `end`: s since the epoch."""
    begun = min((start["time"] for start in starts if isinstance(start.get("time"), int)), default=time.time_ns())
    seconds = 60.0 + 0.1 * max(0.0, (time.time_ns() - begun) / 1e9)
    return seconds if end is None else min(seconds, end - 60.0 - time.time())
