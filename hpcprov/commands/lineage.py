"""Show what led to data or to a run, and what came of it.

TARGET is a path, a path and a field in it (out.zarr/temperature), a digest or the beginning of one, or a run. Of data
its origins are shown, of a run both directions, unless --up or --down says which. Runs are joined by the signatures of
what they used and made, wherever that lay; else by equal bytes, by equal fields, by path and time, and then it says so.

A path stands for the newest version that was recorded there. --now signs what lies there by now and looks for the same
values, under any name.
"""

from __future__ import annotations

import argparse
import json
import os
import sys

from hpcprov.commands.choose import HELP
from hpcprov.commands.roots import add_roots, catalog_of
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

    from hpcprov.catalog.graph import Graph
    from hpcprov.catalog.lineage import Start
    from hpcprov.catalog.query import Catalog

EXAMPLE = "hpcprov lineage figures/map.png"

FORMATS = ("text", "json", "dot", "mermaid")
MOST = 10_000


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov lineage`."""
    parser.add_argument("target", metavar="TARGET", help=f"a path, PATH/FIELD, a digest, or {HELP}")
    parser.add_argument("--up", action="store_true", help="what led to it")
    parser.add_argument("--down", action="store_true", help="what came of it")
    parser.add_argument("--depth", metavar="N", type=_number, help="no further than N runs away")
    parser.add_argument("--limit", metavar="N", type=_number, default=MOST, help=f"at most N nodes (default: {MOST:,})")
    parser.add_argument("--now", action="store_true", help="sign what lies at the path now, and look for these values")
    parser.add_argument("--format", choices=FORMATS, default="text", metavar="FORM", help=", ".join(FORMATS))
    parser.add_argument("--json", action="store_const", const="json", dest="format", help="the same as --format json")
    add_roots(parser)


def run(args: argparse.Namespace) -> int:
    """Print the lineage of the target."""
    if args.limit == 0:
        raise HpcprovError("--limit 0 leaves no room for anything")
    with catalog_of(args.root, near=[args.target]) as catalog:
        start = _signed_now(catalog, args.target) if args.now else catalog.start(args.target)
        up, down = args.up, args.down
        if not up and not down:
            up, down = True, not start.versions
        graph = catalog.lineage(start, up=up, down=down, depth=args.depth, most=args.limit)
    here = _here(graph, args.target) if args.format == "text" else ""
    sys.stdout.writelines(_written(graph, args.format, here, up=up, down=down))
    return 0


def _here(graph: Graph, target: str) -> str:
    """The directory that paths are told from: the working directory, as it was called when the target was recorded; a
    moved store's is called otherwise now. Of a run that did not work below here, its own."""
    here = os.getcwd()
    if any(str(node.get("path")).startswith(f"{here}/") for node in graph.nodes.values()):
        return here
    for node in (graph.nodes[start] for start in graph.start):
        inner = os.path.relpath(target).removesuffix("/" + str(node.get("field") or "").strip("/"))
        if node["kind"] == "run":
            return str(node.get("cwd") or here)
        if not inner.startswith(os.pardir) and node["path"].endswith(f"/{inner}"):
            home = str(node["path"])[: -len(inner) - 1]
            graph.notes.append(f"recorded in {home}: paths are told from there")
            return home
    return here


def _written(graph: Graph, form: str, here: str, *, up: bool, down: bool) -> list[str]:
    if form == "json":
        return [json.dumps(graph.as_json(), indent=1), "\n"]
    if form == "text":
        from hpcprov.commands.lineage_page import render
        from hpcprov.commands.screen import screen

        return [f"{line}\n" for line in render(graph, screen(os.environ), here, up=up, down=down)]
    from importlib import import_module

    drawn: Callable[[Graph], str] = import_module(f"hpcprov.export.{form}").render
    return [drawn(graph)]


def _signed_now(catalog: Catalog, path: str) -> Start:
    """The start at what lies at a path now, whatever its name was when it was recorded."""
    from hpcprov.commands.bar import Bar
    from hpcprov.commands.ending import tidy
    from hpcprov.commands.reading import reader

    place = os.path.abspath(path)
    if not os.path.lexists(place):
        raise HpcprovError(
            f"there is nothing at {place!a} that could be signed", hint="without --now records are asked"
        )
    bar = Bar()
    with tidy(), reader({"durable": False}, bar) as reading:
        bar.begin(place)
        try:
            facts = reading.describe(place).result
        finally:
            bar.clear()
    signature, storage = facts["signature"], facts["storage"]
    fields = [field["signature"] for field in signature["fields"]] if signature is not None else []
    digests = [one["digest"] for one in (signature, storage) if one is not None]
    for digest in [*digests, *fields]:
        if catalog.versions(prefix=digest, limit=1):
            start = catalog.start(digest)
            if digest in fields:
                start.notes.append(f"only a field of what lies at {path} now is known: the whole is not")
            return start
    told = ", ".join(digests) or str(facts["reason"] or facts["state"])
    searched = f"looked in: {', '.join(catalog.roots)} ({catalog.count():,} runs)"
    raise HpcprovError(f"no record knows the values that lie at {place!a} now ({told})", hint=searched)


def _number(text: str) -> int:
    if not (text.isascii() and text.isdigit() and len(text) < 10):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number")
    return int(text)
