"""Say how two runs, or the data that they made, differ: causes first, then outputs.

A and B are runs (an id or the beginning of one, `last`, a batch job's id), or paths or digests of data, which stand for
the runs that made them. Causes come in the order in which one looks for them: code, arguments, environment, modules,
image, programs, libraries, Python packages, node types, ranks, inputs; then outputs down to the first fields and cells.
A program or an input that differs is followed to the runs that made it.

The exit status is 0 when nothing differs, 1 when something does, and 2 when they cannot be compared.
"""

from __future__ import annotations

import argparse
import json

from hpcprov.catalog.causes.upstream import DEPTH
from hpcprov.commands import why_page
from hpcprov.commands.choose import HELP
from hpcprov.commands.roots import add_roots, catalog_of
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.query import Catalog

EXAMPLE = "hpcprov why 20261121T093000Z last"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov why`."""
    parser.add_argument("first", metavar="A", help=f"a path, a digest, or {HELP}")
    parser.add_argument("second", metavar="B", help="the same")
    parser.add_argument(
        "--depth", metavar="N", type=int, default=DEPTH, help=f"follow at most N runs upwards (default: {DEPTH})"
    )
    parser.add_argument("--records-only", action="store_true", help="read no data, only what was recorded")
    add_roots(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Compare two runs; the exit status."""
    with catalog_of(args.root, near=[args.first, args.second]) as catalog:
        found = compare(catalog, args)
    print(json.dumps(found, indent=1) if args.json else "\n".join(why_page.render(found)))
    return 0 if found["same"] else 1


def compare(catalog: Catalog, args: argparse.Namespace) -> dict[str, Any]:
    """All that is known of how A and B differ."""
    from hpcprov.commands.why_found import Looking, side

    one, other = side(catalog, args.first), side(catalog, args.second)
    if one.run == other.run:
        hint = "name two runs; `hpcprov diff` compares any data"
        raise HpcprovError(f"{args.first!a} and {args.second!a} are of one run: {one.run}", hint=hint)
    return Looking(catalog, depth=args.depth, reads=not args.records_only).compare(one, other)
