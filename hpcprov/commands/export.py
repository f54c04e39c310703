"""Write runs, or the lineage of data, in other people's formats.

TARGET is a run (an id or the beginning of one, `last`, a batch job's id: of a job or workflow with all its parts), or a
path, a digest, or a path and a field: then all runs that its lineage reaches are exported. --formats lists the formats.

Without -o, text goes to standard output, and what is not text to a file here that is named after the target. A format
that consists of several files becomes a ZIP file where FILE ends in .zip, else a directory. Nothing is overwritten
without --force, and a directory with something in it never is.
"""

from __future__ import annotations

import argparse
import os
import re
import sys

from hpcprov.commands.choose import Run as Chosen
from hpcprov.commands.choose import choose, parts_of, store_here, tell, tell_unread
from hpcprov.commands.ending import tidy
from hpcprov.commands.roots import add_roots, catalog_of
from hpcprov.export.formats import FORMATS, Run, Source, render
from hpcprov.export.wording import local
from hpcprov.record.errors import HpcprovError, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hpcprov.catalog.graph import Graph
    from hpcprov.catalog.query import Catalog
    from hpcprov.export.formats import Content

EXAMPLE = "hpcprov export last --to rocrate -o figure3.crate.zip"
UNITS = {"K": 10**3, "M": 10**6, "G": 10**9, "T": 10**12}
HEXADECIMAL = re.compile(r"[0-9a-f]{6,64}")


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov export`."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help="a run, or data whose lineage is exported")
    parser.add_argument("--to", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    parser.add_argument("--formats", action="store_true", help="list the formats")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")
    parser.add_argument("--copy", action="store_true", help="rocrate: include data whose bytes are still as recorded")
    parser.add_argument(
        "--most", metavar="SIZE", type=_size, default=10**9, help="with --copy: no more than this (default: 1G)"
    )
    parser.add_argument("--license", metavar="TEXT", help="rocrate: the licence of what is in it, best its address")
    parser.add_argument("--post", metavar="URL", help="openlineage: send the events there")
    add_roots(parser)


def run(args: argparse.Namespace) -> int:
    """Render the runs and put them where they belong."""
    if args.formats:
        print("\n".join(formats()))
        return 0
    if args.target is None or args.to is None:
        raise HpcprovError("say what to export, and --to which format", hint="hpcprov export --formats lists them")
    if args.post is not None and args.to != "openlineage":
        raise HpcprovError("--post sends OpenLineage events", hint="add --to openlineage")
    source = found(args.target, args.root, graph=FORMATS[args.to].takes == "graph")
    content = render(args.to, source, copy=_copies(args, source), license=args.license)
    if args.post is not None:
        return _send(content, args.post)
    with tidy():
        put(content, args.output or _usual(content, source.name, FORMATS[args.to].suffix), force=args.force)
    return 0


def formats() -> list[str]:
    """The table of formats for people."""
    width = max(map(len, FORMATS))
    return [f"{name:<{width}}  {form.text}" for name, form in FORMATS.items()]


def found(target: str, roots: Sequence[str] = (), *, graph: bool = False) -> Source:
    """The runs of a target: of a run itself and its parts, of data those of its lineage, the latest first. Raises
    NoSuchRun, AmbiguousRun, NoStore."""
    chosen = _chosen(target, roots)
    if chosen and not graph:
        return Source(chosen[0].id, chosen, None)
    with catalog_of(roots, near=[target]) as catalog:
        if chosen:
            return Source(chosen[0].id, chosen, catalog.lineage(chosen[0].id, down=True, depth=1))
        lineage = catalog.lineage(target)
        runs = [] if graph else _of_graph(catalog, lineage)
    name = os.path.basename(os.path.normpath(target)) if "/" in target else target.replace(":", "-")
    return Source(local(name), runs, lineage)


def _chosen(target: str, roots: Sequence[str]) -> list[Run]:
    """The run that a target names, and its parts; none where it names data."""
    if os.path.lexists(target) or "/" in target or ":" in target:
        return []
    if roots:
        return _in_catalog(target, roots)
    store = store_here()
    try:
        chosen = choose(store, target)
    except NoSuchRun:
        if HEXADECIMAL.fullmatch(target):
            return []  # the beginning of a digest
        raise
    runs = [chosen, *sorted(parts_of(store, chosen.record), key=_start)]
    return [Run(one.record, one.directory) for one in runs]


def _in_catalog(target: str, roots: Sequence[str]) -> list[Run]:
    with catalog_of(roots) as catalog:
        first = catalog.run(target)
        rows = [first, *catalog.parts(first.id)]
        return [Run(catalog.record(row.id), row.directory) for row in rows]


def _of_graph(catalog: Catalog, graph: Graph) -> list[Run]:
    """The runs of a lineage graph, the latest first; those whose records cannot be read are told and left out."""
    ids = [node["run"] for node in graph.nodes.values() if node["kind"] == "run"]
    rows = sorted(catalog.by_id(ids), key=lambda row: (row.start or "", row.id), reverse=True)
    runs, unread = [], []
    for row in {row.id: row for row in rows}.values():
        try:
            runs.append(Run(catalog.record(row.id), row.directory))
        except (HpcprovError, OSError) as error:
            unread.append(str(error))
    tell_unread(unread)
    if not runs:
        raise NoSuchRun("no run is known that made or used this", hint="hpcprov find lists what is known")
    return runs


def _start(run: Chosen) -> tuple[str, str]:
    return run.record["run"]["start"] or "", run.id


def _copies(args: argparse.Namespace, source: Source) -> dict[Any, Any] | None:
    """What is taken into the export beside the records."""
    from hpcprov.commands.copying import as_recorded, snakefiles

    if "copy" not in FORMATS[args.to].options:
        return {} if args.copy else None
    return snakefiles(source.runs) | (as_recorded(source.runs, most=args.most) if args.copy else {})


def _send(content: Content, url: str) -> int:
    from hpcprov.export.post import post

    number = post(str(content), url, environ=os.environ)
    tell(f"{number} event{'' if number == 1 else 's'} sent")
    return 0


def _size(text: str) -> int:
    """Bytes of `500M`, `1G` or `2T`, in powers of 1000."""
    number, unit = (text[:-1], text[-1:].upper()) if text[-1:].upper() in UNITS else (text, "")
    if not (number.isascii() and number.isdigit() and len(number) < 16):
        raise argparse.ArgumentTypeError(f"{text!r} is not a size like 500M or 2G")
    return int(number) * UNITS.get(unit, 1)


def put(content: Content, place: str, *, force: bool) -> None:
    """Write content to a place, whole or not at all, and say where, unless that is standard output."""
    from hpcprov.export import place as places

    if place == "-":
        if not isinstance(content, str) and sys.stdout.isatty():
            raise HpcprovError("this is nothing for a terminal", hint="-o FILE writes it to a file")
        places.to_stream(content, sys.stdout.buffer)
        return
    places.write(content, place, force=force)
    tell(f"written: {printable(place)}")


def _usual(content: Content, name: str, suffix: str) -> str:
    return "-" if isinstance(content, str) else os.path.join(os.curdir, name + suffix)
