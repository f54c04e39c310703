"""Attach what Darshan counted, file by file, to the run that its log is of.

The run is found by the log's job, user, time and program; --run names it. A log of another job, user or time is refused
unless --force is given; the record then says in what it differs. The record gets a new revision, its fact `darshan`.
What is read: opens, reads, writes, bytes and seconds of POSIX, MPI-IO, STDIO, HDF5 and PnetCDF.
"""

from __future__ import annotations

import argparse
import os

from hpcprov.adapters import darshan, darshan_found
from hpcprov.catalog import open_catalog
from hpcprov.catalog.schema import LARGEST
from hpcprov.commands.choose import Run, choose, open_run, store_here, tell, tell_unread
from hpcprov.merge import whole
from hpcprov.record import moment
from hpcprov.record.errors import AmbiguousRun, HpcprovError, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov import-darshan /logs/2026/11/21/ada_solve_id4711-88_11-21-33000-1_2.darshan"
MOST_CANDIDATES = 12
AROUND = 2 * darshan.CLOCKS  # s: what the catalog is asked for is looked at more closely


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov import-darshan`."""
    parser.add_argument("log", metavar="LOG", nargs="+", help="a file that Darshan wrote")
    parser.add_argument("--run", metavar="RUN", help="the run, where several could be meant")
    parser.add_argument("--force", action="store_true", help="attach a log of another job, user or time (with --run)")


def run(args: argparse.Namespace) -> int:
    """Attach the logs, each to its run."""
    if args.force and args.run is None:
        raise HpcprovError("--force needs --run RUN", hint="hpcprov import-darshan --help")
    contents = [darshan.read(path) for path in args.log]
    store = store_here()
    for content in contents:
        chosen = choose(store, args.run) if args.run is not None else run_of(store, content)
        print(line_of(attach(store, chosen, content, force=args.force), content))
    return 0


def run_of(store: Store, content: dict[str, Any]) -> Run:
    """The only finished run that a log can be of. Raises NoSuchRun, AmbiguousRun."""
    found = [one for one in _candidates(store, content) if not darshan.differences(one.record, content)]
    # The steps of a job may overlap: the program tells them apart.
    named = [one for one in found if darshan.is_program_of(one.record, content["command"])]
    found = named or found
    if len(found) == 1:
        return found[0]
    log = printable(content["log"])
    if not found:
        what = f"job {content['job_id']} of the user with id {content['uid']}"
        raise NoSuchRun(f"no run here is what {log} is of: {what}", hint="--run RUN says why one is not")
    names = "\n".join(["one of:", *(one.id for one in found[:MOST_CANDIDATES])])
    raise AmbiguousRun(f"{log} may be of {len(found)} runs: say --run RUN", hint=names)


def _candidates(store: Store, content: dict[str, Any]) -> Iterator[Run]:
    """The finished runs of the log's user that went on when it begins."""
    first, last = (max(0, content["start"] + margin) * moment.SECOND for margin in (-AROUND, AROUND))
    if last > LARGEST or abs(content["uid"]) > LARGEST:
        return
    with open_catalog([store.root], tell=tell) as catalog:
        tell_unread(catalog.problems)
        asked = "SELECT place FROM runs WHERE uid = ? AND began <= ? AND ended >= ? ORDER BY place DESC"
        found = catalog.select(asked, (content["uid"], moment.iso(last), moment.iso(first)))
        places = [place for _, (place,) in found]
    for place in places:
        try:
            run = open_run(store, os.path.join(store.root, place))
        except (HpcprovError, OSError):
            continue  # it was there, and is gone or damaged since
        if is_finished(run):
            yield run


def is_finished(one: Run) -> bool:
    """Has the run a sealed record, and processes of its own? A job's or workflow's are those of its parts."""
    return "seal" in one.record and one.record["run"]["kind"] == whole.COMMAND


def attach(store: Store, chosen: Run, content: dict[str, Any], *, force: bool) -> Run:
    """The run with the log. Raises HpcprovError where the log is not of the run, and `force` is not given."""
    if "seal" not in chosen.record:
        raise HpcprovError(f"{chosen.id} has no record yet: it goes on, or `hpcprov settle` finishes it")
    reasons = darshan.differences(chosen.record, content)
    if reasons and not force:
        hint = "--force attaches it all the same"
        raise HpcprovError(f"{content['log']} is not of {chosen.id}: {'; '.join(reasons)}", hint=hint)
    entry = content | ({"differences": reasons} if reasons else {})
    return Run(chosen.directory, darshan.attach(store, chosen.directory, chosen.record, [entry]))


def attach_found(store: Store, one: Run) -> list[str]:
    """Attach the logs that the run's environment leads to, as far as they are of it; a line for each."""
    lines = []
    for path in darshan_found.logs(one.record):
        try:
            content = darshan.read(path)
            if darshan.differences(one.record, content):
                continue
            one = attach(store, one, content, force=False)
            lines.append(line_of(one, content))
        except (HpcprovError, OSError) as error:
            tell(f"{path} was left: {error}")
    return lines


def line_of(one: Run, content: dict[str, Any]) -> str:
    """What was attached to which run, and what the log itself misses."""
    files = len(content["files"])
    missing = [
        f"{number} {what}" for what, number in (("without a name", content["unnamed"]), ("more", content["left_out"]))
        if number
    ]  # fmt: skip
    missing += [f"{module} incomplete" for module in content["partial"]]
    more = f" ({', '.join(missing)})" if missing else ""
    name = os.path.basename(content["log"])
    counted = "1 file" if files == 1 else f"{files} files"
    return f"{printable(one.id)}: {printable(name)}, {counted}{printable(more)}, revision {one.record['revision']}"
