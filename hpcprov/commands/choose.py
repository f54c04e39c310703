"""RUN on a command line -> a run: an id, an unambiguous beginning of one, `last`, or a name in its batch system.

    choose(store, "last").record["run"]["id"]  ->  "20261121T093000Z-1f2e3d4c"
    choose(store, "4711")    ->  the job itself          choose(store, "4711_3")  ->  a task of a job array
    choose(store, "4711.0")  ->  a step of it

A run that is still going on has a record too, folded from what its logs say by now: status `running`, no seal.
"""

from __future__ import annotations

import os
import re
import sys

from hpcprov.catalog import open_catalog
from hpcprov.catalog.facets import job_names as job_names
from hpcprov.commands import wholes
from hpcprov.merge import find, jobs
from hpcprov.merge.groups import groups
from hpcprov.merge.publish import compose, refresh
from hpcprov.merge.read import read_run
from hpcprov.record import layout, model
from hpcprov.record.errors import AmbiguousRun, HpcprovError, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterable, Iterator

    from hpcprov.catalog.found import RunRow
    from hpcprov.catalog.query import Catalog
    from hpcprov.record.layout import Store

MOST_CANDIDATES = 12
MOST_TOLD = 3
HELP = "a run's id or the beginning of one, `last`, or a batch job's id, `JOB.STEP` or `JOB_TASK`"
# JOB, JOB.STEP, JOB_TASK and JOB_TASK.STEP, as Slurm writes them.
JOB_NAME = re.compile(r"[0-9]{1,10}(_[0-9]{1,10})?(\.[A-Za-z0-9]+)?")
# JOB+COMPONENT of a heterogeneous job; its components have one record.
COMPONENT = re.compile(r"(?P<job>[0-9]{1,10})\+[0-9]{1,4}(?P<step>(\.[A-Za-z0-9]+)?)")


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
    outcomes = wholes.settle_all(store)
    reasons = [outcome.reason for outcome in outcomes if outcome.reason is not None and not outcome.running]
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
    text = of_whole(text)
    with open_catalog([store.root], tell=tell) as catalog:
        going_on = {run_id: store.run(run_id) for run_id in find.run_ids(store)}
        places = (catalog.directories(text) if text else {}) | _beginning(going_on, text)
        names = [text] if text in places else sorted(places)
        if text not in places and JOB_NAME.fullmatch(text):
            # The number of a job may be the beginning of a date, too.
            of_job = catalog.directories("slurm-", f"-{text.partition('.')[0]}") | going_on
            names = _named_by_job(of_job, text) or names
            places |= of_job
        if len(names) == 1:
            return open_run(store, places[names[0]])
        if names:
            raise AmbiguousRun(f"{text!a} is the beginning of {len(names)} runs", hint=_candidates(names))
        tell_unread(catalog.problems)
        return open_run(store, _of_job(catalog, store, text).directory)


def _beginning(places: dict[str, str], text: str) -> dict[str, str]:
    return {name: path for name, path in places.items() if text and name.startswith(text)}


def of_whole(name: str) -> str:
    """`4711.0` for `4711+1.0`; other names as they are."""
    component = COMPONENT.fullmatch(name)
    return component["job"] + component["step"] if component else name


def every_run(store: Store) -> Iterator[Run]:
    """All runs: those in progress, then the finished ones, newest day first. What is damaged is left out, and told."""
    unread: list[str] = []
    listed: set[str] = set()
    for directory in [store.run(run_id) for run_id in find.run_ids(store)]:
        for run in _opened(store, directory, unread):
            listed |= {directory, run.directory}
            yield run
    for directory in find.record_directories(store):
        # Another process may have merged a run that was listed as one in progress.
        before = store.run(os.path.basename(directory))
        if directory not in listed and (before not in listed or os.path.isdir(before)):
            yield from _opened(store, directory, unread)
    tell_unread(unread)


def parts_of(store: Store, record: model.Record, most: int | None = None) -> Iterator[Run]:
    """The runs of a job or workflow, as far as this store has them; of many the first `most`."""
    wanted = sorted({part["run"] for part in record["parts"][:most]})
    if not wanted:
        return
    with open_catalog([store.root], tell=tell) as catalog:
        places = {row.id: row.directory for row in catalog.by_id(wanted)}
    for run_id in sorted(places):
        try:
            yield open_run(store, places[run_id])
        except (HpcprovError, OSError):
            continue


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
    over = wholes.is_over(name, launches[-1], directory)
    return Run(directory, compose(launches[-1], run_id=name, over=over) | {"revision": 0})


def _last(store: Store) -> Run:
    with open_catalog([store.root], tell=tell) as catalog:
        newest = catalog.runs(limit=1)
    try:
        return open_run(store, newest[0].directory)
    except (HpcprovError, OSError, IndexError):
        return _last_readable(store)


def _last_readable(store: Store) -> Run:
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


def _named_by_job(places: Iterable[str], text: str) -> list[str]:
    """The ids of the latest start of a job, or of its step: `slurm-alps-4711-r1`, `slurm-alps-4711.0-r1.0`."""
    job, _, step = text.partition(".")
    form = rf"slurm-(?P<cluster>.+)-{job}" + (rf"\.{step}" if step else "") + r"(?:-r(?P<restarts>[0-9]{1,9}))?"
    form += (r"\.[0-9]+" if step else "") + r"(?:~(?P<again>[0-9]{1,9}))?"
    found: dict[tuple[str, int, int], list[str]] = {}
    for name in places:
        if match := re.fullmatch(form, name):
            start = match["cluster"], int(match["restarts"] or 0), int(match["again"] or 0)
            found.setdefault(start, []).append(name)
    latest = {cluster: max(start for start in found if start[0] == cluster) for cluster, _, _ in found}
    return sorted(name for start in latest.values() for name in found[start])


def _of_job(catalog: Catalog, store: Store, text: str) -> RunRow:
    runs = catalog.of_job(text)
    themselves = [run for run in runs if run.type == "job"]
    starts_of = {(job.cluster, job.job_id) for run in themselves if (job := jobs.job_itself(run.id)) is not None}
    if len(starts_of) == 1:
        return themselves[0]
    if len(runs) == 1:
        return runs[0]
    if runs:
        names = [run.id for run in reversed(runs)]
        raise AmbiguousRun(f"job {text!a} has {len(runs)} runs", hint=_candidates(names))
    hint = f"`hpcprov runs` lists what there is in {store.root}; a job is listed once one of its steps is"
    raise NoSuchRun(f"no run and no job is called {text!a}", hint=catalog.called(text) or hint)


def _candidates(names: list[str]) -> str:
    more = [f"... and {len(names) - MOST_CANDIDATES} more"] if len(names) > MOST_CANDIDATES else []
    return "\n".join(["one of:", *names[:MOST_CANDIDATES], *more])
