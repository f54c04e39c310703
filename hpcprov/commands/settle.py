"""Finish the record of a run that nobody finished.

A run is settled when its processes have ended, or when nothing was heard of it for 15 minutes; one that may still be
running is never settled. What was left with `--hash later`, or for want of time, is signed now.
"""

from __future__ import annotations

import argparse
import os

from hpcprov.commands import later
from hpcprov.commands.choose import HELP, choose
from hpcprov.merge import find
from hpcprov.merge.settle import settle_run, settle_stale
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov settle --all"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov settle`."""
    parser.add_argument("run", metavar="RUN", nargs="?", help=HELP)
    parser.add_argument("--all", action="store_true", help="every run that is over; signs nothing")
    parser.add_argument("--no-hash", action="store_true", help="sign nothing that was left unsigned")


def run(args: argparse.Namespace) -> int:
    """Settle one run or all."""
    if args.all == bool(args.run):
        raise HpcprovError("settle needs a RUN or --all" if not args.all else "settle takes a RUN or --all, not both")
    store = layout.find_store(os.environ, os.getcwd())
    return settle_all(store) if args.all else settle_one(store, args.run, hashing=not args.no_hash)


def settle_all(store: Store) -> int:
    """Settle what is over; say what was left and why."""
    settled = settle_stale(store)
    for outcome in settled:
        for record in outcome.records:
            print(f"settled {printable(os.path.basename(record))}")
        if outcome.reason is not None:
            print(f"left {printable(outcome.reason)}")
    if not settled:
        print("nothing to settle")
    return int(any(outcome.reason is not None and not outcome.running for outcome in settled))


def settle_one(store: Store, text: str, *, hashing: bool) -> int:
    """Settle one run and sign what was left of it."""
    name = text if text in find.run_ids(store) else choose(store, text).id
    done = []
    if name in find.run_ids(store):
        done = [f"settled {printable(os.path.basename(place))}" for place in settle_run(store, name)]
        print("".join(f"{line}\n" for line in done), end="", flush=True)
    record = find.find_record(store, name)
    signed = later.sign(store, record) if record is not None and hashing else []
    for path, state in signed:
        print(f"{printable(path)}: {printable(state)}")
    if not done and not signed:
        print("nothing left to do")
    return 0
