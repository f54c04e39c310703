"""Check that data is what was recorded, and say which fields are not, and where.

TARGET is a path, which should be what the newest run that made it (else the newest that used it) has recorded, or a
run, whose inputs and outputs are all checked; of a job or workflow, those of its runs; with --upstream, TARGET and all
that led to it, as far as `hpcprov lineage` knows. Everything is read again, the records themselves and their logs as
well. With --attested-by, somebody in that list of signers (as ssh-keygen has it, ALLOWED SIGNERS) must have vouched for
the record: `hpcprov attest`. With FILE, constraints that were discovered or written, the values are held against these
instead: `hpcprov constraints`. The exit status is 0 when what could be checked is as it was, 1 when anything is
changed, missing, unreadable, not attested or violates a constraint, and 2 when there was nothing to check.
"""

from __future__ import annotations

import argparse
import json
import os
import tempfile

from hpcprov.commands import constraints_verify, expected, upstream, verify_record
from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import HELP, store_here, tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import reader, thread_number
from hpcprov.commands.verify_against import SIGNATURE, against, digest_of, digests
from hpcprov.commands.verify_page import lines, summary
from hpcprov.record import layout
from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import HpcprovError, NoSuchRun
from hpcprov.record.event import is_signature
from hpcprov.signature.isolated import UNSOUND

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, NoReturn

    from hpcprov.commands.expected import Expected
    from hpcprov.signature.isolated import Isolated

EXAMPLE = "hpcprov verify out.zarr"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov verify`."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help=f"a path, or {HELP}")
    parser.add_argument(
        "constraints", metavar="FILE", nargs="?", help="constraints (.json, .tdda) to hold TARGET against"
    )
    parser.add_argument("--all", action="store_true", help="everything that the runs of this store have generated")
    parser.add_argument("--storage", action="store_true", help="compare the bytes only")
    parser.add_argument("--against", metavar="DIGEST", help="blake3:... or hpcprov1:..., instead of what was recorded")
    parser.add_argument("--field", metavar="NAME", help="with --against: the field that has this signature")
    parser.add_argument("--cached", action="store_true", help="trust what is known of files that look untouched")
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each artifact")
    upstream.add_arguments(parser)
    verify_record.add_arguments(parser)


def run(args: argparse.Namespace) -> int:
    """Check each artifact; the exit status."""
    if args.constraints is not None:
        return constraints_verify.of_two(args)
    _check_usage(args)
    results: list[dict[str, Any]] = []
    with tidy(), tempfile.TemporaryDirectory(prefix="hpcprov-") as folder:
        bar = Bar()
        with reader({"threads": args.threads, "tiles_dir": folder, "durable": False}, bar) as reading:
            for verdict in _verdicts(args, _Reader(reading, bar, folder)):
                if not args.json:
                    print("\n".join(_told(verdict, results)), flush=True)
                results.append(verdict)
    if args.json:
        print(json.dumps(results, indent=2))
    elif len(artifacts := [verdict for verdict in results if verdict["role"] != "record"]) > 1:
        print(summary(artifacts))
    return _status(results)


def _told(verdict: dict[str, Any], before: list[dict[str, Any]]) -> list[str]:
    """A verdict as text; of what led to a target and is as it was, no more than that."""
    told = list(lines(verdict))
    short = verdict.get("generation") is not None and verdict["status"] == "OK"
    return [*upstream.heading(verdict, before[-1:]), *(told[:1] if short else told)]


def _check_usage(args: argparse.Namespace) -> None:
    def refuse(message: str) -> NoReturn:
        raise HpcprovError(message, hint="hpcprov verify --help")

    if bool(args.target) == args.all:
        refuse("give a TARGET or --all, not both" if args.all else "a TARGET is needed, or --all")
    if args.all and args.against is not None:
        refuse("--against compares one TARGET, not --all")
    values = args.against is not None and args.against.startswith(SIGNATURE)
    if args.field is not None and not values:
        refuse("--field goes with --against hpcprov1:..., the signature that the field should have")
    if args.storage and values:
        refuse("--storage compares bytes, and hpcprov1:... is a signature of values: use one of them")
    if args.upstream and (args.all or args.against is not None):
        refuse("--upstream goes with a TARGET, and compares with what was recorded")
    verify_record.check_usage(args)


class _Reader:
    """Reads artifacts in another process, which keeps tile digests in `tiles`, away from those that were recorded."""

    def __init__(self, reading: Isolated, bar: Bar, tiles: str) -> None:
        self.reading, self.bar, self.tiles = reading, bar, tiles

    def read(self, path: str, **settings: Any) -> dict[str, Any]:
        """The artifact's facts by now."""
        usual = {"cache_dir": None, "follow": False, "values": True, "same_as": None}
        self.reading.configure(**(usual | settings))
        self.bar.begin(path)
        try:
            found = self.reading.describe(path)
        finally:
            self.bar.clear()
        for text in found.told:
            tell(text)
        if found.result["signature"] is not None and not is_signature(found.result["signature"]):
            return BLANK | {"state": "unreadable", "reason": UNSOUND}
        return found.result


def _verdicts(args: argparse.Namespace, reads: _Reader) -> Iterator[dict[str, Any]]:
    if args.against is not None:
        yield against(args, reads.read)
        return
    found = _wanted(args)
    records = list(verify_record.verdicts(found, args))
    if not found and not records:
        _nothing(f"{args.target!a} has no inputs or outputs")
    yield from records
    for one in found:
        yield _checked(one, args, reads)


def _status(results: list[dict[str, Any]]) -> int:
    from hpcprov.signature.verify import BAD, OK

    found = {verdict["status"] for verdict in results}
    return 1 if found & {*BAD, *verify_record.BAD} else (0 if OK in found else 2)


def _wanted(args: argparse.Namespace) -> list[Expected]:
    """What is to be checked. Raises HpcprovError when nothing is known of the target."""
    if args.upstream:
        return upstream.chain(args.target)
    if args.all:
        store = store_here()
        return expected.of_all(store) or _nothing(f"no run in {store.root!a} has generated anything")
    named = os.path.lexists(args.target) or "/" in args.target
    subject = "no record knows"
    if not named:
        try:
            return expected.of_run(store_here(), args.target)
        except NoSuchRun:  # a file that is gone is a target, too
            subject = f"there is no run {args.target!a}, and no record knows"
    path = os.path.abspath(args.target)
    searched = expected.stores(os.environ, os.getcwd(), path)
    found = expected.of_path(searched, path)
    if not found:
        for root in expected.others_stores(os.environ, os.getcwd(), path):
            tell(f"not searched: {root}, which belongs to another user; {layout.TRUST}")
        places = ", ".join(store.root for store in searched) or "no .hpcprov of yours here, above, or above the path"
        hint = "`hpcprov verify PATH --against DIGEST` compares it with a digest that you have"
        raise HpcprovError(f"{subject} {path!a} (looked in: {places})", hint=hint)
    return found


def _nothing(reason: str) -> NoReturn:
    hint = "hpcprov exec --input PATH --output PATH -- COMMAND records them"
    raise HpcprovError(f"nothing to check: {reason}", hint=hint)


def _checked(one: Expected, args: argparse.Namespace, reads: _Reader) -> dict[str, Any]:
    from hpcprov.signature.verify import Tiles, compare

    recorded = one.facts | ({"signature": None} if args.storage else {})
    found = _found(one, recorded, args, reads)
    about = {"path": one.place, "recorded_path": one.recorded, "run": one.run, "role": one.role} | upstream.told(one)
    return about | compare(recorded, found, Tiles(one.store.tiles, reads.tiles).locate) | digests(recorded, found)


def _found(one: Expected, recorded: dict[str, Any], args: argparse.Namespace, reads: _Reader) -> dict[str, Any]:
    """What is there now; nothing is read when there is nothing to compare it with."""
    storage, signature = recorded.get("storage"), recorded.get("signature")
    if storage is None and signature is None:
        return BLANK
    follow = bool((signature or {}).get("followed"))
    return reads.read(
        one.place,
        cache_dir=one.store.cache if args.cached else None,
        values=signature is not None,
        same_as=None if follow else digest_of(storage),
        follow=follow,
    )
