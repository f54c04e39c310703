"""Take runs that were recorded elsewhere into this directory's store.

PACKAGE is a record bundle or an RO-Crate, as a ZIP file or as a directory; a copy of a store's directory, or of one
record's, will do too. Records come with their logs and signatures, byte for byte, and are listed with all others;
`show` says where they are from. Data in a package stays there. Nothing is overwritten: a record that is here already
stays.

A record whose seal does not fit, or whose logs are not those that were sealed, is refused; --anyway takes it, marked.
Of an RO-Crate that another tool made, its actions become records of what the crate says, and no more.
"""

from __future__ import annotations

import argparse
import json
import os
import time

from hpcprov.commands.choose import tell
from hpcprov.commands.ending import tidy
from hpcprov.record import layout, moment
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.export.arrivals import Arrival
    from hpcprov.export.package import Package
    from hpcprov.record.layout import Store

EXAMPLE = "hpcprov import ~/Downloads/figure3.crate.zip"

MOST_NOTES = 3


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov import`."""
    parser.add_argument("package", metavar="PACKAGE", help="a ZIP file or a directory")
    parser.add_argument("--into", metavar="DIR", help="the directory whose .hpcprov gets the runs (default: this one)")
    parser.add_argument("--anyway", action="store_true", help="also records that have been changed; they are marked")
    parser.add_argument("--dry-run", action="store_true", help="only say what is in the package")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each run")


def run(args: argparse.Namespace) -> int:
    """Check what a package brings, and take it; 1 when something of it was not taken."""
    from hpcprov.export.intake import clear_stale
    from hpcprov.export.package import open_package

    store = _store(args.into)
    results = []
    with tidy(), open_package(args.package) as package:
        clear_stale(store)
        for arrival in _arriving(package):
            results.append(_handled(store, package, arrival, args))
            if not args.json:
                print("\n".join(lines(results[-1])), flush=True)
    if args.json:
        print(json.dumps(results, indent=2))
    elif not args.dry_run and any(one["outcome"] == "imported" for one in results):
        tell(f"imported into {store.root}")
    return 1 if any(one["outcome"] == "refused" for one in results) else 0


def lines(result: dict[str, Any]) -> Iterator[str]:
    """What came of one run, as text."""
    name = f"  {printable(result['name'])}" if result["name"] else ""
    yield f"{result['outcome']:<9}  {printable(result['run'])}{name}"
    for text in [*result["doubts"], *result["notes"][:MOST_NOTES], *([result["reason"]] if result["reason"] else [])]:
        yield f"  {printable(text)}"
    if len(result["notes"]) > MOST_NOTES:
        yield f"  ... and {len(result['notes']) - MOST_NOTES} more notes"


def _store(into: str | None) -> Store:
    if into is None:
        return layout.new_store(os.environ, os.getcwd())
    if not os.path.isdir(into):
        raise HpcprovError(f"{into!a} is not a directory", hint="--into names one; its .hpcprov is made if need be")
    own = os.path.basename(os.path.abspath(into)) == layout.STORE
    return layout.Store(into if own else os.path.join(into, layout.STORE))


def _arriving(package: Package) -> Iterator[Arrival]:
    """The runs of a package: its records, else what an RO-Crate says."""
    from hpcprov.export.arrivals import Arrival, arrivals
    from hpcprov.export.foreign import foreign, is_crate
    from hpcprov.export.package import BadPackage

    known = False
    for arrival in arrivals(package):
        known = True
        yield arrival
    if known:
        return
    if not is_crate(package):
        hint = "it reads record bundles, copies of records, and RO-Crates (ro-crate-metadata.json)"
        raise BadPackage(f"{package.path!a} holds neither a record nor an RO-Crate", hint=hint)
    for record in foreign(package):
        known = True
        yield Arrival(record["run"]["id"], record, {})
    if not known:
        raise BadPackage(f"{package.path!a} is an RO-Crate that tells of no run: it has no CreateAction")


def _handled(store: Store, package: Package, arrival: Arrival, args: argparse.Namespace) -> dict[str, Any]:
    about = {"run": arrival.id, "name": arrival.record and arrival.record["run"]["name"], "directory": None}
    about |= {"doubts": arrival.doubts, "notes": arrival.notes, "reason": arrival.refused}
    if arrival.refused is not None:
        return {"outcome": "refused"} | about
    if arrival.doubts and not args.anyway:
        return {"outcome": "refused"} | about | {"reason": "--anyway takes it all the same, and marks it"}
    try:
        return _taken(store, package, arrival, args, about)
    except HpcprovError as error:
        hint = f"; {error.hint}" if error.hint else ""
        return {"outcome": "refused"} | about | {"reason": error.message + hint}


def _taken(
    store: Store, package: Package, arrival: Arrival, args: argparse.Namespace, about: dict[str, Any]
) -> dict[str, Any]:
    from hpcprov.export.intake import standing, take

    if standing(store, arrival) == "same":
        return {"outcome": "is here"} | about
    if args.dry_run:
        return {"outcome": "new"} | about
    return {"outcome": "imported"} | about | {"directory": take(store, package, arrival, _origin(package))}


def _origin(package: Package) -> dict[str, Any]:
    """Where a run is from, for the note beside its record."""
    from hpcprov.capture.user import user_name

    name = os.path.basename(os.path.abspath(package.path))
    now = moment.iso(time.time_ns())
    return {"from": name, "sha256": package.digest, "time": now, "user": user_name(os.getuid())}
