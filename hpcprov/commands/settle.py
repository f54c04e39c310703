"""Finish the record of a run that nobody finished.

A run is settled when its processes have ended, or when nothing was heard of it for 15 minutes; one that may still be
running is never settled. What was left with `--hash later`, or for want of time, is signed now and, where the run was
started with `--embed`, gets its audit trail; of a job or workflow, what its runs left. Where a run ended badly its
scheduler is asked why; Darshan's logs are attached where the run's environment leads to them. --job is for a cluster's
epilog: it never fails, whatever state the job's runs are in.
"""

from __future__ import annotations

import argparse
import os

from hpcprov.attest.automatic import attest_new
from hpcprov.commands import later, wholes
from hpcprov.commands.choose import HELP, Run, choose, job_names, parts_of, tell
from hpcprov.commands.import_darshan import attach_found
from hpcprov.merge import find, jobs
from hpcprov.merge.groups import groups
from hpcprov.merge.publish import compose, refresh
from hpcprov.merge.read import read_run
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.merge.settle import Settled
    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov settle --all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov settle`."""
    parser.add_argument("run", metavar="RUN", nargs="?", help=HELP)
    parser.add_argument("--all", action="store_true", help="every run that is over; signs nothing")
    parser.add_argument("--job", metavar="JOB", help="what there is of a batch job and its steps; signs nothing")
    parser.add_argument("--no-hash", action="store_true", help="sign nothing that was left unsigned")


def run(args: argparse.Namespace) -> int:
    """Settle one run, those of a job, or all."""
    if [args.all, args.job is not None, args.run is not None].count(True) != 1:
        raise HpcprovError("settle takes one of RUN, --job JOB and --all", hint="hpcprov settle --help")
    if args.job is not None:
        return settle_job(args.job)
    store = layout.find_store(os.environ, os.getcwd())
    return settle_all(store) if args.all else settle_one(store, args.run, hashing=not args.no_hash)


def settle_job(job: str) -> int:
    """Settle a job's runs; 0 in any case: a scheduler takes a node out of service when its epilog fails."""
    try:
        store = layout.find_store(os.environ, os.getcwd())
        tell_outcomes(wholes.settle_all(store, [name for name in find.run_ids(store) if is_of_job(store, name, job)]))
    except (HpcprovError, OSError) as error:
        tell(f"job {job}: {error}")
    return 0


def is_of_job(store: Store, name: str, job: str) -> bool:
    """Is a run in progress the job, or of it? No scheduler is asked: this runs for each of a thousand jobs at once."""
    told = jobs.job_of_id(name)
    if told is not None and job.isdigit():
        return told.job_id == job
    try:
        launches = groups(read_run(store.run(name)))
        return any(job in job_names(compose(one, run_id=name, over=False)) for one in launches)
    except (HpcprovError, OSError):
        return False  # it has been merged in the meantime, or is damaged: what reads all runs tells that


def settle_all(store: Store) -> int:
    """Settle what is over; say what was left and why."""
    settled = wholes.settle_all(store)
    tell_outcomes(settled)
    if not settled:
        print("nothing to settle")
    return int(any(outcome.reason is not None and not outcome.running for outcome in settled))


def tell_outcomes(settled: list[Settled]) -> None:
    """A line for each record that was made and each run that was left."""
    for outcome in settled:
        for record in outcome.records:
            print(f"settled {printable(os.path.basename(record))}")
        if outcome.reason is not None:
            print(f"left {printable(outcome.reason)}")


def settle_one(store: Store, text: str, *, hashing: bool) -> int:
    """Settle one run; sign, and stamp, what was left of it, or of the runs of a job or workflow."""
    from hpcprov.commands import later_stamps

    name = text if text in find.run_ids(store) else choose(store, text).id
    done = []
    if name in find.run_ids(store):
        done = [f"settled {printable(os.path.basename(place))}" for place in wholes.settle_one(store, name)]
        print("".join(f"{line}\n" for line in done), end="", flush=True)
    record = find.find_record(store, name)
    if record is not None and layout.is_imported(record):
        print(f"{printable(name)} was imported: it stays as it came")
        return 0
    if record is not None and told_why(store, record):
        done.append(f"asked why {printable(name)} ended")
        print(done[-1], flush=True)
    counted = attach_found(store, Run(record, refresh(store, record))) if record is not None else []
    print("".join(f"{line}\n" for line in counted), end="", flush=True)
    done += counted
    places = with_runs(store, record) if record is not None and hashing else []
    signed = [one for place in places for one in later.sign(store, place)]
    for path, state in signed:
        print(f"{printable(path)}: {printable(state)}", flush=True)
    stamped = [line for place in places for line in later_stamps.finish(store, place)]
    for line in stamped:
        print(printable(line))
    attest_new(store, places or ([record] if record is not None else []), os.environ)
    if not done and not signed and not stamped:
        print("nothing left to do")
    return 0


def with_runs(store: Store, directory: str) -> list[str]:
    """The directory of a record; of a job or workflow those of its runs' records, too, that were made here."""
    parts = parts_of(store, refresh(store, directory))
    own = [part for part in parts if "seal" in part.record and not layout.is_imported(part.directory)]
    return [directory, *(part.directory for part in own)]


def told_why(store: Store, directory: str) -> bool:
    """Has a scheduler said just now why a run ended?"""
    before = refresh(store, directory)
    return bool(wholes.explained(store, directory, before)["revision"] != before["revision"])
