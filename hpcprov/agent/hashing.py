"""The hashing child, started by `signing` as `python -P -m hpcprov.agent.hashing --root DIR --run ID --log FILE ...`.

Its `--part` is `alone` on the only node of a run; of several nodes each does a share, and the `last` puts the
shares together. Every declared artifact becomes an `artifact` event in the log.
"""

from __future__ import annotations

import os
import resource
import sys
import time
from functools import partial

from hpcprov.agent import declared, finish, meeting
from hpcprov.agent.journal import Journal
from hpcprov.agent.signing import ALONE, HELPER, LOST
from hpcprov.capture import cgroup
from hpcprov.record.layout import Store
from hpcprov.signature import artifact, nodes

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

HELPERS = 2.0  # s that the last node waits at least for shares that others have begun
POLL = 0.1  # s
LEAST = 1 << 30  # bytes of address space that reading needs in any case


def main(words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=True))
    store, run_id, part = Store(options["--root"]), options["--run"], options["--part"]
    deadline = time.monotonic() + float(options["--seconds"])
    journal = Journal(options["--log"], options["--node"])
    limit_memory()
    found = declared.resolve(finish.declarations(store.run(run_id)), tell=journal.write)
    tell = partial(tell_problem, journal)
    wanted = [one for one in found if "reason" not in one]  # of the others the parent tells
    if part == ALONE:
        for one in wanted:
            facts = artifact.describe(
                one["path"], deadline=deadline, cache_dir=store.cache, tiles_dir=store.tiles, tell=tell
            )
            journal.write("artifact", **one, **facts)
        return LOST if journal.lost else 0
    work = [(one["path"], one["role"]) for one in wanted]
    begun = time.monotonic()
    share(store, run_id, options["--node"], work, deadline, tell)
    if part == HELPER:
        return 0
    wait_for_helpers(store, run_id, min(deadline, 2 * time.monotonic() - begun + HELPERS))
    results = nodes.combine(
        work,
        shared_dir=store.run(run_id),
        deadline=deadline,
        cache_dir=store.cache,
        tiles_dir=store.tiles,
        tell=tell,
    )
    for one, facts in zip(wanted, results, strict=True):
        journal.write("artifact", **one, **facts)
    return LOST if journal.lost else 0


def tell_problem(journal: Journal, text: str) -> None:
    """Say in the log what could not be kept beside it."""
    journal.write("problem", text=text)


def limit_memory() -> None:
    """Half of what the cgroup has free: whatever a file declares, the node's other processes keep theirs."""
    half = max(LEAST, cgroup.free_memory() // 2)
    _, hard = resource.getrlimit(resource.RLIMIT_AS)
    resource.setrlimit(resource.RLIMIT_AS, (half if hard == resource.RLIM_INFINITY else min(half, hard), hard))


def share(store: Store, run_id: str, node: str, work: list[Any], deadline: float, tell: Any) -> None:
    """This node's share of the hashing; a directory tells the others that it is at it."""
    helping = os.path.join(store.done(run_id), f"helps-{node}")
    os.makedirs(helping, exist_ok=True)
    nodes.share(
        work,
        shared_dir=store.run(run_id),
        node=node,
        deadline=deadline,
        cache_dir=store.cache,
        tiles_dir=store.tiles,
        tell=tell,
    )
    os.rmdir(helping)


def wait_for_helpers(store: Store, run_id: str, until: float) -> None:
    """Until no node is at its share, at most as long again as the own share took, since all pieces are of one size."""
    while time.monotonic() < until and any(name.startswith("helps-") for name in meeting.tickets(store, run_id)):
        time.sleep(POLL)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
