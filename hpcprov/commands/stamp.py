"""Write into a dataset what run made it, so that it tells wherever it goes.

A line of the `history` attribute and an entry of `hpcprov_audit` are appended: run, moment, host, user, command and
the signatures of the values before and after; and to each field its definition. No value changes, and a crash leaves
the old file whole.

HDF5, NetCDF, Parquet and Zarr directories take a trail; of others (CSV, npy, npz) `hpcprov trail` tells from the
records. The run must have made PATH, and its values must still be those that the run left; --anyway stamps all the
same. `hpcprov exec --embed` does it when the run ends; `hpcprov trail` shows it.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import HELP, choose, store_here
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import comparer
from hpcprov.quality.trail.defined import attributes_of
from hpcprov.quality.trail.entries import PLACES, entry_of, has_place, used_by
from hpcprov.record.text import printable
from hpcprov.signature.isolated import Crashed, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.quality.isolated import Comparing
    from hpcprov.record.model import Record

EXAMPLE = """hpcprov stamp out.nc --run last --did 'flood depth, second calibration'

exit status: 0 each PATH was stamped, or was already; 1 one is not what the run made; 2 one could not be, wrong usage"""

#: What became of a path.
STAMPED, ALREADY, NOT_ITS, NO_PLACE, FAILED = "stamped", "already", "not of this run", "no place", "failed"
#: What formats without a place are called where their own names do not say it.
NAMES = dict.fromkeys(("zarr2", "zarr3"), "a Zarr store in a ZIP file")
NAMES |= {"file": "a plain file", "directory": "a plain directory", "csv": "CSV", "arrow": "Arrow"}
STATUS = {STAMPED: 0, ALREADY: 0, NOT_ITS: 1, NO_PLACE: 2, FAILED: 2}


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov stamp`."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, or a Zarr store that is a directory")
    parser.add_argument("--run", metavar="RUN", required=True, help=HELP)
    parser.add_argument("--did", metavar="TEXT", help="what the run did, in one line (default: as its record says)")
    parser.add_argument("--anyway", action="store_true", help="also what the run did not make, or has changed since")
    parser.add_argument("--break-links", action="store_true", help="a file with several hard links, too")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each PATH")


def run(args: argparse.Namespace) -> int:
    """Stamp every path; the worst that became of one."""
    store = store_here()
    record = choose(store, args.run).record
    bar = Bar()
    with tidy(), comparer({"cache_dir": store.cache, "tiles_dir": None}, bar, copies=True) as reading:
        found = []
        for path in args.paths:
            bar.begin(path)
            try:
                found.append(_stamped(reading, path, record, args))
            finally:
                bar.clear()
            if not args.json:
                _print(found[-1])
    if args.json:
        print(json.dumps(found, indent=2))
    return max(STATUS[one["status"]] for one in found)


def _stamped(reading: Comparing, path: str, record: Record, args: argparse.Namespace) -> dict[str, Any]:
    """What became of one path."""
    told: dict[str, Any] = {"path": path, "run": record["run"]["id"], "status": FAILED, "reason": None}
    facts = reading.describe(path).result
    if facts["state"] == "ok" and not has_place(facts):
        name = NAMES.get(facts["format"], facts["format"])
        return told | {"status": NO_PLACE, "reason": f"{name} takes no trail: {PLACES} do"}
    if facts["state"] != "ok" or facts["signature"] is None:
        return told | {"reason": facts["reason"] or facts["unsigned"]}
    signature = facts["signature"]["digest"]
    recorded, doubt = artifact_of(record, path, signature)
    if doubt is not None and not args.anyway:
        return told | {"status": NOT_ITS, "reason": doubt, "signature": signature}
    entry, fields = entry_of(record, recorded, did=args.did), attributes_of(record, recorded)
    options = {"recorded": recorded, "signature": signature, "fields": fields, "break_links": args.break_links}
    try:
        done = reading.stamp(path, entry, used_by(record), **options)
    except (Refused, Crashed) as error:
        return told | {"reason": error.message, "signature": signature}
    keys = ("status", "entries", "history", "format")
    return told | {key: done[key] for key in keys} | {"signature": signature}


def artifact_of(record: Record, path: str, signature: str) -> tuple[str, str | None]:
    """The path that a record has for what lies at `path`, and why it may not be the run's; data that was moved is known
    by its signature."""
    names = {os.path.abspath(path), os.path.realpath(path)}
    generated = record["artifacts"]["generated"]
    own = next((one for one in generated if one["path"] in names), None)
    same = next((one for one in generated if _signature(one) == signature), None)
    run_id = record["run"]["id"]
    if own is None and same is None:
        read = any(one["path"] in names for one in record["artifacts"]["used"])
        return os.path.realpath(path), f"the run {run_id} {'only read it' if read else 'did not make it'}"
    if own is not None and _signature(own) is not None and _signature(own) != signature:
        if same is None:
            return own["path"], f"its values are no longer those that the run {run_id} left"
        own = same
    return (own or same or {})["path"], None


def _signature(artifact: dict[str, Any]) -> str | None:
    found = (artifact["signature"] or {}).get("digest")
    return str(found) if found is not None else None


def _print(one: dict[str, Any]) -> None:
    name = printable(one["path"])
    if one["reason"] is not None:
        hints = {NOT_ITS: "--anyway stamps it all the same", NO_PLACE: f"hpcprov trail {name}: what the records have"}
        hint = f"\n  {hints[one['status']]}" if one["status"] in hints else ""
        print(f"hpcprov stamp: {name}: {printable(str(one['reason']))}{hint}", file=sys.stderr, flush=True)
        return
    number = "1 entry" if one["entries"] == 1 else f"{one['entries']} entries"
    word = "is stamped with this run already" if one["status"] == ALREADY else "stamped"
    full = "" if one["history"] or one["status"] == ALREADY else "; its history is full and was left as it is"
    print(f"{name}  {word}, {number}; values unchanged: {one['signature']}{full}", flush=True)
