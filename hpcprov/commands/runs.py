"""List the runs of this directory's store.

Newest first; on a terminal the newest 50, and where it is narrow without duration and ranks. Filters are joined by
`and`; --status and --name may be given several times, any of them will do. `hpcprov find` looks for runs by what they
used, made and ran with.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import time
from calendar import timegm
from itertools import chain, islice

from hpcprov.catalog import rows
from hpcprov.commands import screen as sight
from hpcprov.commands.choose import listed, of_whole, tell
from hpcprov.commands.roots import catalog_of
from hpcprov.merge.status import STATES
from hpcprov.record.event import WHOLES
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

    from hpcprov.catalog.found import RunRow
    from hpcprov.catalog.query import Catalog
    from hpcprov.commands.choose import Run

EXAMPLE = "hpcprov runs --since 7d --status failed --tag case=b1"

AGES = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DATES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
COLUMNS = ("RUN", "NAME", "STATUS", "START", "TOOK", "RANKS", "COMMAND")
KINDS = ("command", *WHOLES)
NEWEST = 50  # runs on a terminal when nothing is said
LONGEST = 1000  # characters of a command that are looked at
FEW = 1000  # runs whose records are looked at again before they are shown
WIDEST = (44, 20, 13, 19, 12, 13)
NO_RUNS = ["no runs"]
COMMAND_WIDTH = 24  # for which columns with less to say make room
SPARED = ("RANKS", "TOOK")
CALLED = {"type": "kind"}  # filters that are not called as their options are


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov runs`."""
    parser.add_argument("--name", metavar="GLOB", action="append", default=[], help="runs whose name fits this pattern")
    parser.add_argument(
        "--tag", metavar="K[=V]", action="append", default=[], help="runs with this tag; repeatable: with all of them"
    )
    parser.add_argument(
        "--status", choices=STATES, action="append", default=[], metavar="STATUS", help=", ".join(STATES)
    )
    parser.add_argument("--job", metavar="JOB", help="a batch job and its steps; JOB_TASK of an array")
    parser.add_argument("--kind", choices=KINDS, metavar="KIND", help=", ".join(KINDS))
    parser.add_argument(
        "--since", metavar="TIME", type=moment, help="2026-11-21, 2026-11-21T09:30, or an age: 90min, 6h, 2d, 1w"
    )
    parser.add_argument("--until", metavar="TIME", type=moment, help="likewise; a date means its beginning")
    parser.add_argument(
        "--limit", metavar="N", type=limit, help=f"at most N runs; default on a terminal: {NEWEST}, elsewhere all"
    )
    parser.add_argument("--all", action="store_true", help="all of them on a terminal, too")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per run")


def run(args: argparse.Namespace) -> int:
    """Print the runs that fit."""
    screen, filters = sight.screen(os.environ), filters_of(args)
    most = args.limit or (None if args.all or args.json or not sys.stdout.isatty() else NEWEST)
    with catalog_of() as catalog:
        found, forged = looked_at(catalog, most, filters), Forged()
        if args.json:
            print_json(row.summary for row in forged.seen(found))
        else:
            lines = table((marked(row.summary, row.sealed is False) for row in forged.seen(found)), screen)
            print("\n".join(lines))
            asked = {name: value for name, value in filters.items() if value not in (None, [])}
            if lines == NO_RUNS and asked:
                tell(f"nothing found among {searched(catalog, asked)}")
        more = catalog.count(**filters) - most if most is not None and not args.limit else 0
    if more > 0:
        print(screen.paint(f"... and {sight.count(more, 'earlier run')}: --all, or --limit N", "dim"))
    forged.tell()
    return 0


def looked_at(catalog: Catalog, most: int | None, filters: dict[str, Any]) -> Iterator[RunRow]:
    """The runs that fit, one after the other; the records of the first ones are looked at once more."""
    rows = islice(catalog.each_run(**filters, limit=most), most)
    first = list(islice(rows, FEW))
    return chain(catalog.checked(first), rows)


class Forged:
    """The ids of runs whose records were changed since they were sealed, as they pass."""

    def __init__(self) -> None:
        self.ids: list[str] = []

    def seen(self, rows: Iterable[RunRow]) -> Iterator[RunRow]:
        for row in rows:
            if row.sealed is False:
                self.ids.append(row.id)
            yield row

    def tell(self) -> None:
        if self.ids:
            tell(f"marked with `!`: changed since they were sealed: {listed(sorted(self.ids))}")


def searched(catalog: Catalog, filters: dict[str, Any]) -> str:
    """What was searched, and for what: for who finds nothing."""
    wanted = [f"{CALLED.get(name, name)} {_said(value)}".rstrip() for name, value in filters.items()]
    where = ", ".join(map(printable, catalog.roots))
    return f"{sight.count(catalog.count(), 'run')} in {where}: {'; '.join(wanted) or 'no run'}"


def _said(value: Any) -> str:
    from hpcprov.record import moment

    if type(value) in (int, float):
        return sight.when(moment.iso(max(0, int(value)) * moment.SECOND))
    values = value if type(value) is list else [] if value is True else [value]
    return " or ".join(printable(str(one)) for one in values)


def filters_of(args: argparse.Namespace) -> dict[str, Any]:
    """The catalog's filters, from this command's options."""
    return {
        "name": args.name,
        "tag": args.tag,
        "status": args.status,
        "type": args.kind,
        "job": None if args.job is None else of_whole(args.job),
        "since": args.since,
        "until": args.until,
    }


def print_json(rows: Iterable[dict[str, Any]]) -> None:
    """A list of objects as `json.dumps(..., indent=2)` writes it, one after the other."""
    first = True
    for row in rows:
        text = json.dumps(row, indent=2).replace("\n", "\n  ")
        print("[\n  " if first else ",\n  ", text, sep="", end="")
        first = False
    print("[]" if first else "\n]")


def marked(row: dict[str, Any], forged: bool) -> dict[str, Any]:
    return row | {"id": f"! {row['id']}"} if forged else row


def summary(run: Run) -> dict[str, Any]:
    """What is told about one run in a list of many; values as in the record."""
    return rows.summary(run.record) | {"directory": run.directory}


def table(rows: Iterable[dict[str, Any]], screen: sight.Screen) -> list[str]:
    """Lines of a table, as wide as the screen."""
    cells = [_cells(row) for row in rows]
    if not cells:
        return NO_RUNS
    widths = [min(most, max(len(row[k]) for row in [COLUMNS, *cells])) for k, most in enumerate(WIDEST)]
    used = [k for k in range(len(WIDEST)) if COLUMNS[k] != "NAME" or any(row[k] for row in cells)]
    for name in SPARED:
        if screen.width - sum(widths[k] + 2 for k in used) < COMMAND_WIDTH:
            used.remove(COLUMNS.index(name))
    return [_line(row, widths, used, screen, head=not k) for k, row in enumerate([COLUMNS, *cells])]


def _line(row: Iterable[str], widths: list[int], used: list[int], screen: sight.Screen, *, head: bool) -> str:
    *cells, command = row
    parts = []
    for k in used:
        text = sight.cut(cells[k], widths[k])
        space = " " * (widths[k] - len(text))
        parts.append((screen.status(text) if COLUMNS[k] == "STATUS" and not head else text) + space)
    left = screen.width - sum(widths[k] + 2 for k in used)
    line = "  ".join([*parts, sight.cut(command, max(left, 8))])
    return screen.paint(line, "dim") if head else line


def _cells(row: dict[str, Any]) -> tuple[str, ...]:
    ranks = str(row["ranks"]) if not row["missing"] else f"{row['ranks']} of {row['ranks'] + row['missing']}"
    times = (sight.when(row["start"]), sight.duration(row["duration_s"]))
    command = sight.words(row["argv"])[:LONGEST] if row["argv"] or row["kind"] == "command" else ""
    if row["kind"] != "command":
        ranks = "" if row["kind"] == "job" else ranks
        task = f" {row['array_task']}" if row["kind"] == "job" and row["array_task"] else ""
        command = f"[{row['kind']}{task} of {sight.count(row['parts'], 'run')}] {command}".rstrip()
    return tuple(map(printable, (row["id"], row["name"] or "", row["status"], *times, ranks, command)))


def limit(text: str) -> int:
    """The value of --limit."""
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs: 1 or more")
    return int(text)


def moment(text: str) -> float:
    """Seconds since the epoch of a date in this machine's time zone (UTC with a Z), or of an age before now."""
    for unit in sorted(AGES, key=len, reverse=True):
        number = text.removesuffix(unit)
        if number != text and number.isascii() and number.isdigit():
            return time.time() - int(number) * AGES[unit]
    for form in DATES:
        try:
            fields = time.strptime(text.removesuffix("Z"), form)
            return timegm(fields) if text.endswith("Z") else time.mktime(fields)
        except (ValueError, OverflowError):
            continue
    raise argparse.ArgumentTypeError(
        f"{text!r} is neither a date like 2026-11-21T09:30 nor an age like 90min, 6h, 2d, 1w"
    )
