"""Writing imported runs into a store: each whole or not at all, and none over another one.

    take(store, package, arrival, about)  ->  "/scratch/ada/.hpcprov/records/2026/11/21/20261121T093000Z-1f2e3d4c"

A run is written to a draft beside the runs in progress and synced, then gets its name by one rename. A kill leaves a
draft that nobody looks at, which a later import removes. `imported.json` beside the record says where it is from:

    {"from": "run.zip", "sha256": "...", "time": "2026-11-21T...", "user": "ada", "doubts": []}
"""

from __future__ import annotations

import errno
import os
import shutil
import time

from hpcprov.merge import disk
from hpcprov.merge.find import find_record
from hpcprov.record import layout, model, moment
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import BadRecord, HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.export.arrivals import Arrival
    from hpcprov.export.package import Package
    from hpcprov.record.layout import Store

STALE = 86400.0  # s after which the draft of an import belongs to nobody
TAKEN = (errno.ENOTEMPTY, errno.EEXIST, errno.ENOTDIR)


def standing(store: Store, arrival: Arrival) -> str | None:
    """None when a store has no run of an arrival's id, "same" when it has this very record. Raises HpcprovError when it
    has another one."""
    place = find_record(store, arrival.id)
    if place is None and not os.path.lexists(store.run(arrival.id)):
        return None
    known = _seal_of(place) if place is not None else None
    wanted = (arrival.record or {})["seal"]["record"]
    if known == wanted:
        return "same"
    hint = "--into DIR imports it into another directory's store"
    raise HpcprovError(f"{store.root!a} has another record of {arrival.id!a}, which stays", hint=hint)


def take(store: Store, package: Package, arrival: Arrival, about: dict[str, Any]) -> str:
    """Write a run; its directory. Raises HpcprovError, OSError; nothing is then left behind."""
    assert arrival.record is not None
    target = store.record(arrival.id, _day(arrival.record))
    os.makedirs(store.runs, exist_ok=True)
    draft = layout.temporary(store)
    os.mkdir(draft)
    try:
        for name, full in sorted(arrival.files.items()):
            _copy(package, full, os.path.join(draft, name))
        if layout.RECORD not in arrival.files:  # made here, of what an RO-Crate says
            disk.write_new(os.path.join(draft, layout.RECORD), canonical(arrival.record) + b"\n")
        if model.load(os.path.join(draft, layout.RECORD)) != arrival.record:
            raise HpcprovError(f"{package.path!a} changed while it was imported", hint="import it again")
        disk.write_new(os.path.join(draft, layout.IMPORTED), canonical(about | {"doubts": arrival.doubts}) + b"\n")
        disk.sync_directory(draft)
        os.makedirs(os.path.dirname(target), exist_ok=True)
        _name(store, arrival, draft, target)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return target


def clear_stale(store: Store) -> None:
    """Remove what imports that were killed have left."""
    try:
        with os.scandir(store.runs) as entries:
            drafts = [
                entry.path
                for entry in entries
                if layout.is_temporary(entry.name)
                and entry.is_dir(follow_symlinks=False)
                and entry.stat(follow_symlinks=False).st_mtime < time.time() - STALE
            ]
    except OSError:
        return
    for path in drafts:
        shutil.rmtree(path, ignore_errors=True)


def _copy(package: Package, name: str, place: str) -> None:
    flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
    with open(os.open(place, flags, 0o666), "wb") as file:
        for block in package.blocks(name):
            file.write(block)
        file.flush()
        os.fsync(file.fileno())


def _name(store: Store, arrival: Arrival, draft: str, target: str) -> None:
    try:
        os.rename(draft, target)
    except OSError as error:
        if error.errno in TAKEN:
            raise HpcprovError(f"{store.root!a} got another record of {arrival.id!a} meanwhile") from error
        raise
    disk.sync_directory(os.path.dirname(target))


def _seal_of(directory: str) -> str | None:
    try:
        return str(model.load(os.path.join(directory, layout.RECORD))["seal"]["record"])
    except (OSError, BadRecord, KeyError):
        return None


def _day(record: model.Record) -> int:
    """The second that names the day under which a run is filed."""
    known = record["run"]["start"] or record["run"]["end"] or record["run"]["last_heard"]
    return moment.ns(known) // moment.SECOND if known else 0
