"""Many runs on one time line: few as a bar each, many as a row for each name.

    gantt(lines)  ->  {"rows": [{"name": "simulate", "bars": [{"x": 212.0, "width": 391.5, "look": "good"}], ...}],
                       "axis": ["2026-11-21 14:25:20", "14:25:22", "14:25:24 UTC"], ...}

A bar's `x` and `width` are of WIDE units, which are the whole time.
"""

from __future__ import annotations

from hpcprov.record import moment
from hpcprov.record.wording import count
from hpcprov.report.assets import utc
from hpcprov.report.grouped import pattern
from hpcprov.report.told import took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.report.line import Line

WIDE = 1000.0
THIN = 3.0  # no bar is less wide
MOST_ROWS = 80
MOST_NAMES = 40
SLOTS = 250  # of a row with more bars than that
WORST = ("bad", "warn", "busy", "good")


def gantt(lines: list[Line]) -> dict[str, Any] | None:
    """The time line; None when the time of none is known. `lines`: as line_of gives them."""
    spans = [(line, *span) for line in lines if (span := _span(line)) is not None]
    if not spans:
        return None
    spans.sort(key=lambda entry: (entry[1], entry[0]["kind"] == "command"))
    first, last = min(start for _, start, _ in spans), max(end for _, _, end in spans)
    whole = max(last - first, 1_000_000)
    placed = [(line, _bar(line, (start - first) / whole, (end - first) / whole)) for line, start, end in spans]
    single = len(placed) <= MOST_ROWS
    return {
        "rows": [_row(line, [bar]) for line, bar in placed] if single else _by_name(placed),
        "axis": _axis(first, whole),
        "took": took(whole / moment.SECOND),
        "single": single,
        "unknown": len(lines) - len(spans),
    }


def _axis(first: int, whole: int) -> list[str]:
    """Beginning, middle and end; the day once where it is the same."""
    texts = [utc(moment.iso(first + whole * k // 2)).removesuffix(" UTC") for k in range(3)]
    return texts if texts[0][:10] != texts[2][:10] else [texts[0], texts[1][11:], f"{texts[2][11:]} UTC"]


def _span(line: Line) -> tuple[int, int] | None:
    if line["start"] is None:
        return None
    start = moment.ns(line["start"])
    return start, max(start, moment.ns(line["end"]) if line["end"] else start)


def _bar(line: Line, left: float, right: float) -> dict[str, Any]:
    width = max(THIN, (right - left) * WIDE)
    return {"x": round(min(left * WIDE, WIDE - THIN), 1), "width": round(width, 1), "look": line["status"]["look"]}


def _row(line: Line, bars: list[dict[str, Any]]) -> dict[str, Any]:
    word = line["status"]["word"]
    said = line["took"] if word == "completed" else f"{word}{' after ' + line['took'] if line['took'] else ''}"
    return {"name": line["name"], "id": line["id"], "kind": line["kind"], "bars": bars, "said": said}


def _by_name(placed: list[tuple[Line, dict[str, Any]]]) -> list[dict[str, Any]]:
    """A row for each of the names that the most runs have, and one for the others."""
    found: dict[str, list[tuple[Line, dict[str, Any]]]] = {}
    for line, bar in placed:
        found.setdefault(pattern(line["name"]), []).append((line, bar))
    kept = sorted(found, key=lambda name: -len(found[name]))[:MOST_NAMES]
    rows = [_together(name, found[name]) for name in found if name in kept]
    others = [entry for name in found if name not in kept for entry in found[name]]
    return [*rows, *([_together(f"{count(len(found) - len(kept), 'other name')}", others)] if others else [])]


def _together(name: str, members: list[tuple[Line, dict[str, Any]]]) -> dict[str, Any]:
    bad = sum(line["status"]["look"] in ("bad", "warn") for line, _ in members)
    said = count(len(members), "run") + (f", {bad:,} not completed" if bad else "")
    bars = [bar for _, bar in members]
    return {"name": name, "id": None, "kind": "", "said": said, "bars": bars if len(bars) <= SLOTS else _slots(bars)}


def _slots(bars: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """Which parts of the time were taken, and how badly."""
    taken: dict[int, str] = {}
    for bar in bars:
        for slot in range(int(bar["x"] * SLOTS / WIDE), min(SLOTS, int((bar["x"] + bar["width"]) * SLOTS / WIDE) + 1)):
            taken[slot] = min(taken.get(slot, "good"), bar["look"], key=WORST.index)
    joined: list[dict[str, Any]] = []
    step = WIDE / SLOTS
    for slot, look in sorted(taken.items()):
        if joined and joined[-1]["look"] == look and abs(joined[-1]["x"] + joined[-1]["width"] - slot * step) < 0.01:
            joined[-1]["width"] += step
        else:
            joined.append({"x": slot * step, "width": step, "look": look})
    return joined
