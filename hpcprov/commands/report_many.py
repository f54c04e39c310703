"""`hpcprov report` of many runs: those that were named, all since a time, a workflow's; and the index of a store.

run(args)      # the arguments of commands/report.py
"""

from __future__ import annotations

import os
import time
from itertools import islice

from hpcprov.catalog.graph import Graph
from hpcprov.commands.choose import listed, tell
from hpcprov.commands.ending import tidy
from hpcprov.commands.report_file import put
from hpcprov.commands.roots import catalog_of
from hpcprov.record import layout, model
from hpcprov.record.errors import HpcprovError
from hpcprov.record.wording import count

TYPE_CHECKING = False
if TYPE_CHECKING:
    import argparse
    from collections.abc import Iterator

    from hpcprov.catalog.found import RunRow
    from hpcprov.catalog.graph import Edge
    from hpcprov.catalog.query import Catalog

MOST_RUNS = 5000
MOST_NODES = 20_000  # of their lineage
MOST_DRAWN = 500


class Chosen:
    """The runs of a report, its `title`, how they were `asked` for, the `name` of its file, and `notes` on it."""

    def __init__(self, rows: list[RunRow], title: str, asked: str, name: str) -> None:
        # A store and its copy may be asked together.
        self.rows = list({row.id: row for row in reversed(rows)}.values())[::-1]
        self.title, self.asked, self.name = title, asked, name
        self.notes: list[str] = []


def run(args: argparse.Namespace) -> int:
    """Write the page of many runs, or the index."""
    with catalog_of(args.root) as catalog:
        if args.index:
            return index(catalog, args)
        chosen = choose(catalog, args)
        text = page(catalog, chosen) if args.format == "html" else plain(chosen, args.format)
    put(text, args, chosen.name)
    return 0


def choose(catalog: Catalog, args: argparse.Namespace) -> Chosen:
    """Raises NoSuchRun, AmbiguousRun, and HpcprovError when no run fits."""
    if args.workflow is not None:
        return _of_workflow(catalog, args.workflow)
    if args.since is not None:
        return _since(catalog, args.since, args.until)
    chosen = Chosen([catalog.run(name) for name in args.run], "", " ".join(args.run[:6]), "")
    chosen.title = count(len(chosen.rows), "run")
    chosen.name = f"report-of-{len(chosen.rows)}-runs.html"
    return chosen


def _of_workflow(catalog: Catalog, name: str) -> Chosen:
    whole = catalog.run(name)
    parts = catalog.parts(whole.id)
    if whole.type == "command" and not parts:
        hint = f"hpcprov report {whole.id} tells of that one run"
        raise HpcprovError(f"{whole.id} is neither a workflow nor a job with several steps", hint=hint)
    chosen = Chosen([whole, *parts], whole.name or whole.id, f"{whole.type} {whole.id}", f"report-{whole.id}.html")
    missing = whole.parts - len(parts)
    if missing > 0:
        chosen.notes.append(f"{count(missing, 'part')} of it have no record here.")
    return chosen


def _since(catalog: Catalog, since: float, until: float | None) -> Chosen:
    found = catalog.each_run(since=since, until=until)
    rows = list(islice(found, MOST_RUNS))
    if not rows:
        raise HpcprovError(f"no run began since {_utc(since)}", hint="`hpcprov runs` lists what there is")
    asked = f"began since {_utc(since)}" + (f" and before {_utc(until)}" if until is not None else "")
    chosen = Chosen(rows, "Runs " + asked.removeprefix("began "), "", f"report-since-{_utc(since)[:10]}.html")
    more = sum(1 for _ in found)
    if more:
        chosen.notes.append(
            f"The newest {MOST_RUNS:,} of {count(MOST_RUNS + more, 'run')}: --until asks for older ones."
        )
    return chosen


def page(catalog: Catalog, chosen: Chosen) -> str:
    """The page. Raises MissingTemplates."""
    from hpcprov.report.many import render_many

    notes = list(chosen.notes)
    if catalog.problems:
        notes.append(f"{count(len(catalog.problems), 'record')} of this store could not be read.")
    forged = [row.id for row in chosen.rows if row.sealed is False]
    if forged:
        notes.append(f"Changed since they were sealed: {listed(forged)}.")
    return render_many(
        read(chosen.rows, notes), title=chosen.title, asked=chosen.asked, notes=notes, graph=graph(catalog, chosen.rows)
    )


def read(rows: list[RunRow], notes: list[str]) -> Iterator[model.Record]:
    """The records one after the other; of those that cannot be read, a note."""
    for row in rows:
        try:
            yield record_of(row)
        except (HpcprovError, OSError) as error:
            notes.append(f"{row.id} could not be read: {error}")


def record_of(row: RunRow) -> model.Record:
    """The record of one row. Raises BadRecord, NoSuchRun, OSError."""
    if row.sealed is None:
        from hpcprov.catalog import live

        return live.record_of(layout.Store(row.root), row.id)
    return model.load(os.path.join(row.directory, layout.RECORD))


def graph(catalog: Catalog, rows: list[RunRow]) -> Graph:
    """Their lineage with the runs next to them; of very many, without those. Jobs and workflows, which consist of their
    runs, are left out."""
    ids = [row.id for row in rows if row.type == "command"]
    if not ids:
        return Graph()
    found = catalog.lineage(ids, up=True, down=True, depth=1, most=MOST_NODES)
    kept = {name for name, node in found.nodes.items() if node.get("type", "command") == "command"}
    if len(kept) > MOST_DRAWN:
        own = {f"run:{run}" for run in ids}
        kept = own & kept | {end for edge in found.edges if own & {edge["from"], edge["to"]} for end in _data(edge)}
    small = Graph()
    small.nodes = {name: node for name, node in found.nodes.items() if name in kept}
    small.edges = [edge for edge in found.edges if edge["from"] in kept and edge["to"] in kept]
    small.cut = found.cut
    return small


def _data(edge: Edge) -> list[str]:
    return [edge[end] for end in ("from", "to") if edge[end].startswith("data:")]


def plain(chosen: Chosen, form: str) -> str:
    """A table, as text or Markdown."""
    from hpcprov.report.many_text import render

    return render([row.summary for row in chosen.rows], title=chosen.title, form=form)


def index(catalog: Catalog, args: argparse.Namespace) -> int:
    """Write the index, and say what was written. Exit status 0."""
    from hpcprov.report.index import write_index

    where = args.output or "hpcprov-index"
    if where == "-":
        raise HpcprovError("an index is several pages", hint="-o names a directory")
    title = "Runs of " + ", ".join(os.path.dirname(root) or root for root in catalog.roots)
    with tidy():
        written = write_index(catalog.each_run, where, title=title, force=args.force)
    tell(f"written: {written.first} ({count(written.pages, 'page')}, {written.changed:,} of them new or changed)")
    return 0


def _utc(seconds: float) -> str:
    return time.strftime("%Y-%m-%d %H:%M UTC", time.gmtime(seconds)).replace(" 00:00 UTC", "")
