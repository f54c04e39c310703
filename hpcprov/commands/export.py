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
import sys

from hpcprov.commands.choose import Run as Chosen
from hpcprov.commands.choose import choose, parts_of, store_here, tell
from hpcprov.export.formats import FORMATS, Run, Source, render
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.export.formats import Content

EXAMPLE = "hpcprov export last --to rocrate -o figure3.crate.zip"


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov export`."""
    parser.add_argument("target", metavar="TARGET", nargs="?", help="a run, or a path whose lineage is exported")
    parser.add_argument("--to", metavar="FORMAT", choices=FORMATS, help=", ".join(FORMATS))
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is there")
    parser.add_argument("--copy", action="store_true", help="rocrate: include data whose bytes are still as recorded")
    parser.add_argument("--formats", action="store_true", help="list the formats")


def run(args: argparse.Namespace) -> int:
    """Render the runs and put them where they belong."""
    if args.formats:
        print("\n".join(formats()))
        return 0
    if args.target is None or args.to is None:
        raise HpcprovError("say what to export, and --to which format", hint="hpcprov export --formats lists them")
    source = found(args.target, graph=FORMATS[args.to].takes == "graph")
    content = render(args.to, source, copy=args.copy)
    put(content, args.output or _usual(content, source.name, FORMATS[args.to].suffix), force=args.force)
    return 0


def formats() -> list[str]:
    """The table of formats for people."""
    width = max(map(len, FORMATS))
    return [f"{name:<{width}}  {form.text}" for name, form in FORMATS.items()]


def found(target: str, *, graph: bool = False) -> Source:
    """The runs of a target. Raises NoSuchRun, AmbiguousRun, NoStore."""
    store = store_here()
    chosen = choose(store, target)
    runs = [chosen, *sorted(parts_of(store, chosen.record), key=_start)]
    return Source(chosen.id, [Run(one.record, one.directory) for one in runs], None)


def _start(run: Chosen) -> tuple[str, str]:
    return run.record["run"]["start"] or "", run.id


def put(content: Content, place: str, *, force: bool) -> None:
    """Write content to a place, whole or not at all, and say where, unless that is standard output."""
    from hpcprov.export import place as places

    if place == "-":
        places.to_stream(content, sys.stdout.buffer)
        return
    places.write(content, place, force=force)
    tell(f"written: {printable(place)}")


def _usual(content: Content, name: str, suffix: str) -> str:
    return "-" if isinstance(content, str) else os.path.join(os.curdir, name + suffix)
