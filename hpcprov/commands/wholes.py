"""Settling with a scheduler's help: what is over, why it ended, and the jobs and workflows that runs are parts of.

A run whose agent was killed, or never there, has not told its job or workflow of itself: who settles it does.

    settle_all(store)  ->  [Settled("slurm-alps-4711.0.0", ["…/slurm-alps-4711.0.0"], None), ...]
"""

from __future__ import annotations

import os
import time

from hpcprov.agent import membership
from hpcprov.attest.automatic import attest_new
from hpcprov.capture.slurm import ask, ask_ahead
from hpcprov.merge import find, jobs
from hpcprov.merge.alive import doubt
from hpcprov.merge.publish import revise
from hpcprov.merge.read import read_run
from hpcprov.merge.settle import Settled, settle_run, settle_stale, witnessed
from hpcprov.merge.shared import lowest
from hpcprov.record import layout, model, moment
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.merge.groups import Group
    from hpcprov.record.layout import Store

PATIENCE = 5.0  # s for asking about the parts of jobs when they are settled


def settle_all(store: Store, names: list[str] | None = None) -> list[Settled]:
    """Settle every run that is over, or of those `names`, and the jobs and workflows that had not been told of them."""
    names = find.run_ids(store) if names is None else names
    ask_ahead(job for job in map(jobs.job_of_id, names) if job is not None)
    wholes = Wholes(store)
    outcomes = settle_stale(store, ask, wholes.tell, names=names)
    outcomes += wholes.settle()
    places = [place for outcome in outcomes for place in outcome.records]
    explain_parts(store, places)
    attest_new(store, places, os.environ)
    return outcomes


def settle_one(store: Store, run_id: str) -> list[str]:
    """Settle one run; its record directories. Raises StillRunning, NoSuchRun, OSError."""
    wholes = Wholes(store)
    places = settle_run(store, run_id, ask, wholes.tell)
    told = [place for outcome in wholes.settle() for place in outcome.records]
    explain_parts(store, [*places, *told])
    attest_new(store, [*places, *told], os.environ)
    return places


def is_over(run_id: str, group: Group, directory: str) -> bool:
    """Is a launch in a run's directory over, as far as its logs and its scheduler tell?"""
    job = jobs.job_of_events(run_id, (event for log in group.logs for event in log.events))
    return doubt(group.logs, directory, None if job is None else ask(job)) is None


class Wholes:
    """The jobs and workflows of the runs that are being settled: each is told of its parts that have not told it."""

    def __init__(self, store: Store) -> None:
        self.store = store
        self.heard: dict[str, Heard] = {}
        self.told: dict[str, None] = {}

    def tell(self, record: model.Record, logs: list[str]) -> None:
        """Tell the wholes of a run that is about to be merged. A whole without one of its parts is still a record."""
        try:
            for kind, whole in _wholes(self.store, record):
                heard = self.heard.get(whole) or Heard(self.store, whole)
                self.heard[whole] = heard
                if not heard.parts & {record["run"]["id"], record["run"]["given"]}:
                    self.told[whole] = None
                    _write(self.store, kind, whole, record, logs[0], heard)
        except (HpcprovError, OSError):
            pass

    def settle(self) -> list[Settled]:
        """What became of those that were settled by what they have been told."""
        found: list[Settled] = []
        for whole in self.told:
            try:
                record = find.find_record(self.store, whole)
                if record is not None:
                    revise(self.store, record, old=_load(record))
                elif os.path.isdir(self.store.run(whole)):
                    found.append(Settled(whole, settle_run(self.store, whole, ask), None))
            except (HpcprovError, OSError):
                continue  # it may be running still; the next command that meets it settles it
        return found


def explain_parts(store: Store, places: list[str]) -> None:
    """Ask why the parts of jobs that are over now ended badly, for a few seconds: of the rest `show` asks."""
    until = time.monotonic() + PATIENCE
    parts = {part for place in places for part in _parts_of_job(place)}
    for place in find.record_directories(store) if parts else ():
        if time.monotonic() > until:
            return
        try:
            if os.path.basename(place) in parts:
                explained(store, place, _load(place))
        except (HpcprovError, OSError):
            continue


def _parts_of_job(place: str) -> list[str]:
    """The ids of a job's parts; none of what is no job, or cannot be read."""
    try:
        record = _load(place)
    except (HpcprovError, OSError):
        return []
    return [part["run"] for part in record["parts"]] if record["run"]["kind"] == "job" else []


def explained(store: Store, directory: str, record: model.Record) -> model.Record:
    """The record, with what the scheduler says of its end where that is bad and not told yet."""
    if "seal" not in record:
        return record
    try:
        latest = witnessed(store, directory, record, ask)
        attest_new(store, [directory] if latest["revision"] != record["revision"] else [], os.environ)
        return latest
    except (HpcprovError, OSError):
        return record  # what is there is true; another's store may not be written to


class Heard:
    """What a whole knows already: the ids of its parts, and whether a job's scheduler facts are among it."""

    def __init__(self, store: Store, whole: str) -> None:
        place = _place(store, whole)
        events = [event for log in (read_run(place) if place is not None else []) for event in log.events]
        self.parts = {event["run"] for event in events if event["event"] == "part"}
        self.described = any(event["event"] == "fact" and event["kind"] == "scheduler" for event in events)


def _wholes(store: Store, record: model.Record) -> list[tuple[str, str]]:
    """Kind and id of what a run is a part of: its job, and its workflow where that is in this store."""
    part_of = record["run"]["part_of"]
    workflow = part_of["workflow"]
    here = workflow is not None and layout.is_run_id(workflow) and _place(store, workflow) is not None
    return [("job", part_of["job"])] * (part_of["job"] is not None) + [("workflow", str(workflow))] * here


def _place(store: Store, run_id: str) -> str | None:
    directory = store.run(run_id)
    return directory if os.path.isdir(directory) else find.find_record(store, run_id)


def _write(store: Store, kind: str, whole: str, record: model.Record, log: str, heard: Heard) -> None:
    """Tell a whole of a run, and a job what its scheduler told the run. Raises OSError."""
    run = record["run"]
    node = record["nodes"][0]["node"] if record["nodes"] else "unknown"
    start = {"time": moment.ns(run["start"])} if run["start"] else {}
    place = _place(store, whole) or store.run(whole)
    membership.write(place, log, node, run | run["declared"], kind=kind, run=run["id"], **start)
    heard.parts.add(run["id"])
    if kind == "job" and not heard.described:
        membership.describe(os.path.join(place, log), node, lowest(record["environment"]))
        heard.described = True


def _load(place: str) -> model.Record:
    return model.load(os.path.join(place, layout.RECORD))
