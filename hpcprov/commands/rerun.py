"""Run a recorded command again, and say whether it makes the same.

Inputs, programs, code, modules, packages and image are checked first; when something is not as it was the rerun is
refused, with the list, unless --anyway. It runs in a fresh directory beside the original one (or --in DIR): inputs are
linked into it, and the original's outputs are not touched. Of a job or workflow, its runs are run again in order, in
one directory. Everything that a run is told is recorded again; its record says whose rerun it is.

The exit status is 0 when every output is reproduced, bit for bit or within --rtol and --atol, 1 when one is not, and 2
when it was refused or could not be run.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.commands import rerun_page
from hpcprov.commands.choose import Run, add_run, choose, parts_of, store_here
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import tolerance
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov rerun last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov rerun`."""
    add_run(parser)
    parser.add_argument(
        "--in", dest="place", metavar="DIR", help="run it there (default: a new directory beside its own)"
    )
    parser.add_argument("--container", action="store_true", help="in the recorded image, by apptainer")
    parser.add_argument("--anyway", action="store_true", help="even when something differs from what was recorded")
    parser.add_argument("--check", action="store_true", help="only say what differs, and run nothing")
    parser.add_argument("--script", action="store_true", help="print a shell script that does it instead")
    parser.add_argument(
        "--rtol", metavar="R", type=tolerance, default=0.0, help="|new - old| <= A + R * |old| is equal"
    )
    parser.add_argument("--atol", metavar="A", type=tolerance, default=0.0, help="see --rtol (both default to 0)")
    parser.add_argument(
        "--json", action="store_true", help="print one JSON list; what the runs print goes to standard error"
    )


def run(args: argparse.Namespace) -> int:
    """Run it again; the exit status."""
    store = store_here()
    found = choose(store, args.run)
    runs = runs_of(store, found)
    if args.script:
        from hpcprov.commands.script import script

        sys.stdout.buffer.write(os.fsencode(script([one.record for one in runs])))
        return 0
    from hpcprov.commands.rerun_session import Session

    with tidy(), Session(store, args) as session:
        results = session.all(found, runs)
    return finish(results, args)


def runs_of(store: Store, found: Run) -> list[Run]:
    """The run itself; of a job or workflow its runs in order of time, those within another one of them left out."""
    if found.record["run"]["kind"] == "command":
        return [found]
    parts = list(parts_of(store, found.record))
    inner = {part.id for part in parts if (part.record["run"]["parent"] or {}).get("run") in {one.id for one in parts}}
    runs = [part for part in parts if part.id not in inner and part.record["run"]["kind"] == "command"]
    if not runs:
        raise HpcprovError(f"{found.id} has no run with a record that could be run again")
    return sorted(runs, key=lambda one: (one.record["run"]["start"] or "", one.id))


def finish(results: list[dict[str, Any]], args: argparse.Namespace) -> int:
    """Print what came of all, and the exit status."""
    if args.json:
        print(json.dumps(results, indent=1))
    elif len(results) > 1 and not args.check and results[0]["again"]:
        print("\n".join(rerun_page.summary(results)))
    return max(int(result["exit"]) for result in results)
