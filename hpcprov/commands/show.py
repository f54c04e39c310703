"""Show one run on one screen: what, where, when, who, how it ended, inputs and outputs.

RUN is an id or the beginning of one, `last`, or a batch job's id. Of a run that is still going on, what is known now.
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.commands import page
from hpcprov.commands import screen as sight
from hpcprov.commands.choose import add_run, choose, store_here

EXAMPLE = "hpcprov show last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov show`."""
    add_run(parser)
    parser.add_argument("--json", action="store_true", help="print the record itself (docs/record.md)")


def run(args: argparse.Namespace) -> int:
    """Print a run's page, or its record."""
    found = choose(store_here(), args.run)
    if args.json:
        print(json.dumps(found.record, indent=1, sort_keys=True))
    else:
        print("\n".join(page.render(found.record, found.directory, sight.screen(os.environ))))
    return 0
