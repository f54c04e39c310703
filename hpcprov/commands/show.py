"""Show one run on one screen: what, where, when, who, how it ended, inputs and outputs.

RUN is an id or the beginning of one, `last`, or a batch job's id, a step of it as JOB.STEP, a task of an array as
JOB_TASK. Of a run that is still going on, what is known now. --tree tells of the programs that a run executed: how
often, in which ranks, for how long, how they ended where that was not with 0, and which could not be looked into.
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.commands import page, tree, wholes
from hpcprov.commands import screen as sight
from hpcprov.commands.attested import sentences
from hpcprov.commands.choose import Run, add_run, choose, parts_of, store_here
from hpcprov.merge.read import log_names
from hpcprov.merge.seal import changed_logs, losses
from hpcprov.record import layout
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov show last"

LONGEST_ORIGIN = 1 << 20
MOST_DOUBTS = 8


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov show`."""
    add_run(parser)
    form = parser.add_mutually_exclusive_group()
    form.add_argument("--json", action="store_true", help="print the record itself, as JSON")
    form.add_argument("--tree", action="store_true", help="print the programs that it executed, as a tree")


def run(args: argparse.Namespace) -> int:
    """Print a run's page, or its record."""
    store = store_here()
    found = choose(store, args.run)
    found.record = wholes.explained(store, found.directory, found.record)
    if args.json:
        print(json.dumps(found.record, indent=1, sort_keys=True))
        return 0
    if args.tree:
        print("\n".join(programs(store, found)))
        return 0
    parts = {part.id: part.record for part in parts_of(store, found.record, page.MOST_RECORDS)}
    attested = sentences(found.record, found.directory)
    lines = page.render(found.record, found.directory, sight.screen(os.environ), notes(found), parts, attested)
    print("\n".join([lines[0], *origin(found.directory), *lines[1:]]))
    return 0


def programs(store: Store, found: Run) -> list[str]:
    """The tree of a run, of a job or workflow those of its runs."""
    screen = sight.screen(os.environ)
    if not found.record["parts"]:
        return tree.render(found.record, screen)
    lines: list[str] = []
    for part in parts_of(store, found.record, page.MOST_RECORDS):
        lines += [*([""] if lines else []), screen.paint(printable(part.id), "bold"), *tree.render(part.record, screen)]
    return lines or ["none of its runs has a record yet"]


def origin(directory: str) -> list[str]:
    """Where a record that was made elsewhere is from, and what the import doubted; nothing of one made here."""
    try:
        with open(os.path.join(directory, layout.IMPORTED), "rb") as file:
            known = json.loads(file.read(LONGEST_ORIGIN))
    except (OSError, ValueError, RecursionError):
        return []
    known = known if type(known) is dict else {}
    doubts = known["doubts"] if type(known.get("doubts")) is list else []
    told = f"imported from {known.get('from')} at {str(known.get('time'))[:19]} by {known.get('user')}"
    return [printable(told), *(printable(f"  doubted: {doubt}") for doubt in doubts[:MOST_DOUBTS])]


def notes(found: Run) -> list[str]:
    """What is wrong with the logs of a finished run, and what was dropped of them on purpose."""
    if "seal" not in found.record:
        return []
    from hpcprov.attest.intact import dropped_output

    try:
        names = log_names(found.directory)
        changed = changed_logs(found.record, found.directory, names)
        told = ["not checked, they are large"] if changed is None else [f"log {name} has CHANGED" for name in changed]
        gone = dropped_output(found.directory, found.record)
        return losses(found.record, found.directory, names) + told + gone
    except OSError as error:
        return [f"not checked: {error.strerror or error}"]
