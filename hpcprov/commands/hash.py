"""Print the storage digest of files and stores, and the signature of each field in them.

The storage digest says "the same bytes" (for a file it equals `b3sum`), a signature says "the same values": whatever
the format, chunking, compression or byte order.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.commands import statistics_table
from hpcprov.commands.bar import Bar
from hpcprov.commands.reading import comparer, known_places, reader, thread_number
from hpcprov.commands.screen import extents, screen, size
from hpcprov.record.text import printable
from hpcprov.signature.launch import place_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.signature.isolated import Described, Isolated

UNREAD = 2

EXAMPLE = """hpcprov hash out.h5 out.zarr
         hpcprov hash --stats out.nc
         hpcprov hash --json --threads 4 data/ > digests.json
         mpiexec -n 4 hpcprov hash out.zarr       (srun -n 4 ... under Slurm: the ranks share the work)

exit status: 0 every PATH was read; 2 one could not be read, or wrong usage; 130 Ctrl-C"""

#: Columns grow no wider than that, whatever the longest name.
WIDEST = 40
#: Decoding chunks more than once is told from here on.
NOTABLE = 1.2
ALGORITHMS = ("sha256", "md5")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov hash`."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file, a directory or a Zarr store")
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each PATH")
    parser.add_argument(
        "--stats", action="store_true", help="count, too: extremes, means, missing and distinct values of each field"
    )
    parser.add_argument(
        "--threads", metavar="N", type=thread_number, help="threads of each process (default: the CPUs that it may use)"
    )
    parser.add_argument(
        "--algorithm",
        action="append",
        choices=ALGORITHMS,
        help="this digest of the bytes too, for archives that demand it; may be given several times",
    )
    parser.add_argument(
        "--follow",
        action="store_true",
        help="read values that lie in other files: HDF5's external links, external storage, virtual datasets",
    )
    parser.add_argument(
        "--no-cache", action="store_true", help="read everything now, also what the store says has not changed"
    )
    parser.add_argument(
        "--appended",
        action="store_true",
        help="only rows were added to a single file since it was last hashed: reuse its old tiles, and say so",
    )


def run(args: argparse.Namespace) -> int:
    """Hash every path; 2 when one of them could not be read."""
    place = place_of(os.environ)
    bar = Bar()
    with _reader(args, bar) as reading:
        if place.size == 1:
            return _alone(args, reading, bar)
        from hpcprov.commands import ranks
        from hpcprov.signature.mpi import agreed

        found, status = ranks.describe_all(place, reading, args.paths, threads=args.threads, bar=bar)
        if status:
            return status
        return agreed(_print_all(args, found) if found else 0)


def _reader(args: argparse.Namespace, bar: Bar) -> Isolated:
    settings = {"threads": args.threads, "follow": args.follow, "appended": args.appended}
    settings["algorithms"] = sorted(set(args.algorithm or ()), key=ALGORITHMS.index)
    settings |= known_places() | ({"cache_dir": None} if args.no_cache else {})
    return comparer(settings | {"statistics": True}, bar) if args.stats else reader(settings, bar)


def _alone(args: argparse.Namespace, reading: Isolated, bar: Bar) -> int:
    """Each path as soon as it is done."""
    states, found = [], []
    for path in args.paths:
        bar.begin(path)
        try:
            described = reading.describe(path)
        finally:
            bar.clear()
        states.append(described.result["state"])
        if args.json:
            found.append(_facts_of(path, described))
        else:
            print("\n".join(lines(_facts_of(path, described))), flush=True)
        _complain(path, described)
    if args.json:
        print(json.dumps(found, indent=2))
    return 0 if all(state == "ok" for state in states) else UNREAD


def _print_all(args: argparse.Namespace, found: list[Described]) -> int:
    results = [_facts_of(path, described) for path, described in zip(args.paths, found, strict=True)]
    if args.json:
        print(json.dumps(results, indent=2), flush=True)
    for result, described in zip(results, found, strict=True):
        if not args.json:
            print("\n".join(lines(result)), flush=True)
        _complain(result["path"], described)
    return 0 if all(result["state"] == "ok" for result in results) else UNREAD


def _facts_of(path: str, described: Described) -> dict[str, Any]:
    facts = {"path": path, **described.result}
    return facts if described.decoding < NOTABLE else {**facts, "decoding": round(described.decoding, 2)}


def _complain(path: str, described: Described) -> None:
    result = described.result
    if result["state"] != "ok":
        _tell(f"{named(path)}: {printable(str(result['reason']))}")
    for text in described.told:
        _tell(printable(text))


def _tell(text: str) -> None:
    print(f"hpcprov hash: {text}", file=sys.stderr, flush=True)


def named(path: str) -> str:
    """A path for people; an empty one must be seen."""
    return printable(path) or "'' (an empty name)"


def lines(result: dict[str, Any]) -> Iterator[str]:
    """A result as text: a heading, the two digests, one line for each field."""
    yield f"{named(result['path'])}  {', '.join(_facts(result))}"
    if result["storage"] is not None:
        yield f"  storage    {result['storage']['digest']}{_label(result['storage'])}"
        for name, digest in result["storage"].get("also", {}).items():
            yield f"  {name:<10} {printable(str(digest))}"
    if result["signature"] is not None:
        yield f"  signature  {result['signature']['digest']}{_label(result['signature'])}"
        yield from _field_lines(result["signature"]["fields"])
        if any("statistics" in field for field in result["signature"]["fields"]):
            yield from statistics_table.lines(result["signature"]["fields"], screen(os.environ))
        yield from _link_lines(result["signature"].get("links", []))
    elif result["unsigned"] is not None:
        yield f"  signature  none: {printable(result['unsigned'])}"

    if "decoding" in result:
        yield f"  chunks were decoded {result['decoding']:.1f} times on average, to keep within memory"


def _label(digest: dict[str, Any]) -> str:
    """How a digest was obtained, unless everything was read now."""
    return "" if digest.get("how") == "full" else f"  ({printable(str(digest.get('how')))})"


def _link_lines(links: list[dict[str, Any]]) -> Iterator[str]:
    for link in links:
        yield f"    {printable(str(link['path']))} -> {printable(str(link['target']))}"


def _facts(result: dict[str, Any]) -> Iterator[str]:
    if result["state"] != "ok":
        yield result["state"]
    if result["format"] is not None:
        yield result["format"]
    if result["files"] is not None:
        yield "1 file" if result["files"] == 1 else f"{result['files']} files"
    if result["size"] is not None:
        yield size(result["size"])


def _field_lines(fields: list[dict[str, Any]]) -> Iterator[str]:
    rows = [(printable(field["path"]) or "(the array)", printable(field["type"])) for field in fields]
    widths = [min(WIDEST, max((len(row[at]) for row in rows), default=0)) for at in (0, 1)]
    for field, (name, kind) in zip(fields, rows, strict=True):
        yield f"    {field['signature']}  {name:<{widths[0]}}  {kind:<{widths[1]}}  {extents(field['shape'])}"
