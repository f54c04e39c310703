"""Find runs by what they used, made and ran with.

WHAT is a digest or the beginning of one (a signature, a field's signature, a storage digest or an image's), else a path
or a glob: relative ones begin in the working directory, a directory stands for all below it, and `*` goes over `/`,
too. Options are joined by `and`; one that is given several times, by `or`, but --tag. Exit status 1: nothing found.
"""

from __future__ import annotations

import argparse
import os
import sys
from itertools import chain

from hpcprov.commands import screen as sight
from hpcprov.commands.roots import add_roots, catalog_of
from hpcprov.commands.runs import KINDS, NEWEST, Forged, limit, looked_at, marked, moment, print_json, searched, table
from hpcprov.merge.status import STATES
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.found import Match, RunRow
    from hpcprov.catalog.query import Catalog

EXAMPLE = "hpcprov find out.zarr --module netcdf --since 30d"

ROOM = 50  # characters from which on a digest fits beside a path
# Option, what it takes, and what it looks for. The catalog's filters have these names.
REPEATED = (
    ("image", "IMAGE", "runs in this container: a digest or its beginning, a path, a name, or a label KEY=VALUE"),
    ("module", "NAME", "runs with this environment module: NAME or NAME/VERSION, or a glob"),
    ("commit", "COMMIT", "runs of this git commit, or the beginning of one"),
    ("package", "NAME[==VERSION]", "runs with this Python package installed"),
    ("library", "LIBRARY", "runs that loaded this library: a path or a file's name, or a glob"),
    ("user", "USER", "runs of this user: a name or number"),
    ("node", "NODE", "runs on this node, or a glob"),
    ("name", "GLOB", "runs whose name fits this pattern"),
)


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov find`."""
    parser.add_argument("what", metavar="WHAT", nargs="*", help="digests, any of them, and paths or globs, any of them")
    parser.add_argument(
        "--digest", metavar="DIGEST", action="append", default=[], help="as WHAT, never taken for a path"
    )
    parser.add_argument("--path", metavar="PATH", action="append", default=[], help="as WHAT, never taken for a digest")
    parser.add_argument("--used", action="store_true", help="runs that used it")
    parser.add_argument("--generated", action="store_true", help="runs that made it")
    for name, form, text in REPEATED:
        parser.add_argument(f"--{name}", metavar=form, action="append", default=[], help=text)
    parser.add_argument(
        "--tag", metavar="K[=V]", action="append", default=[], help="runs with this tag; with all of them"
    )
    parser.add_argument(
        "--status", choices=STATES, action="append", default=[], metavar="STATUS", help=", ".join(STATES)
    )
    parser.add_argument("--kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument("--job", metavar="JOB", help="a batch job and its steps; JOB_TASK of an array")
    parser.add_argument("--since", metavar="TIME", type=moment, help="a date, or an age: 90min, 6h, 2d, 1w")
    parser.add_argument("--until", metavar="TIME", type=moment, help="likewise; a date means its beginning")
    parser.add_argument(
        "--limit", metavar="N", type=limit, help=f"at most N runs; default on a terminal: {NEWEST}, elsewhere all"
    )
    parser.add_argument("--json", action="store_true", help="a JSON list: runs, each with what of it fits (`matches`)")
    add_roots(parser)


def run(args: argparse.Namespace) -> int:
    """Print the runs that were looked for, and where in them the digest or path is."""
    filters, screen = filters_of(args), sight.screen(os.environ)
    if not filters.keys() - {"used", "generated"}:
        raise HpcprovError("nothing to look for", hint="a digest, a path or an option; `hpcprov runs` lists all runs")
    most = args.limit or (None if args.json or not sys.stdout.isatty() else NEWEST)
    with catalog_of(args.root, near=[*args.what, *args.path]) as catalog:
        found, forged = looked_at(catalog, most, filters), Forged()
        first = next(found, None)
        if first is None:
            return nothing(catalog, filters, json=args.json)
        rows = forged.seen(chain([first], found))
        pairs = ((row, list(_matches(catalog, row, filters))) for row in rows)
        if args.json:
            print_json(
                row.summary | {"store": row.root, "matches": [one.as_json() for one in fit]} for row, fit in pairs
            )
        else:
            print("\n".join(_lines(list(pairs), screen, several=len(catalog.roots) > 1)))
        more = catalog.count(**filters) - most if most is not None and not args.limit else 0
    if more > 0:
        print(screen.paint(f"... and {sight.count(more, 'earlier run')}: --limit N", "dim"))
    forged.tell()
    return 0


def filters_of(args: argparse.Namespace) -> dict[str, Any]:
    """The catalog's filters, from the command's options."""
    digests = [word for word in args.what if is_digest(word)] + args.digest
    names = [word for word in args.what if word not in digests] + args.path
    paths = [path for name in names for path in places(name)]
    filters = {name: getattr(args, name) for name, _, _ in REPEATED}
    filters |= {"tag": args.tag, "status": args.status, "type": args.kind, "job": args.job}
    filters |= {"since": args.since, "until": args.until, "digest": digests, "path": paths}
    filters |= {"used": args.used, "generated": args.generated}
    return {name: value for name, value in filters.items() if value not in (None, [], False)}


def is_digest(word: str) -> bool:
    """Does a word name a digest? What could also be a file's name does when there is no such file."""
    from hpcprov.catalog.patterns import DIGEST, FEWEST

    match = DIGEST.fullmatch(word)
    return match is not None and len(match["hex"]) >= FEWEST and not os.path.lexists(word)


def places(word: str) -> list[str]:
    """A path or glob as records have it: absolute, as it was given and with its links followed. `[` in the name of a
    file that is there is meant as it stands."""
    from glob import escape

    found = dict.fromkeys((os.path.abspath(word), os.path.realpath(word)))
    return [escape(path) if "[" in path and os.path.lexists(word) else path for path in found]


def nothing(catalog: Catalog, filters: dict[str, Any], *, json: bool) -> int:
    """Say what was searched."""
    print(f"hpcprov find: nothing found among {searched(catalog, filters)}", file=sys.stderr)
    name = os.path.basename(filters["path"][0]) if filters.get("path") else ""
    if name and not filters["path"][0].startswith("/*"):
        print(f"  in any directory: hpcprov find {sight.words([f'/*/{printable(name)}'])}", file=sys.stderr)
    if json:
        print("[]")
    return 1


def _matches(catalog: Catalog, row: RunRow, filters: dict[str, Any]) -> Iterator[Match]:
    """What of a run fits, once; a field is not told of where the artifact that it is in fits by itself."""
    told: set[tuple[str, str, str | None]] = set()
    for one in catalog.matches(row, **filters):
        if not told & {(one.role, one.path, one.field), (one.role, one.path, None)}:
            told.add((one.role, one.path, one.field))
            yield one


def _lines(pairs: list[tuple[RunRow, list[Match]]], screen: sight.Screen, *, several: bool) -> Iterator[str]:
    """The table of `hpcprov runs`; below each run what of it fits, and its store when several were searched."""
    head, *rows = table([marked(row.summary, row.sealed is False) for row, _ in pairs], screen)
    yield head
    for line, (row, fit) in zip(rows, pairs, strict=True):
        yield line
        for one in fit:
            yield "    " + screen.paint(_fits(one, max(screen.width - 4, 8)), "dim")
        if several:
            yield "    " + screen.paint(sight.cut(f"in {row.root}", max(screen.width - 4, 8)), "dim")


def _fits(one: Match, width: int) -> str:
    """`used /scratch/out.zarr, field u  hpcprov1:cce8105d3f23`: the end of a path that is too long is what tells."""
    digest = one.signature or one.storage or ""
    end = f"  {digest[: digest.find(':') + 13]}" if digest and width >= ROOM else ""
    path = printable(one.path + (f", field {one.field}" if one.field else ""))
    room = width - len(one.role) - 1 - len(end)
    path = path if len(path) <= room else f"…{path[-max(room - 1, 1) :]}"
    return f"{one.role} {path}{end}"
