"""Show what a dataset itself tells of the runs that made it.

It was written by `hpcprov exec --embed` or `hpcprov stamp`, and is there wherever the dataset goes. Each entry says
what values it found and what values it left: where two entries do not meet, or the data is not what the last one left,
something that left no entry has changed it. Anybody who may write the file may write the trail, too: `hpcprov verify`
compares with the records themselves.

Of data that tells nothing (it was never stamped, or is CSV, npy or npz) the records near it tell the same.
"""

from __future__ import annotations

import argparse
import json
import os
import sys
import textwrap

from hpcprov.commands.bar import Bar
from hpcprov.commands.reading import comparer, known_places
from hpcprov.commands.screen import Screen, cut, screen
from hpcprov.commands.trail_records import recorded, searched
from hpcprov.quality.trail.chain import CHANGED, GAP, SAME, UNSIGNED, chain
from hpcprov.quality.trail.entries import DROPPED, entries_of
from hpcprov.record.artifact import BLANK
from hpcprov.record.text import printable
from hpcprov.signature.isolated import Crashed, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.quality.isolated import Comparing
    from hpcprov.quality.trail.entries import Entry

EXAMPLE = """hpcprov trail out.nc

exit status: 0 its values are those of the last entry, and every entry follows from the one before; 1 they are not, or
there is no entry; 2 it could not be read"""

UNREAD = 2
#: How digests of bytes begin.
BYTES = "blake3:"
MOST_HISTORY = 20
WIDEST = 100
DATE, LINE = 20, 4
#: Stands before a run's id at the end of its line of the history.
MARK = "(hpcprov "


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov trail`."""
    parser.add_argument("paths", metavar="PATH", nargs="+", help="a file or a Zarr store")
    parser.add_argument(
        "--no-check", action="store_true", help="do not read the values to see whether they are the same"
    )
    parser.add_argument("--json", action="store_true", help="print one JSON list with an object for each PATH")


def run(args: argparse.Namespace) -> int:
    """Print the trail of every path."""
    bar, sight, worst = Bar(), screen(os.environ), 0
    found: list[dict[str, Any]] = []
    with comparer(known_places() | {"tiles_dir": None}, bar) as reading:
        for path in args.paths:
            bar.begin(path)
            try:
                one = _told(reading, path, check=not args.no_check)
            except (Refused, Crashed) as error:
                one = {"path": path, "status": "unreadable", "reason": error.message}
            finally:
                bar.clear()
            found.append(one)
            worst = max(worst, _status(one))
            if not args.json:
                _print(one, sight)
    if args.json:
        print(json.dumps(found, indent=2))
    return worst


def _told(reading: Comparing, path: str, *, check: bool) -> dict[str, Any]:
    """The trail of one path, and what its values say of it. Raises Refused, Crashed."""
    told = reading.trail(path)
    entries = entries_of(told["audit"])
    facts = reading.describe(path).result if check or not entries else BLANK
    signature, storage = ((facts[name] or {}).get("digest") for name in ("signature", "storage"))
    store = None
    if not entries:
        store, entries = recorded(path, signature=signature, storage=storage)
    now = storage if entries and (entries[-1]["after"] or "").startswith(BYTES) else signature
    links = chain(entries, now)
    listed = [{**entry, "link": link} for entry, link in zip(entries, links.links, strict=True)]
    return {
        "path": path,
        "format": told["format"],
        "told_by": store or "itself",
        "searched": [] if entries and store is None else searched(path),
        "status": links.now if entries else "no trail",
        "reason": facts["reason"] or facts["unsigned"] if now is None else None,
        "whole": links.is_whole,
        "signature": signature,
        "storage": storage,
        "entries": listed,
        "history": (told["history"] or "").splitlines(),
        "problems": told["problems"],
    }


def _status(one: dict[str, Any]) -> int:
    if one["status"] == "unreadable":
        return UNREAD
    return 0 if one["entries"] and one["whole"] else 1


def _print(one: dict[str, Any], sight: Screen) -> None:
    name = printable(one["path"])
    if one["status"] == "unreadable":
        print(f"hpcprov trail: {name}: {printable(one['reason'])}", file=sys.stderr, flush=True)
        return
    for problem in one["problems"]:
        print(f"hpcprov trail: {name}: {printable(problem)}", file=sys.stderr, flush=True)
    print("\n".join(lines(one, sight)), flush=True)


def lines(one: dict[str, Any], sight: Screen) -> Iterator[str]:
    """A trail as text: the oldest entry first."""
    width = min(WIDEST, sight.width)
    by = "" if one["told_by"] == "itself" else f"  as the records in {printable(one['told_by'])} tell"
    yield f"{sight.paint(printable(one['path']), 'bold')}  {one['format']}{by}"
    if one["entries"]:
        rows = [entry for entry in one["entries"] if DROPPED not in entry]
        who = min(24, max((len(_who(entry)) for entry in rows), default=0))
        yield sight.paint(f"  {'DATE':<{DATE}}  {'BY':<{who}}  {'LINE':>{LINE}}  SESSION", "dim")
        places, last = _places(one["history"]), None
        for entry in one["entries"]:
            yield from _link_lines(entry, sight)
            yield from _history(
                _between(one["history"], places, last, entry), "its history attribute has in between:", width
            )
            yield from _entry_lines(entry, sight, width, who)
            last = entry
        yield from _verdict(one, sight)
        yield from _history(_since(one), "its history attribute has since then:", width)
        return
    yield from _nothing(one, width)
    yield from _history(one["history"], "its history attribute says:", width)


def _history(history: list[str], head: str, width: int) -> Iterator[str]:
    """Lines of the attribute in which CDO, NCO and others tell what they did."""
    if history:
        yield f"  {head}"
        yield from (f"    {cut(line, width - 4)}" for line in history[:MOST_HISTORY])
    if len(history) > MOST_HISTORY:
        yield f"    ... and {len(history) - MOST_HISTORY} more lines"


def _nothing(one: dict[str, Any], width: int) -> Iterator[str]:
    """What was looked at in vain, and what would have left a trail."""
    stores = ", ".join(map(printable, one["searched"]))
    records = f"no record in {stores} tells of it" if stores else "there are no records (.hpcprov) near it"
    told = (
        f"it has no trail, and {records}",
        "`hpcprov exec` records what makes data; with --embed, or by `hpcprov stamp`, HDF5, NetCDF, Zarr and Parquet"
        " tell it themselves",
    )
    for text in told:
        yield from textwrap.wrap(text, width, initial_indent="  ", subsequent_indent="    ", break_on_hyphens=False)


def _link_lines(entry: Entry, sight: Screen) -> Iterator[str]:
    """How an entry follows from the one before it, where that is worth a line."""
    if DROPPED in entry:
        number = "1 entry was" if entry[DROPPED] == 1 else f"{entry[DROPPED]} entries were"
        yield sight.paint(f"  ... {number} dropped here to keep the attribute small", "dim")
    elif entry["link"] == GAP:
        yield sight.paint("  ! changed by something that left no entry", "red")
    elif entry["link"] == UNSIGNED:
        yield sight.paint("  - what this run found was not signed: it made the data anew, or wrote over it", "dim")


def _entry_lines(entry: Entry, sight: Screen, width: int, who: int) -> Iterator[str]:
    if DROPPED in entry:
        return
    date = (entry["time"] or "?").replace("T", " ")
    line, session = "" if entry["line"] is None else str(entry["line"]), printable(entry["session"] or "?")
    yield f"  {cut(date, DATE):<{DATE}}  {cut(_who(entry), who):<{who}}  {line:>{LINE}}  {session}"
    if entry["did"]:
        yield f"    {cut(entry['did'], width - 4)}"
    yield sight.paint(f"    $ {cut(entry['command'] or '?', width - 6)}", "dim")


def _places(history: list[str]) -> dict[str, int]:
    """Where the history has the lines of runs, by their ids; the newest line is the first."""
    found: dict[str, int] = {}
    for at, line in enumerate(history):
        if line.endswith(")"):
            found.setdefault(line[:-1].rpartition(MARK)[2], at)
    return found


def _between(history: list[str], places: dict[str, int], last: Entry | None, entry: Entry) -> list[str]:
    """Lines of the history that programs put between those of two entries, the oldest first."""
    older, newer = (places.get(one["run"]) if one is not None else None for one in (last, entry))
    return history[newer + 1 : older][::-1] if newer is not None and older is not None else []


def _since(one: dict[str, Any]) -> list[str]:
    """Lines of the history that programs put above that of the last entry; those that it has itself are its own."""
    return list(one["history"][: _places(one["history"]).get(one["entries"][-1].get("run"), 0)])


def _who(entry: Entry) -> str:
    return printable(f"{entry['user'] or '?'}@{entry['host'] or '?'}")


def _verdict(one: dict[str, Any], sight: Screen) -> Iterator[str]:
    if one["status"] == CHANGED:
        yield sight.paint("  CHANGED since by something that left no entry: it is not what the last one left", "red")
    elif one["status"] == SAME:
        yield f"  {sight.paint('OK', 'green')}  it is what the last entry left"
    elif one["reason"]:
        yield f"  not checked: {printable(one['reason'])}"
    else:
        yield "  the values were not checked"
