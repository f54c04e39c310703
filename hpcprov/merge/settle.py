"""Settling: finishing what nobody merged, because an agent was killed, a node was lost or `--no-agent` was given.

Nothing is written about the settling itself: whoever settles, and whenever, the record is the same. What a scheduler
says of a job that has ended is first written to a log of the settler's own, so that it is folded like everything else.

    settle_stale(store)  ->  [Settled("x", ["…/records/2026/11/21/x"], None), Settled("y", [], "process 4711 …")]
"""

from __future__ import annotations

import os

from hpcprov.merge import disk, jobs, settler
from hpcprov.merge.alive import SILENCE, doubt
from hpcprov.merge.find import run_ids
from hpcprov.merge.groups import groups
from hpcprov.merge.publish import check_logs, compose, merge_run, revise
from hpcprov.merge.read import log_names, read_log, read_run
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError, StillRunning

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcprov.merge.groups import Group
    from hpcprov.record import model
    from hpcprov.record.job import Answer, Ask, Job
    from hpcprov.record.layout import Store

    Tell = Callable[[model.Record, list[str]], None]  # a record before it is sealed, the names of its logs


class Settled:
    """What became of a run: the `records` that it went to, or the `reason` why it was left; is it `running`?"""

    __slots__ = ("reason", "records", "run_id", "running")

    def __init__(self, run_id: str, records: list[str], reason: str | None, *, running: bool = False) -> None:
        self.run_id, self.records, self.reason, self.running = run_id, records, reason, running


def settle_run(store: Store, run_id: str, ask: Ask | None = None, tell: Tell | None = None) -> list[str]:
    """Merge the launches of a run that are over. Raises StillRunning when none is, NoSuchRun, OSError.

    `tell` hears of each before it is merged: who is killed in between leaves it to be settled, and told, again.
    """
    directory, ask = store.run(run_id), _once(ask)
    try:
        if (reason := _job_goes_on(directory, run_id, ask)) is not None:
            raise StillRunning(f"{run_id} may still be running: {reason}")
        found = groups(read_run(directory))
    except FileNotFoundError:
        return merge_run(store, run_id)
    if not found:
        return _settle_empty(store, run_id)
    answers = [_answer(run_id, group, ask) for group in found]
    doubts = [doubt(group.logs, directory, answer) for group, answer in zip(found, answers, strict=True)]
    over = [number for number, reason in enumerate(doubts) if reason is None]
    if not over:
        raise StillRunning(f"{run_id} may still be running: {doubts[0]}")
    for number in over:
        record = compose(found[number], run_id=run_id)
        if tell is not None:
            tell(record, [log.name for log in found[number].logs if log.kind == "log"])
        _testify(directory, record, answers[number])
    return merge_run(store, run_id, log=None if len(over) == len(found) else found[over[0]].name)


def settle_stale(
    store: Store, ask: Ask | None = None, tell: Tell | None = None, *, names: list[str] | None = None
) -> list[Settled]:
    """Settle every run that is over, or of those `names`; never raises for one that cannot be settled now."""
    _sweep(store)
    return [_try(store, run_id, ask, tell) for run_id in (run_ids(store) if names is None else names)]


def witnessed(store: Store, directory: str, record: model.Record, ask: Ask) -> model.Record:
    """The record, with what the scheduler says of its end where it ended badly and no scheduler was heard yet.

    Raises OSError, and BadRecord when its logs are poorer than it is.
    """
    job = jobs.job_of_record(record) if lacks_witness(record) else None
    answer = ask(job) if job is not None else None
    events = jobs.new_words(answer, record["witnesses"]) if answer is not None and answer.over else []
    if not events:
        return record
    check_logs(directory, record)
    settler.append(directory, events)
    return revise(store, directory, old=record)


def lacks_witness(record: model.Record) -> bool:
    """Did a run end badly, and no scheduler has said why? sacct has the last word."""
    heard = {one["source"] for one in record["witnesses"]}
    return record["run"]["status"] not in ("completed", "running") and "sacct" not in heard


def _once(ask: Ask | None) -> Ask | None:
    """The same, but what has been answered is not asked again."""
    if ask is None:
        return None
    answers: dict[Job, Answer] = {}
    return lambda job: answers[job] if job in answers else answers.setdefault(job, ask(job))


def _job_goes_on(directory: str, run_id: str, ask: Ask | None) -> str | None:
    """How it is known that a job goes on, from one of its logs: each of its steps, of which there may be thousands, has
    one. Raises OSError."""
    names = log_names(directory) if ask is not None and jobs.job_itself(run_id) is not None else []
    log = read_log(directory, names[0], {}) if names else None
    job = jobs.job_of_events(run_id, log.events) if log is not None else None
    answer = ask(job) if ask is not None and job is not None and job.step is None else None
    return answer.reason if answer is not None and answer.over is False else None


def _answer(run_id: str, group: Group, ask: Ask | None) -> Answer | None:
    if ask is None:
        return None
    job = jobs.job_of_events(run_id, (event for log in group.logs for event in log.events))
    return ask(job) if job is not None else None


def _testify(directory: str, record: model.Record, answer: Answer | None) -> None:
    """Write down what the scheduler said of a job that has ended, unless the run needs no witness."""
    over = answer is not None and answer.over and lacks_witness(record)
    events = jobs.new_words(answer, record["witnesses"]) if answer is not None and over else []
    try:
        if events:
            settler.append(directory, events)
    except FileNotFoundError:
        return  # another process has merged the run, and asked as well


def _try(store: Store, run_id: str, ask: Ask | None, tell: Tell | None) -> Settled:
    try:
        return Settled(run_id, settle_run(store, run_id, ask, tell), None)
    except StillRunning as error:
        return Settled(run_id, [], error.message, running=True)
    except HpcprovError as error:
        return Settled(run_id, [], error.message)
    except OSError as error:
        return Settled(run_id, [], f"{run_id} cannot be settled: {error.strerror or error}")


def _settle_empty(store: Store, run_id: str) -> list[str]:
    """Remove a directory without a log: nothing was acknowledged. A launcher that is about to write makes it anew."""
    merge_run(store, run_id)
    if os.path.isdir(store.run(run_id)):
        raise HpcprovError(
            f"{run_id} holds no log", hint=f"look at what else is in {store.run(run_id)!a}, and remove it"
        )
    return []


def _sweep(store: Store) -> None:
    """Remove drafts that a merger left behind when it was killed."""
    try:
        drafts = [name for name in os.listdir(store.runs) if layout.is_temporary(name)]
    except OSError:
        return
    now = disk.server_time(store.runs) if drafts else None
    for path in (os.path.join(store.runs, name) for name in drafts):
        if now is not None and now - _modified(path, now) > SILENCE:
            disk.forget(path)


def _modified(path: str, default: float) -> float:
    try:
        return os.lstat(path).st_mtime
    except OSError:
        return default
