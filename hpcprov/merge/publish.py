"""Publishing: a run's directory -> a record, moved to its place by one rename.

`record.json` is written and synced inside the run's directory first; then the whole directory becomes
`records/YYYY/MM/DD/<run-id>/`; then tickets, claims and shares go. A kill between any two steps leaves what the next
call finishes. Two calls at once write the same bytes; the one that finds the directory gone looks for the record.

    merge_run(Store("/scratch/ada/.hpcprov"), "x")  ->  ["/scratch/ada/.hpcprov/records/2026/11/21/x"]
"""

from __future__ import annotations

import errno
import os
import time

from hpcprov.merge import disk
from hpcprov.merge.alive import doubt
from hpcprov.merge.family import agree, family, move_logs, plan_of, withdraw
from hpcprov.merge.find import find_record
from hpcprov.merge.fold import fold
from hpcprov.merge.groups import Group, groups
from hpcprov.merge.pruned import captured, dropped
from hpcprov.merge.read import log_names, read_run
from hpcprov.merge.seal import has_grown, losses, seal
from hpcprov.record import layout, model, moment
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import BadRecord, NoSuchRun, StillRunning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.merge.read import Log
    from hpcprov.record.layout import Store

# Another merger may finish first, and a late process may begin the directory anew: each try starts from what is there.
TRIES = 12
PAUSE = 0.01
OVERTAKEN = (errno.ENOENT, errno.ENOTEMPTY, errno.EEXIST, errno.ESTALE)


def merge_run(store: Store, run_id: str, *, log: str | None = None) -> list[str]:
    """The record directories that the logs of `runs/<run_id>` went to.

    The caller knows that the run is over. An agent knows it only of its own launch: it names its `log`, and other
    launches in the same directory are left alone while they may still be running.
    Raises OSError, and NoSuchRun when there is nothing of that id.
    """
    for number in range(1, TRIES):
        try:
            return _merge(store, run_id, log)
        except OSError as error:
            if error.errno not in OVERTAKEN:
                raise
            time.sleep(PAUSE * number)
    return _merge(store, run_id, log)


def refresh(store: Store, directory: str) -> model.Record:
    """The record in a directory under `records`; a new revision when its logs hold more and nobody writes to them."""
    record = _load(directory)
    try:
        if record is None or has_grown(record, directory, log_names(directory)):
            record = _revise_when_over(store, directory, record)
    except (OSError, StillRunning):
        pass  # what is there is true, if not the latest
    if record is None:
        raise BadRecord(f"{directory} has no {layout.RECORD} that could be read or made")
    return record


def compose(group: Group, *, run_id: str, over: bool = True) -> model.Record:
    """The record of a group of logs, before it has a revision and a seal."""
    record = fold((event for log in group.logs for event in log.events), run_id=run_id, over=over)
    captured = [{"name": log.name, "bytes": log.size} for log in group.logs if log.kind == "out"]
    lost = sum(number or 0 for number in record["ranks"]["columns"]["lost_output"])
    return record | {"output": {"files": captured, "lost_bytes": lost}}


def revise(store: Store, directory: str, *, old: model.Record | None) -> model.Record:
    """Fold the logs beside a record again. The record of before is kept as `record.<revision>.json`.

    Raises BadRecord when there is no log, or when one holds less than the record was made from.
    """
    run_id = os.path.basename(directory)
    check_logs(directory, old)
    group = Group(read_run(directory))
    gone = dropped(old, directory) if old else []
    record = compose(group, run_id=run_id) | {"revision": old["revision"] + 1 if old else 1}
    record["output"]["files"] = sorted(record["output"]["files"] + captured(gone), key=lambda file: str(file["name"]))
    record = seal(record, group.logs, previous=old["seal"]["record"] if old else None, dropped=gone)
    path = os.path.join(directory, layout.RECORD)
    if old:
        disk.keep(store, path, layout.old_record(old["revision"]))
    disk.put(store, path, canonical(record) + b"\n")
    disk.touch(os.path.dirname(directory))  # the catalog lists days that have changed
    return record


def check_logs(directory: str, old: model.Record | None) -> None:
    """Raises BadRecord when a record that is made of these logs would be poorer than the `old` one, or empty."""
    names = log_names(directory)
    lost = losses(old, directory, names) if old else []
    if lost:
        raise BadRecord(f"the record of {os.path.basename(directory)} stays as it is: {'; '.join(lost)}")
    if not names:
        raise BadRecord(f"no log is left in {directory}")


def _merge(store: Store, run_id: str, own: str | None) -> list[str]:
    directory = store.run(run_id)
    try:
        found = groups(read_run(directory))
    except FileNotFoundError:
        if os.path.isdir(directory):
            raise  # only a log of it has gone, to another launch's directory
        return [_already(store, run_id)]
    ready = [
        group for group in found if own is None or own in _names(group.logs) or doubt(group.logs, directory) is None
    ]
    if not found:
        _remove_empty(directory)
        return []
    others = family(store, run_id)
    if len(ready) == len(found) == 1 and not others:
        return [_publish(store, run_id, ready[0])]
    return _distribute(store, run_id, ready, others, whole=len(ready) == len(found))


def _distribute(store: Store, run_id: str, ready: list[Group], others: dict[str, Group], *, whole: bool) -> list[str]:
    """Move each launch to where it belongs: its record, a directory of its own, or let it keep this one."""
    plan = agree(store, run_id, plan_of(store, run_id, ready, others, whole=whole))
    logs: dict[str, list[Log]] = {}
    for log in (log for group in ready for log in group.logs):
        logs.setdefault(plan[log.name], []).append(log)
    kept = [] if run_id in others else logs.pop(run_id, [])
    homes = [
        place for name in sorted(logs) for place in _move_to(store, run_id, name, logs[name], known=name in others)
    ]
    if kept and whole:
        homes.insert(0, _publish(store, run_id, Group(kept)))
    elif whole:
        _remove_empty(store.run(run_id))
    else:
        withdraw(store, run_id)
    return homes


def _move_to(store: Store, run_id: str, name: str, logs: list[Log], *, known: bool) -> list[str]:
    """Move logs of one launch to its record, which is then revised, or to a directory, which is then published."""
    record = find_record(store, name)
    place = record or store.run(name)
    if record is None:
        os.makedirs(place, exist_ok=True)
    move_logs(store.run(run_id), place, logs)
    if record is not None:
        revise(store, record, old=_load(record))
        return [record]
    # Logs that join a launch that was there before them do not tell that it is over.
    return _merge(store, name, None) if not known or doubt(read_run(place), place) is None else []


def _publish(store: Store, run_id: str, group: Group) -> str:
    """Write the record of the only launch in a run's directory and move it to its day."""
    directory = store.run(run_id)
    record = seal(compose(group, run_id=run_id) | {"revision": 1}, group.logs, previous=None)
    disk.put(store, os.path.join(directory, layout.RECORD), canonical(record) + b"\n")
    target = store.record(run_id, _began(record, group.logs))
    os.makedirs(os.path.dirname(target), exist_ok=True)
    os.rename(directory, target)
    disk.sync_directory(os.path.dirname(target))
    disk.sync_directory(store.runs)
    tidy(target)
    return target


def tidy(directory: str) -> None:
    """Remove what was of use only while the run was in progress."""
    for name in os.listdir(directory):
        if name in (layout.DONE, layout.CLAIMS):
            disk.clear(os.path.join(directory, name))
        elif name == layout.PLAN or layout.is_share(name) or layout.is_temporary(name):
            disk.forget(os.path.join(directory, name))


def _began(record: model.Record, logs: list[Log]) -> int:
    """The second that names the record's day: the earliest start, else the earliest that is known."""
    start = record["run"]["start"]
    if start is not None:
        return moment.ns(start) // moment.SECOND
    events = [event["time"] // moment.SECOND for log in logs for event in log.events]
    return max(0, min(events, default=min(log.mtime for log in logs)))


def _already(store: Store, run_id: str) -> str:
    record = find_record(store, run_id)
    if record is None:
        raise NoSuchRun(f"there is no run {run_id!a}", hint="`hpcprov runs` lists what there is")
    return record


def _load(directory: str) -> model.Record | None:
    try:
        return model.load(os.path.join(directory, layout.RECORD))
    except FileNotFoundError:
        return None


def _revise_when_over(store: Store, directory: str, old: model.Record | None) -> model.Record:
    # A job's record was made when its scheduler said that it was over: parts that spoke late change nothing of that.
    of_a_job = old is not None and old["run"]["kind"] == "job"
    reason = None if of_a_job else doubt(read_run(directory), directory)
    if reason is not None:
        raise StillRunning(reason)
    return revise(store, directory, old=old)


def _remove_empty(directory: str) -> None:
    """Remove a run's directory in which no log is left."""
    tidy(directory)
    disk.forget(os.path.join(directory, layout.RECORD))
    disk.forget(directory)


def _names(logs: list[Any]) -> list[str]:
    return [log.name for log in logs]
