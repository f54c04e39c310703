"""Print the commands of runs again as a shell script, or what they printed.

The script has each run's working directory, umask and allow-listed environment; several runs come in order of time.
With --output: the captured output (`exec --capture-output`) of all ranks, each line with its time, rank and stream.
"""

from __future__ import annotations

import argparse
import os
import sys

from hpcprov.commands import output, script
from hpcprov.commands.choose import add_run, choose, store_here, tell
from hpcprov.merge.seal import verify_seal
from hpcprov.record.errors import HpcprovError

EXAMPLE = "hpcprov log last > again.sh && sh again.sh"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov log`."""
    add_run(parser, several=True)
    parser.add_argument("--output", action="store_true", help="print what the ranks printed instead")


def run(args: argparse.Namespace) -> int:
    """Print one script, or the outputs, of all runs given."""
    store = store_here()
    found = {run.id: run for run in (choose(store, text) for text in args.run)}
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
        for line in output.lines(run.directory):
            print(line)
    return 0
