"""List the fields of data: what each is, how it was made, from what, by whom.

A definition is what a program said with hpcprov.define, what somebody wrote with `hpcprov define`, or what the file's
own attributes say (it may have travelled without its records); where nobody said anything, the step, rule or command
that made the data. Behind it stands its context, in brackets the data that it was evaluated on, with the beginning of
its signature.

PATH may name one field: out.zarr/ocean/temperature. What no record knows by its path is found by its values, which are
read for that. --follow goes on with what each field was made from, from one
dataset to the next, back to the raw input, which no run has made.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.commands.roots import add_roots, catalog_of
from hpcprov.record.errors import HpcprovError, NoStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.query import Catalog
    from hpcprov.commands.field_chain import Node
    from hpcprov.quality.isolated import Comparing

EXAMPLE = "hpcprov fields out.zarr --follow"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov fields`."""
    parser.add_argument("path", metavar="PATH", help="a file or store, or one field of it: PATH/FIELD")
    parser.add_argument("--follow", action="store_true", help="go on with what each was made from")
    parser.add_argument("--depth", metavar="N", type=_number, help="follow no further than N definitions")
    add_roots(parser)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def run(args: argparse.Namespace) -> int:
    """Print the fields and their definitions."""
    from hpcprov.commands.bar import Bar
    from hpcprov.commands.ending import tidy
    from hpcprov.commands.reading import comparer, known_places
    from hpcprov.data.origin import split

    path, field = split(os.path.abspath(args.path))
    depth = args.depth if args.follow or args.depth is not None else 0
    catalog = _catalog(args)
    try:
        with tidy(), comparer(known_places() | {"tiles_dir": None}, Bar()) as reading:
            nodes, notes = _found(catalog, reading, path, field, depth)
            notes += _asked(catalog, nodes)
    finally:
        if catalog is not None:
            catalog.close()
    sys.stdout.writelines(f"{line}\n" for line in _written(args, nodes, notes, follows=depth != 0))
    return 0


def _catalog(args: argparse.Namespace) -> Catalog | None:
    """None where there is no store: the file itself may tell."""
    try:
        return catalog_of(args.root, near=[os.path.abspath(args.path)])
    except NoStore:
        if args.root:
            raise
        return None


def _found(
    catalog: Catalog | None, reading: Comparing, path: str, field: str, depth: int | None
) -> tuple[list[Node], list[str]]:
    from hpcprov.commands.field_chain import Chain
    from hpcprov.commands.field_sources import Sources

    problems: list[HpcprovError] = []

    def glance(place: str) -> dict[str, Any] | None:
        try:
            return reading.glance(place)
        except HpcprovError as error:
            problems.extend([error] if place == path else [])
            return None

    def sign(place: str) -> str | None:
        found = reading.describe(place).result["signature"]
        return None if found is None else str(found["digest"])

    sources = Sources(catalog, glance, sign)
    try:
        nodes = Chain(sources, depth=depth).fields(path, field or None)
    except HpcprovError as error:
        if not problems:
            raise
        raise HpcprovError(f"{path!a}: {problems[0].message}") from error
    what = "as a whole" if [node["field"] for node in nodes] == [""] else "as it was recorded"
    notes = [f"{path} {what}: {problem.message}" for problem in problems]
    return nodes, [*notes, *sources.notes]


def _asked(catalog: Catalog | None, nodes: list[Node]) -> list[str]:
    """Where nothing is known: what was asked."""
    from hpcprov.commands.field_chain import NO_RECORD

    if any(node["raw"] != NO_RECORD for node in nodes):
        return []
    records = (
        f"the records in {', '.join(catalog.roots)}" if catalog is not None else "no records: there are none near it"
    )
    return [f"asked were its own attributes and {records}"]


def _written(args: argparse.Namespace, nodes: list[Node], notes: list[str], *, follows: bool) -> list[str]:
    if args.json:
        return [json.dumps({"path": os.path.abspath(args.path), "fields": nodes, "notes": notes}, indent=1)]
    from hpcprov.commands.fields_page import render
    from hpcprov.commands.screen import screen

    return render(nodes, screen(os.environ), os.getcwd(), notes, follows=follows)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)
