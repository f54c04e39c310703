"""What a store can do without: captured output of old runs, and tile manifests that no recent record refers to.

Records stay, all of them, and so do the logs that they are folded from. What is dropped of output is first written to a
list beside the record (`merge.pruned`), so that a missing log can be told from one that somebody took away.

    before = time.time() - 90 * 86400
    found = plan(store, before=before)
    found.outputs     ->  [Output("…/records/2026/08/01/x", ["n1.8123-4711.0.out"], 81920)]
    drop(store, found, before=before, by={"uid": 1000, "name": "ada"}, now=time.time_ns())
"""

from __future__ import annotations

import errno
import os
import re
import stat

from hpcprov.merge import disk, pruned
from hpcprov.merge.alive import doubt
from hpcprov.merge.find import record_directories, run_ids
from hpcprov.merge.read import log_names, read_run
from hpcprov.merge.seal import is_as_sealed, verify_seal
from hpcprov.record import layout, model, moment
from hpcprov.record.canonical import canonical
from hpcprov.record.errors import BadRecord

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record

SIGNATURE = "hpcprov1:"
HEX = re.compile(r"[0-9a-f]{64}")
# A late launcher may still hold the log of a run that was merged less than this long ago, seconds.
SETTLED = 86400.0
MOST_LISTS = 1 << 16


class Output:
    """The captured output of one run: the record's `directory`, the `names` of logs, and how many `bytes` they have."""

    def __init__(self, directory: str, names: list[str], size: int) -> None:
        self.directory, self.names, self.bytes = directory, names, size

    @property
    def run(self) -> str:
        return os.path.basename(self.directory)


class Plan:
    """To drop: `outputs`, `tiles` (paths and bytes). How many `records` there are; what is `left`, and why."""

    def __init__(self) -> None:
        self.outputs: list[Output] = []
        self.tiles: list[tuple[str, int]] = []
        self.records = 0
        self.left: list[str] = []


def plan(store: Store, *, before: float, outputs: bool = True, tiles: bool = True) -> Plan:
    """What runs that ended `before` (seconds since the epoch) have left that can be dropped. Nothing is changed."""
    found, roots = Plan(), Roots()
    for directory in record_directories(store):
        found.records += 1
        try:
            _look(directory, before, found, roots, outputs=outputs, tiles=tiles)
        except (BadRecord, OSError) as error:
            reason = error.message if isinstance(error, BadRecord) else f"{directory}: {error.strerror}"
            found.left.append(reason)
            roots.unknown = roots.unknown or reason
    if tiles:
        for run_id in run_ids(store):
            roots.add_running(store.run(run_id))
        _look_at_tiles(store, before, found, roots)
    return found


class Roots:
    """The fields whose manifests are still wanted, by the hexadecimal digits of their signatures; `unknown`: why these
    may not be all."""

    def __init__(self) -> None:
        self.known: set[str] = set()
        self.unknown: str | None = None

    def add(self, record: Record) -> None:
        for artifacts in record["artifacts"].values():
            for artifact in artifacts:
                self._add(artifact["signature"])

    def add_running(self, directory: str) -> None:
        """Those that the logs of a run in progress name."""
        try:
            events = [event for log in read_run(directory) for event in log.events]
        except OSError:  # it has just been merged: its record was made after everything that is dropped
            return
        for event in events:
            self._add(event.get("signature"))

    def _add(self, signature: Any) -> None:
        fields = signature.get("fields") if type(signature) is dict else None
        for field in fields if type(fields) is list else ():
            self.known.add(str(field.get("signature")).removeprefix(SIGNATURE))


def _look(directory: str, before: float, found: Plan, roots: Roots, *, outputs: bool, tiles: bool) -> None:
    """See what there is of one run. The record of an old one is only read when it has output."""
    path = os.path.join(directory, layout.RECORD)
    is_old = os.stat(path, follow_symlinks=False).st_mtime < before
    names = [name for name in log_names(directory) if pruned.is_output(name)] if outputs else []
    if is_old and not names:
        return
    record = model.load(path)
    if not is_old and _ended(record) >= before:
        if tiles:
            roots.add(record)
        return
    if names and (sizes := _sealed_sizes(record, directory, names, found)):
        found.outputs.append(Output(directory, sorted(sizes), sum(sizes.values())))


def _ended(record: Record) -> float:
    run = record["run"]
    told = run["end"] or run["last_heard"] or run["start"]
    return moment.ns(told) / moment.SECOND if told is not None else 0.0


def _sealed_sizes(record: Record, directory: str, names: list[str], found: Plan) -> dict[str, int]:
    """Lengths of the output logs that are as long as they were sealed; others are evidence, and stay."""
    if not verify_seal(record):
        found.left.append(f"{record['run']['id']}: its record was changed since it was sealed")
        return {}
    sealed = {log["name"]: log["bytes"] for log in record["seal"]["logs"]}
    sizes = {name: os.stat(os.path.join(directory, name), follow_symlinks=False).st_size for name in names}
    odd = sorted(name for name, size in sizes.items() if sealed.get(name) != size)
    found.left += [f"{record['run']['id']}: {name} is not what was sealed" for name in odd]
    return {name: size for name, size in sizes.items() if name not in odd}


def _look_at_tiles(store: Store, before: float, found: Plan, roots: Roots) -> None:
    if roots.unknown is not None:
        found.left.append(f"tile manifests: a record that may refer to them cannot be read: {roots.unknown}")
        return
    for path, facts in _manifests(store.tiles):
        if os.path.basename(path) not in roots.known and facts.st_mtime < before:
            found.tiles.append((path, facts.st_size))


def _manifests(folder: str) -> Iterator[tuple[str, os.stat_result]]:
    for upper in _entries(folder):
        if len(upper.name) == 2 and upper.is_dir(follow_symlinks=False):
            for entry in _entries(upper.path):
                if HEX.fullmatch(entry.name) and stat.S_ISREG((facts := entry.stat(follow_symlinks=False)).st_mode):
                    yield entry.path, facts


def _entries(folder: str) -> list[os.DirEntry[str]]:
    try:
        with os.scandir(folder) as found:
            return sorted(found, key=lambda entry: entry.name)
    except FileNotFoundError:
        return []


def drop(store: Store, found: Plan, *, before: float, by: dict[str, Any], now: int) -> Plan:
    """Drop what was planned, as far as it still may be; what was dropped. A kill at any moment leaves what the next
    call finishes."""
    done = Plan()
    done.records, done.left = found.records, list(found.left)
    for output in found.outputs:
        try:
            dropped = _drop_output(store, output, by=by, now=now, left=done.left)
        except (BadRecord, OSError) as error:
            done.left.append(f"{output.run}: {error.message if isinstance(error, BadRecord) else error.strerror}")
            continue
        if dropped.names:
            done.outputs.append(dropped)
    for path, size in found.tiles:
        if _drop_manifest(path, before, done.left):
            done.tiles.append((path, size))
    return done


def _drop_output(store: Store, output: Output, *, by: dict[str, Any], now: int, left: list[str]) -> Output:
    directory = output.directory
    record = model.load(os.path.join(directory, layout.RECORD))
    if now / moment.SECOND - os.stat(os.path.join(directory, layout.RECORD)).st_mtime < SETTLED:
        reason = doubt(read_run(directory), directory)
        if reason is not None:
            left.append(f"{output.run} may still be running: {reason}")
            return Output(directory, [], 0)
    entries = [log for log in record["seal"]["logs"] if log["name"] in output.names]
    entries = [log for log in entries if os.path.lexists(os.path.join(directory, log["name"]))]  # another call's work
    sound = [log for log in entries if is_as_sealed(log, directory)]
    left += [f"{output.run}: {log['name']} is not what was sealed" for log in entries if log not in sound]
    _list(store, directory, sound, by=by, now=now)
    for log in sound:
        os.unlink(os.path.join(directory, log["name"]))
    return Output(directory, [log["name"] for log in sound], sum(log["bytes"] for log in sound))


def _list(store: Store, directory: str, logs: list[dict[str, Any]], *, by: dict[str, Any], now: int) -> None:
    """Write down what is about to be dropped, unless an earlier call did so and was killed. Raises OSError."""
    listed = {log["name"]: log for one in pruned.lists(directory) for log in one["logs"]}
    new = [{key: log[key] for key in pruned.KEYS} for log in logs]
    new = [log for log in new if listed.get(log["name"]) != log]
    if new:
        said = {"format": pruned.FORMAT, "version": pruned.VERSION, "time": moment.iso(now), "by": by, "logs": new}
        _write_next(store, directory, canonical(said) + b"\n")


def _write_next(store: Store, directory: str, data: bytes) -> None:
    """Write a file under the first free of the lists' names; two at once get one each. Raises OSError."""
    draft = layout.temporary(store)
    disk.write_new(draft, data)
    try:
        for k in range(1, MOST_LISTS):
            if _claim(draft, os.path.join(directory, layout.pruned(k))):
                disk.sync_directory(directory)
                return
        raise OSError(errno.EEXIST, "too many lists of what was pruned", directory)
    finally:
        disk.forget(draft)


def _claim(draft: str, path: str) -> bool:
    try:
        os.link(draft, path)
    except FileExistsError:
        return False
    except PermissionError:  # a file system without hard links
        if os.path.lexists(path):
            return False
        os.rename(draft, path)
    return True


def _drop_manifest(path: str, before: float, left: list[str]) -> bool:
    """Remove a manifest, unless somebody has needed it since."""
    try:
        if os.stat(path, follow_symlinks=False).st_mtime >= before:
            return False
        os.unlink(path)
    except FileNotFoundError:
        return False
    except OSError as error:
        left.append(f"{path}: {error.strerror}")
        return False
    return True
