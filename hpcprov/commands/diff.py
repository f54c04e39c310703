"""Say what exactly differs between two datasets: which values, where, and by how much.

A and B are files or stores in any two formats: HDF5 and Zarr, CSV and Parquet, an npy file and a store of one array. A
is the one that counts as right. Of two directories the files of one name are compared. What is known of the data is
used first: fields with equal signatures are not read, and of the others only the tiles that differ.

Attributes, types, chunks and codecs are told apart from values, and do not count as a difference without --strict.
"""

from __future__ import annotations

import argparse
import json

from hpcprov.commands import diff_folders, diff_page, report_file
from hpcprov.commands.bar import Bar
from hpcprov.commands.choose import tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.outputs import check_not_read, swept
from hpcprov.commands.reading import comparer, known_places, thread_number, tolerance
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

EXAMPLE = """hpcprov diff old.h5 new.zarr
         hpcprov diff --rtol 1e-6 --ulp 4 --field 'ocean/*' a.nc b.nc
         hpcprov diff --field u=velocity_u a.h5 b.h5       (a field that has another name in B)

exit status: 0 equal, or within the tolerance; 1 different; 2 they cannot be compared, or not all of them; 130 Ctrl-C"""

SAME, DIFFERENT, UNREADABLE = 0, 1, 2
ROWS = ("auto", "number", "content")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov diff`."""
    parser.add_argument("one", metavar="A", help="a file or store: what is right")
    parser.add_argument("other", metavar="B", help="what is compared with it")
    parser.add_argument(
        "--field", metavar="NAME", action="append", default=[],
        help="only fields of this name or pattern; OLD=NEW compares two of different names; may be given several times",
    )  # fmt: skip
    parser.add_argument("--rtol", metavar="R", type=tolerance, default=0.0, help="take |b - a| <= R * |a| for equal")
    parser.add_argument("--atol", metavar="X", type=tolerance, default=0.0, help="take |b - a| <= X for equal")
    parser.add_argument(
        "--ulp", metavar="N", type=units, help="take floats at most N units in the last place apart for equal"
    )
    parser.add_argument("--nan-differs", action="store_true", help="NaN does not equal NaN")
    parser.add_argument("--strict", action="store_true", help="other types and attributes are differences, too")
    parser.add_argument(
        "--key", metavar="COL[,COL]", action="append", default=[],
        help="tables: rows with the same values in these columns belong together",
    )  # fmt: skip
    parser.add_argument(
        "--rows", choices=ROWS, default=ROWS[0],
        help="tables without a key: rows of the same number belong together, or of the same content (default: auto)",
    )  # fmt: skip
    parser.add_argument("--context", metavar="N", type=units, default=3, help="tables: rows around a change (3)")
    parser.add_argument(
        "--preserve",
        metavar="OUT",
        help="write both versions of what differs, and the differences: .zarr, .h5, .parquet",
    )
    parser.add_argument("--force", action="store_true", help="replace OUT and the page when they are there")
    parser.add_argument("--threads", metavar="N", type=thread_number, help="threads (default: the CPUs it may use)")
    parser.add_argument(
        "--no-cache", action="store_true", help="read and compare all values, whatever is known of them"
    )
    parser.add_argument("-o", "--output", metavar="PAGE", help="write a page with maps of the differences: diff.html")
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def units(text: str) -> int:
    """The value of `--ulp`."""
    if not (text.isascii() and text.isdigit() and len(text) < 19):
        raise argparse.ArgumentTypeError(f"{text!r} is not a whole number from 0 on")
    return int(text)


def run(args: argparse.Namespace) -> int:
    """Compare two datasets, or the files of two directories; the exit status."""
    check_not_read(args.output, args.one, args.other)
    if args.output is not None:
        from hpcprov.report.assets import environment

        environment()  # says what is not installed, before anything is read
    bar = Bar()
    settings = {"threads": args.threads} | ({} if args.no_cache else known_places())
    with swept(args.preserve) as pids, tidy(), comparer(settings, bar, copies=args.preserve is not None) as reading:
        options = _options(args)

        def compare(one: str, other: str) -> dict[str, Any]:
            bar.begin(other)
            reading.start()
            pids.extend([reading.child.pid] if reading.child is not None else [])
            try:
                return reading.diff(one, other, options)
            finally:
                bar.clear()

        if diff_folders.are_folders(args.one, args.other):
            return _folders(args, compare)
        found = compare(args.one, args.other)
    print(json.dumps(found, indent=1) if args.json else "\n".join(diff_page.render(found)), flush=True)
    if args.output is not None:
        _put(found, args)
    return exit_status(found, strict=args.strict)


def _folders(args: argparse.Namespace, compare: Callable[[str, str], dict[str, Any]]) -> int:
    """Each file as soon as it has been compared."""
    if args.output is not None or args.preserve is not None:
        raise HpcprovError("--output and --preserve are for two files or stores, not for directories")
    found, status = [], SAME
    for item in diff_folders.compare(args.one, args.other, compare):
        found.append(item)
        status = max(status, _status(item, strict=args.strict))
        if not args.json:
            print(diff_folders.heading(item), flush=True)
            if item["diff"] is not None and _status(item, strict=args.strict):
                print("\n".join(f"    {line}".rstrip() for line in diff_page.body(item["diff"])), flush=True)
    if args.json:
        print(json.dumps(found, indent=1))
    return status


def _status(item: dict[str, Any], *, strict: bool) -> int:
    if item["diff"] is None:
        return UNREADABLE if item["status"] == "unreadable" else DIFFERENT
    return exit_status(item["diff"], strict=strict)


def _put(found: dict[str, Any], args: argparse.Namespace) -> None:
    """Write the page."""
    from hpcprov.export import place
    from hpcprov.report.diff import page

    text = page(found, [*diff_page.unread(found), *diff_page.besides(found)], diff_page.notes(found), _asked(args))
    place.write(text, args.output, force=args.force or report_file.is_report(args.output))
    tell(f"written: {args.output}")


def _asked(args: argparse.Namespace) -> str:
    """The tolerance in words."""
    parts = [f"|B − A| ≤ {args.atol:g}"] if args.atol else []
    parts += [f"|B − A| ≤ {args.rtol:g} |A|"] if args.rtol else []
    parts += [f"{args.ulp:,} units in the last place"] if args.ulp is not None else []
    nan = "NaN does not equal NaN" if args.nan_differs else "NaN equals NaN"
    return f"{' or '.join(parts) or 'none: values must be equal'}; {nan}"


def exit_status(found: dict[str, Any], *, strict: bool) -> int:
    """What could not be read is neither equal nor different."""
    if differs(found, strict=strict):
        return DIFFERENT
    return UNREADABLE if found["status"] == "unproven" else SAME


def differs(found: dict[str, Any], *, strict: bool) -> bool:
    """Whether a report tells of a difference that counts."""
    besides = any(one["what"] != "storage" for one in found["structure"])
    return found["status"] == "different" or (strict and besides)


def _options(args: argparse.Namespace) -> dict[str, Any]:
    names = ("rtol", "atol", "ulp", "nan_differs", "rows", "context", "preserve", "force")
    key = [column for words in args.key for column in words.split(",")]
    return {name: getattr(args, name) for name in names} | {
        "fields": args.field,
        "key": key,
        "picture": args.output is not None,
    }
