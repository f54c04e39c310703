"""The hashing child, started by `signing` as `python -P -m hpcprov.agent.hashing --root DIR --run ID --log FILE ...`.

Its `--part` is `alone` on the only node of a run; of several nodes each does a share, and the `last` puts the
shares together. Every artifact that was declared, and of those that were observed as many as a site wants, becomes an
`artifact` event in the log.

Files are read in a child of its own (`quality.isolated`): one that crashes or never lets go of its reader costs the
others nothing. Where the run was asked for statistics, that child counts while it signs.
"""

from __future__ import annotations

import os
import signal
import sys
import time

from hpcprov.agent import meeting, wanted
from hpcprov.agent.asked import asked
from hpcprov.agent.constraining import Holding
from hpcprov.agent.journal import Journal
from hpcprov.agent.signing import ALONE, HELPER, LOST
from hpcprov.capture import cgroup
from hpcprov.quality.isolated import Comparing
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, NoReturn

    from hpcprov.signature.isolated import Described

HELPERS = 2.0  # s that the last node waits at least for shares that others have begun
POLL = 0.1  # s
SOME_MEMORY = 4 << 30  # bytes, when it cannot be found out how much is free
LARGEST_FILE = 1 << 30  # bytes that reading may write in one file, of the cache or of tile digests
#: An artifact that keeps its reader busy for that part of the time without getting anywhere leaves the rest to others.
PATIENCE = 0.25
LEAST_PATIENCE = 5.0  # s


def main(words: list[str]) -> int:
    options = dict(zip(words[::2], words[1::2], strict=True))
    store, run_id, part = Store(options["--root"]), options["--run"], options["--part"]
    deadline = time.monotonic() + float(options["--seconds"])
    journal = Journal(options["--log"], options["--node"])
    wishes = asked(store.run(run_id))
    with reader(store, float(options["--seconds"]), deadline, stats=wishes.stats) as reading:
        reading.start()
        holding = Holding(reading, wishes.constraints)
        work = wanted.artifacts(store.run(run_id), most=wanted.most(os.environ), tell=journal.write)
        if part == ALONE:
            for one in work:
                record(journal, one, holding, reading.describe, one["path"])
            tell_problems(journal, holding.problems())
            embed(store, run_id, journal, reading, deadline)
            return LOST if journal.lost else 0
        begun = time.monotonic()
        share(store, run_id, journal, work, reading)
        if part == HELPER:
            return 0
        wait_for_helpers(store, run_id, min(deadline, 2 * time.monotonic() - begun + HELPERS))
        for at, one in enumerate(work):
            request = {"at": at, "role": one["role"], "shared_dir": store.run(run_id)}
            record(journal, one, holding, reading.combine, one["path"], request)
        tell_problems(journal, holding.problems())
        embed(store, run_id, journal, reading, deadline)
        return LOST if journal.lost else 0


def stop(number: int, frame: object) -> NoReturn:
    """Batch systems and the agent end this process so: what it was writing beside an output goes."""
    raise SystemExit(128 + number)


def reader(store: Store, seconds: float, deadline: float, *, stats: bool = False) -> Comparing:
    """The process that reads, until `deadline`, with half of the memory that the cgroup has free: whatever a file
    declares, the node's other processes keep theirs."""
    settings = {"deadline": deadline, "cache_dir": store.cache, "tiles_dir": store.tiles, "statistics": stats}
    try:
        memory = cgroup.free_memory() // 2
    except (OSError, HpcprovError):
        memory = SOME_MEMORY
    patience = max(LEAST_PATIENCE, PATIENCE * seconds)
    return Comparing(settings, memory=memory, files=LARGEST_FILE, patience=patience)


def record(
    journal: Journal, one: dict[str, Any], holding: Holding, describe: Callable[..., Described], *words: Any
) -> None:
    """Write down what can be found out about an artifact, and what could not be kept beside the log. What is no longer
    as the run has read it is not read."""
    facts = wanted.refusal(one)
    if facts is None:
        described = describe(*words)
        tell_problems(journal, described.told)
        facts = described.result
        verdicts = holding.verdicts(one, facts)
        facts = facts | {"constraints": verdicts} if verdicts else facts
    journal.write("artifact", role=one["role"], path=one["path"], declared=one["declared"], **facts)


def embed(store: Store, run_id: str, journal: Journal, reading: Comparing, deadline: float) -> None:
    """Write the audit trail into what was signed, where the run was asked to."""
    if not asked(store.run(run_id)).embed:
        return
    from hpcprov.agent.embedding import embed_all

    reading.close()  # its memory is needed
    try:
        embed_all(store, run_id, journal, deadline=deadline, memory=reading.memory, patience=reading.patience)
    except (HpcprovError, OSError) as error:
        journal.write("problem", text=f"no audit trail was written: {error}")


def tell_problems(journal: Journal, texts: list[str]) -> None:
    for text in texts:
        journal.write("problem", text=text)


def share(store: Store, run_id: str, journal: Journal, work: list[dict[str, Any]], reading: Comparing) -> None:
    """This node's share of the hashing; a directory tells the others that it is at it."""
    helping = os.path.join(store.done(run_id), f"helps-{journal.node}")
    os.makedirs(helping, exist_ok=True)
    for at, one in enumerate(work):
        if wanted.refusal(one) is not None:
            continue
        request = {"at": at, "role": one["role"], "shared_dir": store.run(run_id), "node": journal.node}
        tell_problems(journal, reading.share(one["path"], request))
    os.rmdir(helping)


def wait_for_helpers(store: Store, run_id: str, until: float) -> None:
    """Until no node is at its share, at most as long again as the own share took, since all pieces are of one size."""
    while time.monotonic() < until and any(name.startswith("helps-") for name in meeting.tickets(store, run_id)):
        time.sleep(POLL)


if __name__ == "__main__":
    signal.signal(signal.SIGTERM, stop)
    sys.exit(main(sys.argv[1:]))
