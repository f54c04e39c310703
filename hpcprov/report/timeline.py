"""The ranks of a run on a time line: few as a bar each, many as bands that stand for ranks in a row.

A band is drawn light from its first start to its last end, and dark while all of its ranks ran; so a straggler shows
as a light end. What is out of the ordinary is named: ranks that ended badly, and the slowest and the quickest where
they differ much from the rest. Times are seconds since the run's start, by each node's own clock.

    timeline(record)  ->  {"span": 5.6, "bars": [{"label": "0", "x": 0.0, "width": 1000.0, "look": "good", ...}], ...}
"""

from __future__ import annotations

from itertools import pairwise
from statistics import quantiles

from hpcprov.record import ranges
from hpcprov.report.told import bytes_of, column, number, of_ranks, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

MOST_BARS = 32  # ranks that have a bar of their own
BANDS = 64
WIDE = 1000.0  # of the picture, in units that it is stretched from
MOST_ROWS = 64  # of the table of ranks
MOST_NAMED = 6
FAR = 3.0  # times the middle half's width: from there on a rank is out of the ordinary
GOOD = ("completed", "running")


def timeline(record: Record) -> dict[str, Any] | None:
    """What the section shows; None of a run whose ranks are not known."""
    ranks = rows(record)
    if not ranks:
        return None
    span = length(record, ranks)
    single = len(ranks) <= MOST_BARS
    return {
        "span": span,
        "axis": [took(span * share / 4) for share in range(5)],
        "bars": [bar(row, span) for row in ranks] if single else [],
        "bands": [] if single else bands(ranks, span),
        "states": states(ranks),
        "outliers": outliers(ranks),
        "spread": spread(ranks),
        "rows": chosen(ranks),
        "count": len(ranks),
        "missing": ranges.count(record["ranks"]["missing"]),
    }


def rows(record: Record) -> list[dict[str, Any]]:
    """The table of ranks, a row each; times in seconds."""
    columns = record["ranks"]["columns"]
    kept = {name: column(record, name) for name in ("start", "end", "duration", "code", "signal", "node", "maxrss")}
    cpu = zip(columns["utime"], columns["stime"], strict=True)
    nodes = [node["node"] for node in record["nodes"]]
    found = []
    for k, (rank, state, times) in enumerate(zip(columns["rank"], columns["state"], cpu, strict=True)):
        row = {name: values[k] for name, values in kept.items()}
        spent = [number(value) for value in times]
        found.append(
            {
                "rank": rank,
                "state": state,
                "start": _seconds(row["start"]),
                "end": _seconds(row["end"]),
                "took": _seconds(row["duration"]),
                "code": row["code"],
                "signal": row["signal"],
                "node": _at(nodes, row["node"]),
                "memory": None if row["maxrss"] is None else row["maxrss"] * 1024,
                "cpu": None if None in spent else sum(value or 0 for value in spent),
            }
        )
    return found


def _seconds(ns: float | None) -> float | None:
    return None if ns is None else ns / 1e9


def _at(nodes: list[str], index: float | None) -> str:
    return nodes[int(index)] if index is not None and 0 <= index < len(nodes) else ""


def length(record: Record, ranks: list[dict[str, Any]]) -> float:
    """Seconds from the run's start to the last end that is known; never 0."""
    ends: list[float] = [row["end"] for row in ranks if row["end"] is not None]
    known = number(record["run"]["duration_s"])
    return max([*ends, known or 0.0, 1e-6])


def bar(row: dict[str, Any], span: float) -> dict[str, Any]:
    """A rank's bar; one whose end is not known is drawn to the end of the picture."""
    x, right = place(row["start"] or 0.0, span), place(span if row["end"] is None else row["end"], span)
    return {
        "label": str(row["rank"]),
        "x": x,
        "width": max(2.0, round(right - x, 1)),
        "look": look(row["state"]),
        "text": told(row),
    }


def place(seconds: float, span: float) -> float:
    return round(min(max(seconds / span, 0.0), 1.0) * WIDE, 1)


def look(state: str) -> str:
    return {"completed": "good", "running": "busy"}.get(state, "bad")


def told(row: dict[str, Any]) -> str:
    """`completed after 5.6 s`, `failed with status 3 after 12 ms`."""
    how = row["state"]
    if row["state"] == "failed" and row["code"] is not None:
        how = f"failed with status {row['code']:.0f}"
    elif row["signal"] is not None:
        how = f"killed by signal {row['signal']:.0f}"
    return how if row["took"] is None else f"{how} after {took(row['took'])}"


def bands(ranks: list[dict[str, Any]], span: float) -> list[dict[str, Any]]:
    """Ranks in a row, as even in number as can be."""
    count = min(BANDS, len(ranks))
    edges = [len(ranks) * k // count for k in range(count + 1)]
    return [band(ranks[first:last], span) for first, last in pairwise(edges)]


def band(ranks: list[dict[str, Any]], span: float) -> dict[str, Any]:
    starts = [row["start"] or 0.0 for row in ranks]
    ends = [span if row["end"] is None else row["end"] for row in ranks]
    light = place(min(starts), span), place(max(ends), span)
    dark = place(max(starts), span), place(min(ends), span)
    bad = [row["rank"] for row in ranks if row["state"] not in GOOD]
    return {
        "label": f"{ranks[0]['rank']}-{ranks[-1]['rank']}",
        "light": {"x": light[0], "width": max(1.0, round(light[1] - light[0], 1))},
        "dark": {"x": dark[0], "width": round(dark[1] - dark[0], 1)} if dark[1] > dark[0] else None,
        "bad": len(bad),
        "ends": sorted(
            {place(row["end"], span) for row in ranks if row["state"] not in GOOD and row["end"] is not None}
        )[:MOST_NAMED],
    }


def states(ranks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """How many ranks ended how; of those that ended badly which."""
    found: dict[str, list[int]] = {}
    for row in ranks:
        found.setdefault(row["state"], []).append(row["rank"])
    return [
        {"state": state, "count": len(numbers), "look": look(state), "ranks": of_ranks(numbers)}
        for state, numbers in sorted(found.items(), key=lambda item: (item[0] in GOOD, -len(item[1])))
    ]


def spread(ranks: list[dict[str, Any]]) -> list[dict[str, str]]:
    """Of time, CPU time and memory the lowest, the middle and the highest, with whose they are."""
    kinds = (("took", "Time", took), ("cpu", "CPU time", took), ("memory", "Memory, at most", bytes_of))
    found = []
    for key, label, say in kinds:
        known = sorted((row[key], row["rank"]) for row in ranks if row[key] is not None)
        if known:
            low, middle, high = known[0], known[len(known) // 2], known[-1]
            texts = {"low": say(low[0]), "low_rank": low[1], "middle": say(middle[0])}
            found.append({"label": label, **texts, "high": say(high[0]), "high_rank": high[1]})
    return found


def outliers(ranks: list[dict[str, Any]]) -> list[str]:
    """Sentences that name ranks out of the ordinary."""
    kinds = (
        ("start", "started late", "started early", took),
        ("took", "took long", "ended early", took),
        ("memory", "needed much memory", "needed little memory", bytes_of),
    )
    return [text for key, high, low, say in kinds for text in _outliers(ranks, key, high, low, say)]


def _outliers(ranks: list[dict[str, Any]], key: str, high: str, low: str, say: Any) -> list[str]:
    known = [row for row in ranks if row[key] is not None]
    if len(known) < 8:
        return []
    first, middle, third = quantiles((row[key] for row in known), n=4)
    far = FAR * max(third - first, 0.02 * abs(middle))
    texts = []
    for text, found in (
        (high, sorted((row for row in known if row[key] > third + far), key=lambda row: -row[key])),
        (low, sorted((row for row in known if row[key] < first - far), key=lambda row: row[key])),
    ):
        if found:
            names = ", ".join(f"rank {row['rank']} ({say(row[key])})" for row in found[:MOST_NAMED])
            more = f" and {len(found) - MOST_NAMED:,} more" if len(found) > MOST_NAMED else ""
            texts.append(f"{names}{more} {text}; the middle of all is {say(middle)}.")
    return texts


def chosen(ranks: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The rows of the table: all of few; of many those that ended badly, then the longest, in order of rank."""
    if len(ranks) > MOST_ROWS:
        order = sorted(ranks, key=lambda row: (row["state"] in GOOD, -(row["took"] or 0.0), row["rank"]))
        ranks = sorted(order[:MOST_ROWS], key=lambda row: row["rank"])
    return [
        {
            "rank": row["rank"],
            "node": row["node"],
            "look": look(row["state"]),
            "told": told(row),
            "start": "" if row["start"] is None else f"{row['start']:.3f} s",
            "cpu": "" if row["cpu"] is None else took(row["cpu"]),
            "memory": "" if row["memory"] is None else bytes_of(row["memory"]),
        }
        for row in ranks
    ]
