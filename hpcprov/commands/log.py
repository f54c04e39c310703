"""Print the commands of runs again as a shell script, or what they printed.

The script has each run's working directory, umask and allow-listed environment; several runs come in order of time.
Of a batch job, all of its runs.
With --output: the captured output (`exec --capture-output`) of all ranks, each line with its time, rank and stream.
"""

from __future__ import annotations

import argparse
import os
import sys

from hpcprov.commands import output, script
from hpcprov.commands.choose import Run, add_run, choose, open_run, store_here, tell
from hpcprov.merge import find
from hpcprov.merge.seal import verify_seal
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov log last > again.sh && sh again.sh"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov log`."""
    add_run(parser, several=True)
    parser.add_argument("--output", action="store_true", help="print what the ranks printed instead")


def run(args: argparse.Namespace) -> int:
    """Print one script, or the outputs, of all runs given."""
    from hpcprov.attest.intact import dropped_output

    store = store_here()
    found = {run.id: run for text in args.run for run in commands_of(store, choose(store, text))}
    runs = sorted(found.values(), key=lambda run: (run.record["run"]["start"] or "", run.id))
    if not args.output:
        for run in runs:
            if "seal" in run.record and not verify_seal(run.record):
                tell(f"warning: the record of {run.id} was changed since it was sealed")
        sys.stdout.buffer.write(os.fsencode(script.script([run.record for run in runs])))
        return 0
    for run in runs:
        if not run.record["output"]["files"]:
            raise HpcprovError(
                f"the output of {run.id} was not captured", hint="hpcprov exec --capture-output -- COMMAND keeps it"
            )
        for text in dropped_output(run.directory, run.record) if "seal" in run.record else ():
            tell(f"{run.id}: {text}")
        for line in output.lines(run.directory):
            print(line)
    return 0


def commands_of(store: Store, run: Run) -> list[Run]:
    """The run itself; of a batch job, which has no command of its own, its parts as far as they have a record."""
    if run.record["run"]["kind"] != "job":
        return [run]
    parts = [part["run"] for part in run.record["parts"]]
    found = [place for part in parts if (place := find.find_record(store, part)) is not None]
    if not found:
        raise HpcprovError(f"job {run.id} has no finished run", hint=f"hpcprov show {run.id} tells which it has")
    return [open_run(store, place) for place in found]
