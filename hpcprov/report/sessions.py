"""The runs of a month as a log: day by day, and on each day session by session. Days are those of UTC, as on disk.

days = days_of(entries)
days[0]["day"], days[0]["sessions"][0]["what"], days[0]["sessions"][0]["runs"][0]["name"]
-> "2026-11-21", "workflow flood", "terrain"

A session is a job or workflow with its parts, a run with those that it started, or what one person ran in one directory
with no more than half an hour between.
"""

from __future__ import annotations

from datetime import UTC, datetime

from hpcprov.record.wording import words
from hpcprov.report.line import brief
from hpcprov.report.summary import status
from hpcprov.report.told import number, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.catalog.found import RunRow

    #: One run in an index: see entry_of.
    Entry = dict[str, Any]

PAUSE = 1800.0  # seconds
LONGEST_NAME, LONGEST_COMMAND, LONGEST_WORD = 60, 110, 20
MOST_OF_A_SESSION = 200


def entry_of(row: RunRow) -> Entry:
    """The little that an index tells of a run."""
    told, start = row.summary, row.start
    argv = [str(word) for word in row.argv[:40]]
    return {
        "id": row.id,
        "kind": brief(row.type, LONGEST_WORD),
        "name": brief(row.name or "", LONGEST_NAME),
        "status": brief(row.status, LONGEST_WORD),
        "start": start,
        "seconds_at": seconds_at(start) if start else 0.0,
        "seconds": number(told["duration_s"]),
        "ranks": row.ranks,
        "nodes": len(row.nodes),
        "user": brief(row.user or "", LONGEST_NAME),
        "cwd": brief(row.cwd or "", 200),
        "command": brief(words(argv), LONGEST_COMMAND) if argv else "",
        "whole": next(iter(row.part_of), row.parent),
        "sealed": row.sealed,
    }


def seconds_at(start: str) -> float:
    """Seconds since the epoch of a record's moment."""
    return datetime.fromisoformat(start[:19]).replace(tzinfo=UTC).timestamp()


def days_of(entries: Iterable[Entry]) -> list[dict[str, Any]]:
    """The days, newest first, each with its sessions in order of time."""
    by_day: dict[str, list[Entry]] = {}
    for entry in entries:
        by_day.setdefault((entry["start"] or "")[:10], []).append(entry)
    return [_day(day, of_day) for day, of_day in sorted(by_day.items(), reverse=True)]


def _day(day: str, entries: list[Entry]) -> dict[str, Any]:
    return {
        "day": day,
        "count": len(entries),
        "bad": sum(status(entry["status"])["look"] in ("bad", "warn") for entry in entries),
        "sessions": [_session(members) for members in sessions(entries)],
    }


def sessions(entries: list[Entry]) -> list[list[Entry]]:
    """Runs of one day that belong together, in order of time."""
    found: list[list[Entry]] = []
    of_whole: dict[str, list[Entry]] = {}
    of_place: dict[tuple[str, str], list[Entry]] = {}
    for entry in sorted(entries, key=_in_time):
        place = entry["user"], entry["cwd"]
        members = of_whole.get(entry["whole"] or entry["id"])
        if members is None and entry["whole"] is None and entry["kind"] == "command":
            members = of_place.get(place)
            if members is not None and entry["seconds_at"] - members[-1]["seconds_at"] > PAUSE:
                members = None
        if members is None:
            members = []
            found.append(members)
            if entry["whole"] is None and entry["kind"] == "command":
                of_place[place] = members
        of_whole.setdefault(entry["whole"] or entry["id"], members)
        of_whole.setdefault(entry["id"], members)
        members.append(entry)
    return found


def _in_time(entry: Entry) -> tuple[Any, ...]:
    """A job or workflow, whose start may be known to the second only, stands before what began within that second."""
    return entry["seconds_at"], entry["kind"] == "command", entry["start"] or "", entry["id"]


def _session(members: list[Entry]) -> dict[str, Any]:
    whole = next((entry for entry in members if entry["kind"] != "command"), None)
    first = members[0]
    if whole is not None:
        what = f"{whole['kind']} {whole['name'] or whole['id']}"
    elif first["whole"] is not None:
        what = f"part of {brief(first['whole'], LONGEST_NAME)}"
    else:
        what = first["cwd"] or "where is unknown"
    return {
        "what": what,
        "who": first["user"],
        "runs": [_line(entry) for entry in members[:MOST_OF_A_SESSION]],
        "more": max(0, len(members) - MOST_OF_A_SESSION),
    }


def _line(entry: Entry) -> dict[str, Any]:
    return entry | {
        "time": entry["start"][11:16] if entry["start"] else "",
        "look": status(entry["status"]),
        "took": took(entry["seconds"]) if entry["seconds"] is not None else "",
    }
