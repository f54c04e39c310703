"""`exec --embed`: when a run has completed and its outputs are signed, each of them gets an entry of its audit trail,
and the definitions of its fields that the run told.

    embed_all(store, run_id, journal, deadline=..., memory=..., patience=...)
    stamp_all(writing, record, outputs, write)    # also for `hpcprov settle`, of what was signed later

Only what is still as it was signed is touched, only one node does it, and any failure is a problem in the record while
the file stays as it is. A second `artifact` event tells what the file is then: other bytes, the same values.
"""

from __future__ import annotations

import math
import os
import time

from hpcprov.merge.groups import groups
from hpcprov.merge.observation import named
from hpcprov.merge.publish import compose
from hpcprov.merge.read import read_run
from hpcprov.quality.isolated import Comparing
from hpcprov.quality.trail.defined import attributes_of
from hpcprov.quality.trail.entries import entry_of, has_place, used_by
from hpcprov.record import moment
from hpcprov.signature.isolated import Crashed, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any, TypeAlias

    from hpcprov.agent.journal import Journal
    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

    #: Takes the kind of an event and its members, as `Journal.write`.
    Write: TypeAlias = Callable[..., object]

COMPLETED = "completed"
#: How the problems begin, or go on behind a path.
NOT_STAMPED, NO_PLACE = "not stamped", "no audit trail was written into outputs that take none"
#: The copy of a file may be as large as the file, which its free space bounds.
LARGEST_COPY = 1 << 50
#: Bytes a second that are copied, synced and signed again in any case: what is begun should end in time.
RATE = 50e6
#: What a record says of an artifact and the event does not, or says itself.
NOT_TOLD = ("path", "declared", "observed")


def embed_all(store: Store, run_id: str, journal: Journal, *, deadline: float, memory: int, patience: float) -> None:
    """Write into what the run generated; `deadline` is in seconds of `time.monotonic`."""
    record = record_of(store, run_id, os.path.basename(journal.path))
    if record["run"]["status"] != COMPLETED:
        return
    generated = record["artifacts"]["generated"]
    if text := without_place(generated):
        journal.write("problem", text=text)
    outputs = [one for one in generated if is_to_be_stamped(one)]
    if not outputs:
        return
    settings = {"deadline": deadline, "cache_dir": store.cache, "tiles_dir": store.tiles}
    with Comparing(settings, memory=memory, files=LARGEST_COPY, patience=patience) as writing:
        stamp_all(writing, record, outputs, journal.write, deadline=deadline)


def stamp_all(
    writing: Comparing, record: Record, outputs: list[dict[str, Any]], write: Write, *, deadline: float = math.inf
) -> None:
    """Write into these outputs; `write` takes the events that tell of it."""
    for one in outputs:
        if time.monotonic() + one["size"] / RATE >= deadline:
            write("problem", text=f"{one['path']}: {NOT_STAMPED}: time")
            continue
        try:
            stamp(writing, record, one, write)
        except (Refused, Crashed) as error:
            write("problem", text=f"{one['path']}: {NOT_STAMPED}: {error.message}")
        except SystemExit:  # the agent, or the batch system, waits no longer
            write("problem", text=f"{one['path']}: {NOT_STAMPED}: time")
            raise


def without_place(generated: list[dict[str, Any]]) -> str | None:
    """What is told of outputs that a trail cannot be written into: of all that were declared, and of those that were
    observed the ones that have values. None where there is none."""
    paths = [
        one["path"]
        for one in generated
        if one["state"] == "ok" and not has_place(one) and (one["declared"] or one["signature"] is not None)
    ]
    return f"{NO_PLACE} (`hpcprov trail` tells it from the records): {named(paths)}" if paths else None


def record_of(store: Store, run_id: str, log: str) -> Record:
    """What the record of the launch that a log belongs to will say, as far as it is known."""
    launches = groups(read_run(store.run(run_id)))
    own = next(group for group in launches if any(one.name == log for one in group.logs))
    return compose(own, run_id=run_id)


def is_to_be_stamped(one: dict[str, Any]) -> bool:
    """Whether the values are known, and the file is one that takes attributes and that nobody has touched since."""
    if one["state"] != "ok" or one["signature"] is None or not has_place(one):
        return False
    try:
        now = os.stat(one["path"])
    except OSError:
        return False
    return one["files"] is not None or (now.st_size, now.st_mtime_ns) == (one["size"], moment_of(one["mtime"]))


def moment_of(mtime: Any) -> int | None:
    """Nanoseconds, however a record has them."""
    return moment.ns(mtime) if isinstance(mtime, str) else mtime


def stamp(writing: Comparing, record: Record, one: dict[str, Any], write: Write) -> None:
    """Write into one artifact, and tell what it is then. Raises Refused, Crashed."""
    path, facts = one["path"], {name: value for name, value in one.items() if name not in NOT_TOLD}
    done = writing.stamp(
        path,
        entry_of(record, path),
        used_by(record),
        recorded=path,
        signature=facts["signature"]["digest"],
        fields=attributes_of(record, path),
    )
    if done["result"] is None:
        return
    now = {name: done["result"][name] for name in ("size", "files", "mtime", "storage")}
    embedded = {"entries": done["entries"], "before": facts["storage"]["digest"]}
    write("artifact", role="generated", path=path, declared=one["declared"], **(facts | now | {"embedded": embedded}))
    if not done["history"]:
        write("problem", text=f"{path}: its history attribute is full and was left as it is")
