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
from hpcprov.merge.find import find_record
from hpcprov.merge.fold import fold
from hpcprov.merge.groups import Group, groups, home_of
from hpcprov.merge.read import log_names, read_run
from hpcprov.merge.seal import has_grown, seal
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
        raise BadRecord(f"{directory} has no {layout.RECORD}")
    return record


def compose(group: Group, *, run_id: str, over: bool = True) -> model.Record:
    """The record of a group of logs, before it has a revision and a seal."""
    record = fold((event for log in group.logs for event in log.events), run_id=run_id, over=over)
    captured = [{"name": log.name, "bytes": log.size} for log in group.logs if log.kind == "out"]
    lost = sum(number or 0 for number in record["ranks"]["columns"]["lost_output"])
    return record | {"output": {"files": captured, "lost_bytes": lost}}


def revise(store: Store, directory: str, *, old: model.Record | None) -> model.Record:
    """Fold the logs beside a record again. The record of before is kept as `record.<revision>.json`."""
    run_id = os.path.basename(directory)
    group = Group(read_run(directory))
    record = compose(group, run_id=run_id) | {"revision": old["revision"] + 1 if old else 1}
    record = seal(record, group.logs, previous=old["seal"]["record"] if old else None)
    path = os.path.join(directory, layout.RECORD)
    if old:
        disk.keep(store, path, layout.old_record(old["revision"]))
    disk.put(store, path, canonical(record) + b"\n")
    return record


def _merge(store: Store, run_id: str, own: str | None) -> list[str]:
    directory = store.run(run_id)
    try:
        found = groups(read_run(directory))
    except FileNotFoundError:
        if os.path.isdir(directory):
            raise  # only a log of it has gone, to another launch's directory
        return [_already(store, run_id)]
    ready = [group for group in found if own is None or own in _names(group.logs) or doubt(group.logs, directory) is None]
    if not found:
        _remove_empty(directory)
        return []
    family = _family(store, run_id)
    if len(ready) == len(found) == 1 and not family:
        return [_publish(store, run_id, ready[0])]
    return _distribute(store, run_id, ready, family, whole=len(ready) == len(found))


def _distribute(store: Store, run_id: str, ready: list[Group], family: dict[str, Group], *, whole: bool) -> list[str]:
    """Move each launch to where it belongs: to its record, to the directory of an id of its own, or let it keep this one."""
    homes = []
    keeper: Group | None = None
    for group in ready:
        home = home_of(group, list(family.values()))
        name = next((name for name, member in family.items() if member is home), None)
        if name is None and keeper is None and whole and run_id not in family:
            keeper = group
            continue
        if name is None:
            name = _next_free(store, run_id)
            family[name] = group
        homes.append(_settle_in(store, run_id, name, group))
    if keeper is not None:
        homes.insert(0, _publish(store, run_id, keeper))
    elif whole:
        _remove_empty(store.run(run_id))
    return homes


def _settle_in(store: Store, run_id: str, name: str, group: Group) -> str:
    record = find_record(store, name)
    if record is not None:
        _move_logs(store.run(run_id), record, group.logs)
        revise(store, record, old=_load(record))
        return record
    target = store.run(name)
    os.makedirs(target, exist_ok=True)
    _move_logs(store.run(run_id), target, group.logs)
    places = _merge(store, name, None)
    if not places:
        raise FileNotFoundError(errno.ENOENT, "another merger has taken the logs", target)
    return places[0]


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
        elif layout.is_share(name) or layout.is_temporary(name):
            disk.forget(os.path.join(directory, name))


def _began(record: model.Record, logs: list[Log]) -> int:
    """The second that names the record's day: the earliest start, else the earliest that is known."""
    start = record["run"]["start"]
    if start is not None:
        return moment.ns(start) // moment.SECOND
    events = [event["time"] // moment.SECOND for log in logs for event in log.events]
    return max(0, min(events, default=min(log.mtime for log in logs)))


def _family(store: Store, run_id: str) -> dict[str, Group]:
    """The other runs of the same given id, finished or set apart, with what their logs say."""
    family: dict[str, Group] = {}
    for k in range(1, 1 << 20):
        name = layout.next_id(layout.first_id(run_id), k)
        record = find_record(store, name)
        place = record or (store.run(name) if name != run_id else None)
        if place is None:
            continue
        logs = read_run(place) if os.path.isdir(place) else []
        if logs:
            family[name] = Group(logs)
        elif record is None:
            break
    return family


def _next_free(store: Store, run_id: str) -> str:
    for k in range(2, 1 << 20):
        name = layout.next_id(layout.first_id(run_id), k)
        if name != run_id and find_record(store, name) is None and not _has_logs(store.run(name)):
            return name
    raise NoSuchRun(f"there is no free number for another run {run_id!a}")


def _has_logs(directory: str) -> bool:
    try:
        return bool(log_names(directory))
    except FileNotFoundError:
        return False


def _move_logs(source: str, target: str, logs: list[Log]) -> None:
    for log in logs:
        os.rename(os.path.join(source, log.name), os.path.join(target, _free_name(target, log.name)))
    disk.sync_directory(target)
    disk.sync_directory(source)


def _free_name(directory: str, name: str) -> str:
    k = 0
    candidate = name
    while os.path.lexists(os.path.join(directory, candidate)):
        k += 1
        candidate = layout.late_name(name, k)
    return candidate


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
    reason = doubt(read_run(directory), directory)
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
