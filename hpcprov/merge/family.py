"""One id, several runs: which other runs of an id there are, which number is free, and moving logs between them.

Ids come round again (`--run-id` given twice, ports and process ids): the second run of `x` is `x~2`. Mergers that set
launches apart at the same time see each other's halves, so the first one writes down which log goes where, and all
follow that plan.

    family(store, "x")  ->  {"x": the launch in its record, "x~2": the one in runs/x~2}
"""

from __future__ import annotations

import errno
import json
import os

from hpcprov.merge import disk
from hpcprov.merge.find import find_record
from hpcprov.merge.groups import Group, home_of
from hpcprov.merge.read import OPEN_FLAGS, log_names, read_run
from hpcprov.record import layout
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import NoSuchRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Container

    from hpcprov.merge.read import Log
    from hpcprov.record.layout import Store

MOST_NUMBERS = 1 << 20
NO_PLANS = (errno.ELOOP, errno.EISDIR, errno.EAGAIN)  # a link, a directory, a FIFO that somebody writes to


def family(store: Store, run_id: str) -> dict[str, Group]:
    """The other runs of the same given id, finished or set apart, with what their logs say."""
    family: dict[str, Group] = {}
    for k in range(1, MOST_NUMBERS):
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


def plan_of(store: Store, run_id: str, ready: list[Group], others: dict[str, Group], *, whole: bool) -> dict[str, str]:
    """The id that each log of `ready` launches belongs to. One launch may keep the directory if none stays."""
    members = dict(others)
    plan: dict[str, str] = {}
    for group in ready:
        home = home_of(group, list(members.values()))
        name = next((name for name, member in members.items() if member is home), None)
        if name is None:
            name = run_id if whole and run_id not in members else next_free(store, run_id, members)
            members[name] = group
        plan |= {log.name: name for log in group.logs}
    return plan


def agree(store: Store, run_id: str, plan: dict[str, str]) -> dict[str, str]:
    """The plan that all mergers follow: the first one written. Logs that it does not know go where `plan` says."""
    path = store.plan(run_id)
    draft = layout.temporary(store)
    disk.write_new(draft, canonical(plan))
    try:
        os.link(draft, path)
        return plan
    except FileExistsError:
        return plan | _known(path)
    except PermissionError:  # a file system without hard links
        return plan
    finally:
        disk.forget(draft)


def withdraw(store: Store, run_id: str) -> None:
    """Forget the plan when it has been carried out and the directory stays."""
    disk.forget(store.plan(run_id))


def _known(path: str) -> dict[str, str]:
    try:
        with open(os.open(path, OPEN_FLAGS), "rb") as file:
            known = json.loads(file.read() or b"")
    except (ValueError, RecursionError):
        return {}
    except OSError as error:
        if error.errno not in NO_PLANS:
            raise
        return {}
    pairs = known.items() if type(known) is dict else ()
    return {log: name for log, name in pairs if type(name) is str and layout.is_run_id(name)}


def next_free(store: Store, run_id: str, taken: Container[str]) -> str:
    """The id that the next run of the same given id gets. Raises NoSuchRun when there is none left."""
    for k in range(2, MOST_NUMBERS):
        name = layout.next_id(layout.first_id(run_id), k)
        if name != run_id and name not in taken and find_record(store, name) is None and not _has_logs(store.run(name)):
            return name
    raise NoSuchRun(f"there is no free number for another run {run_id!a}")


def _has_logs(directory: str) -> bool:
    try:
        return bool(log_names(directory))
    except FileNotFoundError:
        return False


def move_logs(source: str, target: str, logs: list[Log]) -> None:
    """Move logs by rename, under another name where theirs is taken. Raises OSError: ENOENT when one has moved."""
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
