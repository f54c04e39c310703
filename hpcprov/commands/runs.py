"""List the runs of this directory's store.

Newest first. Filters are joined by `and`; --status and --name may be given several times, any of them will do.
"""

from __future__ import annotations

import argparse
import json
import os
import time
from calendar import timegm

from hpcprov.commands import screen as sight
from hpcprov.commands.choose import Run, every_run, job_names, listed, of_whole, store_here, tell
from hpcprov.commands.surroundings import array_task
from hpcprov.merge import jobs
from hpcprov.merge.seal import verify_seal
from hpcprov.merge.status import STATES
from hpcprov.record import model, moment
from hpcprov.record.event import WHOLES
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

EXAMPLE = "hpcprov runs --since 7d --status failed --tag case=b1"

AGES = {"s": 1, "min": 60, "h": 3600, "d": 86400, "w": 7 * 86400}
DATES = ("%Y-%m-%dT%H:%M:%S", "%Y-%m-%d %H:%M:%S", "%Y-%m-%dT%H:%M", "%Y-%m-%d %H:%M", "%Y-%m-%d")
COLUMNS = ("RUN", "NAME", "STATUS", "START", "TOOK", "RANKS", "COMMAND")
KINDS = ("command", *WHOLES)
WIDEST = (44, 20, 13, 19, 12, 13)


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
        "--since", metavar="TIME", type=_time, help="2026-11-21, 2026-11-21T09:30, or an age: 90min, 6h, 2d, 1w"
    )
    parser.add_argument("--until", metavar="TIME", type=_time, help="likewise; a date means its beginning")
    parser.add_argument("--limit", metavar="N", type=_limit, help="at most N runs")
    parser.add_argument("--json", action="store_true", help="print a JSON list with one object per run")


def run(args: argparse.Namespace) -> int:
    """Print the runs that fit."""
    found = sorted((run for run in every_run(store_here()) if fits(run.record, args)), key=_start, reverse=True)[
        : args.limit
    ]
    forged = {run.id for run in found if "seal" in run.record and not verify_seal(run.record)}
    if forged:
        tell(f"marked with `!`: changed since they were sealed: {listed(sorted(forged))}")
    if args.json:
        print(json.dumps([summary(run) for run in found], indent=2))
    else:
        print("\n".join(table([marked(summary(run), run.id in forged) for run in found], sight.screen(os.environ))))
    return 0


def marked(row: dict[str, Any], forged: bool) -> dict[str, Any]:
    return row | {"id": f"! {row['id']}"} if forged else row


def fits(record: model.Record, args: argparse.Namespace) -> bool:
    """Does a run pass all filters?"""
    from fnmatch import fnmatchcase

    run = record["run"]
    start = moment.ns(run["start"]) / moment.SECOND if run["start"] else 0
    return (
        (not args.name or any(fnmatchcase(run["name"] or "", pattern) for pattern in args.name))
        and all(_tagged(run["tags"], wanted) for wanted in args.tag)
        and (not args.status or run["status"] in args.status)
        and (args.kind is None or run["kind"] == args.kind)
        and (args.job is None or _of_job(record, args.job))
        and (args.since is None or start >= args.since)
        and (args.until is None or start < args.until)
    )


def summary(run: Run) -> dict[str, Any]:
    """What is told about one run in a list of many; values as in the record."""
    about, ranks = run.record["run"], run.record["ranks"]
    kept = {
        key: about[key]
        for key in (
            "id",
            "kind",
            "name",
            "status",
            "start",
            "end",
            "duration_s",
            "argv",
            "cwd",
            "tags",
            "note",
            "user",
            "parent",
            "part_of",
            "previous",
        )
    }
    missing = sum(last - first + 1 for first, last in ranks["missing"])
    counts = {"ranks": ranks["count"], "missing": missing, "nodes": [node["node"] for node in run.record["nodes"]]}
    cause = about["cause"]["text"] if about["cause"] else None
    return (
        kept
        | counts
        | {
            "cause": cause,
            "job": _job(run.record),
            "array_task": array_task(model.fact(run.record, "scheduler")),
            "parts": len(run.record["parts"]),
            "revision": run.record["revision"],
            "directory": run.directory,
        }
    )


def table(rows: list[dict[str, Any]], screen: sight.Screen) -> list[str]:
    """Lines of a table, as wide as the screen."""
    if not rows:
        return ["no runs"]
    cells = [_cells(row) for row in rows]
    widths = [min(most, max(len(row[k]) for row in [COLUMNS, *cells])) for k, most in enumerate(WIDEST)]
    used = [k for k in range(len(WIDEST)) if COLUMNS[k] != "NAME" or any(row["name"] for row in rows)]
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
    command = sight.words(row["argv"]) if row["argv"] or row["kind"] == "command" else ""
    if row["kind"] != "command":
        ranks = "" if row["kind"] == "job" else ranks
        task = f" {row['array_task']}" if row["kind"] == "job" and row["array_task"] else ""
        command = f"[{row['kind']}{task} of {sight.count(row['parts'], 'run')}] {command}".rstrip()
    return tuple(map(printable, (row["id"], row["name"] or "", row["status"], *times, ranks, command)))


def _of_job(record: model.Record, name: str) -> bool:
    """Is a run the job of that name, or of it, or of a task of that array?"""
    array = record["run"]["part_of"]["array"] or ""
    name = of_whole(name)
    return name in job_names(record) or array.endswith(f"-{name}")


def _job(record: model.Record) -> str | None:
    """The id of a run's job, or of the job that it is."""
    itself = jobs.job_of_record(record) if record["run"]["kind"] == "job" else None
    return model.job_id(record) if itself is None else itself.job_id


def _start(run: Run) -> tuple[str, str]:
    return run.record["run"]["start"] or "", run.id


def _tagged(tags: dict[str, str], wanted: str) -> bool:
    key, equals, value = wanted.partition("=")
    return key in tags and (not equals or tags[key] == value)


def _limit(text: str) -> int:
    if not (text.isascii() and text.isdigit() and int(text) > 0):
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of runs: 1 or more")
    return int(text)


def _time(text: str) -> float:
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
