"""Drop captured output of old runs, and tile digests that no recent record needs.

It shows what it would drop; --yes drops it. Every record is kept. Of captured output only logs that are still as they
were sealed go, and a list beside the record says which, when and by whom, so that `hpcprov verify` tells pruned from
taken away. Tile digests say where data has changed: without them `verify` still says that it has. Samples of resources
stay: they are a part of the record, at most 240 points for each node, and of the sealed logs that it is made of.
"""

from __future__ import annotations

import argparse
import json
import os
import time

from hpcprov.commands.choose import listed, store_here, tell
from hpcprov.commands.screen import count, size
from hpcprov.record import moment
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.merge.prune import Plan

EXAMPLE = "hpcprov prune --older-than 90d"
UNITS = {"min": 60, "h": 3600, "d": 86400, "w": 604800}
MOST_LINES = 20


def add_arguments(parser: argparse.ArgumentParser) -> None:
    """The options of `hpcprov prune`."""
    parser.add_argument(
        "--older-than", metavar="AGE", type=_age, default=90 * 86400, help="90d (the default), 26w, 12h: since it ended"
    )
    parser.add_argument("--outputs", action="store_true", help="only captured output")
    parser.add_argument("--tiles", action="store_true", help="only tile digests")
    parser.add_argument("--yes", action="store_true", help="drop it; without this nothing is dropped")
    parser.add_argument("--json", action="store_true", help="print what is dropped as one JSON object")


def run(args: argparse.Namespace) -> int:
    """Show what would be dropped, or drop it."""
    from hpcprov.merge.prune import drop, plan

    store, before = store_here(), time.time() - args.older_than
    both = args.outputs == args.tiles
    found = plan(store, before=before, outputs=both or args.outputs, tiles=both or args.tiles)
    if args.yes:
        found = drop(store, found, before=before, by=_user(), now=time.time_ns())
    if args.json:
        print(json.dumps(_as_json(found, before, done=args.yes), indent=2))
    else:
        print("\n".join(lines(found, args.older_than, done=args.yes)))
    if found.left and not args.json:
        tell(f"left as it is: {listed(found.left)}")
    return 0


def lines(found: Plan, age: float, *, done: bool) -> list[str]:
    """What was, or would be, dropped, as text."""
    if not found.outputs and not found.tiles and found.left:
        return [f"nothing {'was' if done else 'would be'} dropped of {count(found.records, 'record')}"]
    if not found.outputs and not found.tiles:
        return [
            f"nothing to drop: {count(found.records, 'record')}, none of which has anything older than {_days(age)}"
        ]
    shown = [
        f"{printable(output.run)}  {count(len(output.names), 'output log')}, {size(output.bytes)}"
        for output in found.outputs[:MOST_LINES]
    ]
    if len(found.outputs) > MOST_LINES:
        shown.append(f"... and of {count(len(found.outputs) - MOST_LINES, 'more run')}")
    logs = sum(len(output.names) for output in found.outputs)
    told = f"output of {count(len(found.outputs), 'run')} ({count(logs, 'log')}, {size(_bytes(found))})"
    tiles = f"{count(len(found.tiles), 'tile manifest')} ({size(sum(each for _, each in found.tiles))})"
    what = " and ".join([told] * bool(found.outputs) + [tiles] * bool(found.tiles))
    kept = f"{count(found.records, 'record')} {'is' if found.records == 1 else 'are'} kept"
    if done:
        return [*shown, f"dropped {what}; {kept}"]
    return [*shown, f"would drop {what}, older than {_days(age)}; {kept}", "nothing was dropped: --yes does it"]


def _bytes(found: Plan) -> int:
    return sum(output.bytes for output in found.outputs)


def _as_json(found: Plan, before: float, *, done: bool) -> dict[str, Any]:
    return {
        "done": done,
        "before": moment.iso(max(0, int(before)) * moment.SECOND),
        "records": found.records,
        "outputs": [
            {"run": one.run, "directory": one.directory, "logs": one.names, "bytes": one.bytes} for one in found.outputs
        ],
        "tiles": [{"path": path, "bytes": each} for path, each in found.tiles],
        "left": found.left,
    }


def _user() -> dict[str, Any]:
    """Who drops: the number, and the name as far as the user database has one."""
    import pwd

    uid = os.geteuid()
    try:
        return {"uid": uid, "name": pwd.getpwuid(uid).pw_name}
    except KeyError:
        return {"uid": uid, "name": None}


def _age(text: str) -> float:
    """Seconds of `90d`."""
    number = text.rstrip("abcdefghijklmnopqrstuvwxyz")
    unit = UNITS.get(text[len(number) :])
    if unit is None or not number.isascii() or not number.isdigit() or len(number) > 6:
        raise argparse.ArgumentTypeError(f"{text!r} is not an age: 90d, 26w, 12h, 30min")
    return float(int(number) * unit)


def _days(age: float) -> str:
    for unit, name in ((86400, "day"), (3600, "hour"), (60, "minute")):
        if age >= unit and age % unit == 0:
            return count(int(age // unit), name)
    return f"{age:.0f} s"
