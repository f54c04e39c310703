"""Make a page of a run, or of many, that needs no network: to read, print and keep.

Of one run: what, who, where, when, how it ended, ranks, resources, inputs and outputs with their signatures, software,
code, what it printed. Of several runs, of all since a time, or of a workflow: a table and the graph of their data.
--index writes a calendar of all runs, a page for each month.

A page is written to report-RUN.html here unless -o names another file (- is standard output); Markdown, for a paper's
appendix, and text go to standard output. Only a report is overwritten without --force.
"""

from __future__ import annotations

import argparse
import os

from hpcprov.commands.attested import sentences
from hpcprov.commands.choose import HELP, Run, choose, parts_of, store_here, tell
from hpcprov.commands.report_file import put
from hpcprov.commands.roots import add_roots, catalog_of, root_of
from hpcprov.commands.runs import moment
from hpcprov.record.errors import HpcprovError
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpcprov.catalog.graph import Graph

EXAMPLE = "hpcprov report last -o figure3.html"

FORMATS = ("html", "md", "text")
MOST_NODES = 200  # of a run's lineage
MOST_PARTS = 1000  # of a job or workflow, looked into for how they ended


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov report`."""
    parser.add_argument("run", metavar="RUN", nargs="*", help=HELP)
    parser.add_argument(
        "--since", metavar="TIME", type=moment, help="all runs since 2026-11-21, or of the last 6h, 2d, 1w"
    )
    parser.add_argument("--until", metavar="TIME", type=moment, help="with --since: up to then")
    parser.add_argument("--workflow", metavar="RUN", help="a workflow's or job's runs, with the graph of their data")
    parser.add_argument("--index", action="store_true", help="a calendar of all runs, in the directory that -o names")
    parser.add_argument("--format", choices=FORMATS, default="html", metavar="FORMAT", help="html (usual), md, text")
    parser.add_argument("-o", "--output", metavar="FILE", help="where to; - is standard output")
    parser.add_argument("--force", action="store_true", help="overwrite a file that is no report")
    add_roots(parser)


def run(args: argparse.Namespace) -> int:
    """Render what was asked for and put it where it belongs."""
    check(args)
    if args.index or args.workflow or args.since is not None or len(args.run) > 1:
        from hpcprov.commands import report_many

        return report_many.run(args)
    found = one(args.run[0], args.root)
    put(text_of(found, args), args, f"report-{found.id}.html")
    return 0


def check(args: argparse.Namespace) -> None:
    """Refuse what does not go together, before anything is read."""
    chosen = [bool(args.run), args.since is not None, args.workflow is not None, args.index]
    if sum(chosen) != 1:
        hint = "hpcprov report RUN... | --since TIME | --workflow RUN | --index"
        raise HpcprovError("say which runs: one of RUN, --since, --workflow and --index", hint=hint)
    if args.until is not None and args.since is None:
        raise HpcprovError("--until goes with --since")


def one(name: str, roots: Sequence[str]) -> Run:
    """The run of that name, here or in the stores that --root names. Raises NoSuchRun, AmbiguousRun, NoStore."""
    if not roots:
        return choose(store_here(), name)
    with catalog_of(roots) as catalog:
        row = catalog.run(name)
        return Run(row.directory, catalog.record(row.id))


def text_of(found: Run, args: argparse.Namespace) -> str:
    """The report of one run. Raises MissingTemplates."""
    from hpcprov.report import markdown, text
    from hpcprov.report import run as page

    known = {part.id: part.record for part in known_parts(found)}
    beside = {"attested": sentences(found.record, found.directory), "notes": notes(found)}
    if args.format == "html":
        graph = lineage(found, args.root)
        return page.render(found.record, directory=found.directory, known=known, graph=graph, **beside)
    values = page.values(found.record, found.directory, known, **beside)
    return text.render(values) if args.format == "text" else markdown.render(values)


def lineage(found: Run, roots: Sequence[str]) -> Graph | None:
    """What the run came of, as far back as is known, and what came of it next; None when the catalog cannot tell."""
    from hpcprov.catalog import open_catalog

    try:
        with open_catalog([*map(root_of, roots)] or [root(found)]) as catalog:
            return catalog.lineage([found.id], up=True, down=True, most=MOST_NODES)
    except HpcprovError as error:
        tell(f"no lineage: {error.message}")
        return None


def root(found: Run) -> str:
    """The store that a run lies in."""
    return found.directory.rpartition("/records/")[0] or os.path.dirname(os.path.dirname(found.directory))


def notes(found: Run) -> list[str]:
    """Where a record was imported from, and which of its output was dropped on purpose."""
    if "seal" not in found.record:
        return []
    from hpcprov.attest.intact import dropped_output
    from hpcprov.commands.show import origin

    try:
        return [*origin(found.directory), *dropped_output(found.directory, found.record)]
    except OSError:
        return []  # the page says so of the logs


def known_parts(found: Run) -> list[Run]:
    """The runs of a job or workflow that lie in the same store, as far as they can be read."""
    if not found.record["parts"]:
        return []
    return list(parts_of(Store(root(found)), found.record, MOST_PARTS))
