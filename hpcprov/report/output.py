"""What the ranks printed, on a page of bounded size: the beginning and the end of each rank's output, in order of time.

Colour codes are removed, and of a line that was overwritten (a progress bar) the last state is kept. What is left out
is said where it is missing.

    output(record, directory)["lines"][0]  ->  {"time": "14:21:57.114", "rank": 3, "stream": "out", "text": "r = 1e-7"}
"""

from __future__ import annotations

import os
import re
import stat

from hpcprov.merge.read import OPEN_FLAGS, log_names
from hpcprov.record import event as border
from hpcprov.record import frame, moment
from hpcprov.record.wording import count
from hpcprov.report.told import bytes_of, of_ranks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.record.model import Record

    Event = dict[str, Any]
    Line = dict[str, Any]

MOST_READ = 3_000_000  # bytes of all files
MOST_FILES = 400
MOST_SHOWN = 400_000  # characters of all lines, each counted with what a page needs beside it
LEAST_SHOWN = 3_000  # of a rank; of more ranks than that leaves room for, some have nothing
BESIDE = 60
LONGEST = 2_000  # characters of a line
STREAMS = {1: "out", 2: "err"}
# CSI, OSC and two-character sequences of ECMA-48.
ANSI = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)?|[@-Z\\^_]|[ -/][0-~])")


def output(record: Record, directory: str | None) -> dict[str, Any] | None:
    """`lines`, the `ranks` that they are of, and `notes` on what is left out; None when nothing was captured."""
    if not record["output"]["files"]:
        return None
    if directory is None or not os.path.isdir(directory):
        return {"lines": [], "ranks": [], "notes": ["What the ranks printed was captured, but is not at hand."]}
    try:
        events, notes = read(directory)
    except OSError as error:
        return {"lines": [], "ranks": [], "notes": [f"The output could not be read: {error.strerror or error}."]}
    lines = whole_lines(events)
    bad = {
        rank
        for rank, state in zip(record["ranks"]["columns"]["rank"], record["ranks"]["columns"]["state"], strict=True)
        if state not in ("completed", "running")
    }
    shown, left = bounded(lines, bad)
    ranks = sorted({line["rank"] for line in shown})
    if left:
        told = of_ranks(left)
        notes.append(f"Nothing is shown of {told}, which printed, too.")
    return {"lines": shown, "ranks": ranks, "notes": notes}


def read(directory: str) -> tuple[list[Event], list[str]]:
    """Output events in order of time, of long files those at the beginning and at the end; and what was left out."""
    names = [name for name in log_names(directory) if name.endswith(".out")]
    share = MOST_READ // max(1, min(len(names), MOST_FILES))
    events: list[Event] = []
    gaps = []
    for name in names[:MOST_FILES]:
        found, skipped = pieces(os.path.join(directory, name), share)
        events += found
        gaps += [skipped] if skipped else []
    notes = [f"{bytes_of(sum(gaps))} in the middle of {count(len(gaps), 'file')} are not shown."] if gaps else []
    if len(names) > MOST_FILES:
        notes.append(f"The output of {len(names) - MOST_FILES:,} more nodes is not shown.")
    return sorted(events, key=lambda event: int(event["time"])), notes


def pieces(path: str, most: int) -> tuple[list[Event], int]:
    """The output events in the first and the last bytes of a file, at most `most` in all, and how many were skipped."""
    fd = os.open(path, OPEN_FLAGS)
    with open(fd, "rb") as file:
        facts = os.fstat(fd)
        if not stat.S_ISREG(facts.st_mode):
            return [], 0
        if facts.st_size <= most:
            return kept(file.read(most)), 0
        begin = kept(file.read(most // 2))
        file.seek(facts.st_size - most // 2)
        end = kept(file.read(most // 2))
    # A rank's line that began before the gap must not be joined to one that ends behind it.
    breaks = {(event["rank"], event["stream"]): event for event in begin}
    begin += [event | {"data": "\n"} for event in breaks.values() if not event["data"].endswith("\n")]
    return begin + end, facts.st_size - most // 2 * 2


def kept(text: bytes) -> list[Event]:
    events = (border.normal(event) for event in frame.scan(text))
    return [event for event in events if event is not None and event["event"] == "output"]


def whole_lines(events: Iterable[Event]) -> list[Line]:
    """Lines from pieces: each has the time of its first piece."""
    begun: dict[tuple[int, int], tuple[int, str]] = {}
    lines = []
    for event in events:
        source = event["rank"], event["stream"]
        began, text = begun.pop(source, (event["time"], ""))
        *whole, rest = (text + event["data"]).split("\n")
        lines += [line(source, event["time"] if k else began, one) for k, one in enumerate(whole)]
        if len(rest) > 8 * LONGEST:
            lines.append(line(source, began, rest))
        elif rest:
            begun[source] = (event["time"] if whole else began), rest
    lines += [line(source, began, rest) for source, (began, rest) in begun.items()]
    return sorted(lines, key=lambda one: int(one["ns"]))


def line(source: tuple[int, int], ns: int, text: str) -> Line:
    rank, stream = source
    clean = ANSI.sub("", text).rstrip("\r").rpartition("\r")[2].expandtabs()
    cut = f"… ({len(clean) - LONGEST:,} more characters)" if len(clean) > LONGEST else ""
    clock = f"{moment.iso(ns)[11:23]}" if 0 <= ns < 1 << 62 else "?"
    name = STREAMS.get(stream, "?")
    return {"ns": ns, "time": clock, "rank": rank, "stream": name, "text": clean[:LONGEST] + cut, "gap": False}


def bounded(lines: list[Line], bad: set[int]) -> tuple[list[Line], list[int]]:
    """As many lines as a page can hold, the beginning and end of each rank's; and the ranks of which none are shown.
    Ranks that ended badly come first."""
    sizes: dict[int, int] = {}
    for one in lines:
        sizes[one["rank"]] = sizes.get(one["rank"], 0) + len(one["text"]) + BESIDE
    room = max(LEAST_SHOWN, MOST_SHOWN // max(1, len(sizes)))
    order = sorted(sizes, key=lambda rank: (rank not in bad, rank))
    shown: set[int] = set()
    spent = 0
    for rank in order:
        cost = min(room, sizes[rank])
        if spent + cost > MOST_SHOWN and shown:
            break
        spent += cost
        shown.add(rank)
    # What ranks that printed little have left over goes to those that printed much.
    loud = [rank for rank in shown if sizes[rank] > room]
    room += (MOST_SHOWN - spent) // len(loud) if loud else 0
    of_loud: dict[int, list[Line]] = {rank: [] for rank in loud}
    for one in lines:
        if one["rank"] in of_loud:
            of_loud[one["rank"]].append(one)
    cuts = {rank: middle(told, room) for rank, told in of_loud.items()}
    return _left(lines, shown, cuts), [rank for rank in order if rank not in shown]


def middle(lines: list[Line], room: int) -> tuple[int, int]:
    """Which of a rank's lines are left out, so that the others have room: [first, last)."""
    first, spent = 0, 0
    while first < len(lines) and spent + len(lines[first]["text"]) + BESIDE <= room // 2:
        spent += len(lines[first]["text"]) + BESIDE
        first += 1
    last, spent = len(lines), 0
    while last > first and spent + len(lines[last - 1]["text"]) + BESIDE <= room // 2:
        last -= 1
        spent += len(lines[last]["text"]) + BESIDE
    return first, last


def _left(lines: list[Line], shown: set[int], cuts: dict[int, tuple[int, int]]) -> list[Line]:
    found = []
    counts: dict[int, int] = {}
    for one in lines:
        rank = one["rank"]
        number = counts[rank] = counts.get(rank, -1) + 1
        first, last = cuts.get(rank, (0, 0))
        if rank not in shown or first < number < last:
            continue
        if number == first < last:
            text = f"… {last - first:,} lines of rank {rank} are left out here …"
            found.append(one | {"text": text, "gap": True})
        else:
            found.append(one)
    return found
