"""Captured output as it came: the lines of all ranks in order of time, each with its time, rank and stream.

10:31:02.114   3 out | residual 1.2e-7
"""

from __future__ import annotations

import heapq
import os
import time

from hpcprov.merge.read import OPEN_FLAGS, log_names
from hpcprov.record import event as border
from hpcprov.record import frame, moment
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

STREAMS = {1: "out", 2: "err"}
# Ranks of a node append to one file, each a moment after looking at the clock: little is out of order, by little.
WINDOW = 4096
LONGEST_LINE = 1 << 16


def lines(directory: str) -> Iterator[str]:
    """The lines of every rank of a run. Memory does not grow with the output."""
    names = [name for name in log_names(directory) if name.endswith(".out")]
    files = [in_order(pieces(os.path.join(directory, name))) for name in names]
    return assemble(heapq.merge(*files, key=_time))


def pieces(path: str) -> Iterator[dict[str, Any]]:
    """The output events of one file, as they lie in it."""
    with open(os.open(path, OPEN_FLAGS), "rb") as file:
        for event in frame.scan(file):
            kept = border.normal(event)
            if kept is not None and kept["event"] == "output":
                yield kept


def in_order(events: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Events that are nearly in order of time, in order."""
    waiting: list[tuple[int, int, dict[str, Any]]] = []
    for number, event in enumerate(events):
        heapq.heappush(waiting, (event["time"], number, event))
        if len(waiting) > WINDOW:
            yield heapq.heappop(waiting)[2]
    while waiting:
        yield heapq.heappop(waiting)[2]


def assemble(events: Iterable[dict[str, Any]]) -> Iterator[str]:
    """Lines from pieces: a line is shown when it is whole, with the time of its first piece."""
    begun: dict[tuple[int, int], tuple[int, str]] = {}
    for event in events:
        source = event["rank"], event["stream"]
        began, text = begun.pop(source, (event["time"], ""))
        *whole, rest = (text + event["data"]).split("\n")
        for number, line in enumerate(whole):
            yield shown(source, event["time"] if number else began, line)
        if len(rest) > LONGEST_LINE:
            yield shown(source, began, rest)
        elif rest:
            begun[source] = (event["time"] if whole else began), rest
    for source, (began, rest) in sorted(begun.items(), key=lambda item: item[1][0]):
        yield shown(source, began, rest)


def shown(source: tuple[int, int], when: int, line: str) -> str:
    clock = time.strftime("%H:%M:%S", time.localtime(when // moment.SECOND))
    rank, stream = source
    text = printable(line.removesuffix("\r").expandtabs())
    return f"{clock}.{when // 1_000_000 % 1000:03d} {rank:>4} {STREAMS.get(stream, '?')} | {text}"


def _time(event: dict[str, Any]) -> int:
    return int(event["time"])
