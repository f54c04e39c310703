"""RUN on a command line -> a run: an id, an unambiguous beginning of one, `last`, or a batch job's id.

    choose(store, "last").record["run"]["id"]  ->  "20261121T093000Z-1f2e3d4c"

A run that is still going on has a record too, folded from what its logs say by now: status `running`, no seal.
"""

from __future__ import annotations

import os
import sys

from hpcprov.merge import find
from hpcprov.merge.alive import doubt
from hpcprov.merge.groups import groups
from hpcprov.merge.publish import compose, refresh
from hpcprov.merge.read import read_run
from hpcprov.merge.settle import settle_stale
from hpcprov.record import layout, model
from hpcprov.record.errors import AmbiguousRun, HpcprovError, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hpcprov.record.layout import Store

MOST_CANDIDATES = 12
MOST_TOLD = 3
HELP = "a run's id or the beginning of one, `last`, or a batch job's id"


class Run:
    """A run's `record` (of one in progress: what is known by now) and the `directory` of its logs."""

    def __init__(self, directory: str, record: model.Record) -> None:
        self.directory, self.record = directory, record

    @property
    def id(self) -> str:
        return str(self.record["run"]["id"])


def store_here() -> Store:
    """The store of the working directory, after settling what in it is over. Raises NoStore."""
    store = layout.find_store(os.environ, os.getcwd())
    reasons = [outcome.reason for outcome in settle_stale(store) if outcome.reason is not None and not outcome.running]
    if reasons:
        tell(f"not settled: {listed(reasons)}")
    return store


def tell(text: str) -> None:
    """Say something on standard error, which may be closed."""
    if sys.stderr is not None:
        print(f"hpcprov: {printable(text)}", file=sys.stderr)


def listed(texts: list[str]) -> str:
    """The first few of many texts."""
    more = [f"and {len(texts) - MOST_TOLD} more"] if len(texts) > MOST_TOLD else []
    return "; ".join([*texts[:MOST_TOLD], *more])


def tell_unread(unread: list[str]) -> None:
    """Say which records could not be read, and the way out."""
    if unread:
        way_out = "move record.json away and the next command folds it again from the logs"
        number = "1 record" if len(unread) == 1 else f"{len(unread)} records"
        tell(f"{number} could not be read: {listed(unread)}; {way_out}")


def add_run(parser: argparse.ArgumentParser, *, several: bool = False) -> None:
    parser.add_argument("run", metavar="RUN", nargs="+" if several else None, help=HELP)


def choose(store: Store, text: str) -> Run:
    """The one run that `text` names. Raises NoSuchRun, AmbiguousRun."""
    if text == "last":
        return _last(store)
    places = {os.path.basename(path): path for path in find.record_directories(store)}
    places |= {run_id: store.run(run_id) for run_id in find.run_ids(store)}
    names = [text] if text in places else sorted(name for name in places if text and name.startswith(text))
    if len(names) == 1:
        return open_run(store, places[names[0]])
    if names:
        raise AmbiguousRun(f"{text!a} is the beginning of {len(names)} runs", hint=_candidates(names))
    return _of_job(store, text)


def every_run(store: Store) -> Iterator[Run]:
    """All runs: those in progress, then the finished ones, newest day first. What is damaged is left out, and told."""
    unread: list[str] = []
    for directory in [store.run(run_id) for run_id in find.run_ids(store)]:
        yield from _opened(store, directory, unread)
    for directory in find.record_directories(store):
        yield from _opened(store, directory, unread)
    tell_unread(unread)


def open_run(store: Store, directory: str) -> Run:
    """The run whose logs are in `directory`. Raises BadRecord, OSError, NoSuchRun."""
    if os.path.dirname(directory) == store.runs:
        return _in_progress(store, directory)
    return Run(directory, refresh(store, directory))


def _opened(store: Store, directory: str, unread: list[str]) -> list[Run]:
    try:
        return [open_run(store, directory)]
    except NoSuchRun:
        return []
    except (HpcprovError, OSError) as error:
        unread.append(error.message if isinstance(error, HpcprovError) else f"{directory}: {error.strerror or error}")
        return []


def _in_progress(store: Store, directory: str) -> Run:
    name = os.path.basename(directory)
    try:
        launches = groups(read_run(directory))
    except FileNotFoundError:
        record = find.find_record(store, name)
        if record is None:
            raise NoSuchRun(f"there is no run {name!a}") from None
        return open_run(store, record)
    if not launches:
        raise NoSuchRun(f"nothing is known yet of run {name!a}")
    over = doubt(launches[-1].logs, directory) is None
    return Run(directory, compose(launches[-1], run_id=name, over=over) | {"revision": 0})


def _last(store: Store) -> Run:
    unread: list[str] = []
    running = [run for run_id in find.run_ids(store) for run in _opened(store, store.run(run_id), unread)]
    # A run starts on the day that it is filed under: the newest day with a readable record holds the latest.
    for day in find.days(store):
        places = [os.path.join(day, name) for name in sorted(os.listdir(day)) if layout.is_run_id(name)]
        runs = [run for place in places for run in _opened(store, place, unread)]
        if runs:
            running += runs
            break
    tell_unread(unread)
    if not running:
        raise NoSuchRun("there is no run yet", hint="hpcprov exec -- COMMAND makes one")
    return max(running, key=_start)


def _start(run: Run) -> tuple[str, str]:
    return run.record["run"]["start"] or "", run.id


def _of_job(store: Store, text: str) -> Run:
    runs = [run for run in every_run(store) if text in _job_names(run.record)]
    if len(runs) == 1:
        return runs[0]
    if runs:
        names = [run.id for run in sorted(runs, key=_start)]
        raise AmbiguousRun(f"job {text!a} has {len(runs)} runs", hint=_candidates(names))
    raise NoSuchRun(f"no run and no job is called {text!a}", hint="`hpcprov runs` lists what there is")


def _job_names(record: model.Record) -> set[str]:
    """The names of a run's job: its id, and its id with the step."""
    job = model.job_id(record)
    step = model.fact(record, "scheduler").get("step_id", record["environment"]["common"].get("SLURM_STEP_ID"))
    return set() if job is None else {job} | ({f"{job}.{step}"} if step is not None else set())


def _candidates(names: list[str]) -> str:
    more = [f"... and {len(names) - MOST_CANDIDATES} more"] if len(names) > MOST_CANDIDATES else []
    return "\n".join(["one of:", *names[:MOST_CANDIDATES], *more])
