"""What a run used over time, node by node: processor cores, memory, bytes read and written, as curves of a picture.

The facts `resources` hold one series per node (docs/facts.md). A few nodes get a curve each; of many the picture shows
the band between the lowest and the highest, and the middle, and the nodes with the highest peaks are named.

    curves(record)["panels"][0]  ->  {"label": "Processor cores in use", "top": "2.1 cores", "areas": […], …}
"""

from __future__ import annotations

from statistics import median

from hpcprov.record import model
from hpcprov.record.inside import items, part
from hpcprov.report.told import bytes_of, number, took

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

    Points = list[tuple[float, float]]

MOST_CURVES = 4  # nodes with a curve of their own
MOST_NAMED = 3
MOST_NODES = 1000  # whose series are looked at
MOST_POINTS = 240  # of a series: no sampler writes more
STEPS = 96  # moments at which many curves are compared
WIDE, HIGH = 600.0, 100.0


def _cores(value: float) -> str:
    return f"{value:.3g} core{'' if value == 1 else 's'}"


def _rate(value: float) -> str:
    return f"{bytes_of(value)}/s"


#: column of the series, what it says, how a value is written, and whether it is an amount within each point.
PANELS = (
    ("cpu", "Processor cores in use", _cores, True),
    ("rss", "Memory", bytes_of, False),
    ("read", "Read from storage", _rate, True),
    ("write", "Written to storage", _rate, True),
)


def curves(record: Record) -> dict[str, Any] | None:
    """The panels and totals; None when nothing was sampled."""
    told = [(name, fact.get("value")) for names, fact in model.facts(record, "resources") for name in names]
    known = [(name, value) for name, value in told[:MOST_NODES] if type(value) is dict]
    if not known:
        return None
    series = [(name, part(value, "series")) for name, value in known]
    span = max((last(one) for _, one in series), default=0.0)
    panels = [panel(series, span, *kind) for kind in PANELS] if span > 0 else []
    drawn = [one for one in panels if one is not None]
    if not drawn and not any(number(value.get("rss")) for _, value in known):
        return None  # it was over before there was anything to see
    return {
        "nodes": len(known),
        "panels": drawn,
        "axis": [took(span * share / 2) for share in range(3)],
        "totals": totals([value for _, value in known]),
    }


def totals(values: list[dict[str, Any]]) -> list[tuple[str, str]]:
    """Labelled sums over all nodes."""
    sums = {key: sum(number(value.get(key)) or 0.0 for value in values) for key in ("cpu", "read", "write")}
    peak = max((number(value.get("rss")) or 0.0 for value in values), default=0.0)
    where = "" if len(values) == 1 else " of a node"
    return [
        ("CPU time", took(sums["cpu"])),
        (f"Peak memory{where}", bytes_of(peak)),
        ("Read from storage", bytes_of(sums["read"])),
        ("Written to storage", bytes_of(sums["write"])),
    ]


def last(series: dict[str, Any]) -> float:
    """The time of the last point, in seconds after the first sample."""
    times = [known for value in items(series, "time") if (known := number(value)) is not None]
    return max(times, default=0.0)


def points(series: dict[str, Any], key: str, *, amount: bool) -> Points:
    """(time, value) of a series; an amount becomes a rate, the same from the point before on. The first point's amount
    came up before there was a sample, so nothing is known of its rate."""
    found: Points = []
    before: float | None = None
    for moment, value in zip(items(series, "time")[:MOST_POINTS], items(series, key), strict=False):
        at, known = number(moment), number(value)
        if at is None or known is None or at < 0 or (before is not None and at <= before):
            continue
        if not amount:
            found.append((at, max(known, 0.0)))
        elif before is not None:
            rate = max(known, 0.0) / (at - before)
            found += [(before, rate), (at, rate)]
        before = at
    return found


def panel(
    series: list[tuple[str, dict[str, Any]]], span: float, key: str, label: str, say: Any, amount: bool
) -> dict[str, Any] | None:
    """One picture; None where no node has two points."""
    known = [(name, points(one, key, amount=amount)) for name, one in series]
    known = [(name, one) for name, one in known if len(one) > 1]
    top = max((value for _, one in known for _, value in one), default=0.0)
    if not known:
        return None
    high = top or 1.0
    peaks = sorted(((max(value for _, value in one), name) for name, one in known), reverse=True)
    few = len(known) <= MOST_CURVES
    named = "; ".join(f"{name}: at most {say(value)}" for value, name in peaks[:MOST_NAMED])
    more = f"; {len(peaks) - MOST_NAMED:,} more nodes below" if len(peaks) > MOST_NAMED else ""
    return {
        "label": label,
        "top": say(top),
        "lines": [line(one, span, high) for _, one in known] if few else [],
        "area": area([(at, 0.0, value) for at, value in known[0][1]], span, high) if len(known) == 1 else "",
        **({} if few else _band([one for _, one in known], span, high)),
        "text": named + more,
    }


def _band(known: list[Points], span: float, high: float) -> dict[str, Any]:
    times = [span * (k + 1) / STEPS for k in range(STEPS)]
    columns = list(zip(*(_at(one, times) for one in known), strict=True))
    edges = [(at, min(values), max(values)) for at, values in zip(times, columns, strict=True)]
    middle = [(at, median(values)) for at, values in zip(times, columns, strict=True)]
    return {"area": area(edges, span, high), "lines": [line(middle, span, high)]}


def _at(known: Points, times: list[float]) -> list[float]:
    """The value of a series at each of these moments: that of the point within which it lies; 0 once it has ended."""
    found, k = [], 0
    for moment in times:
        while k < len(known) and known[k][0] < moment * (1 - 1e-9):
            k += 1
        found.append(known[k][1] if k < len(known) else 0.0)
    return found


def line(known: Points, span: float, high: float) -> str:
    """The `points` of an SVG polyline."""
    return " ".join(f"{x(at, span)},{y(value, high)}" for at, value in known)


def area(edges: list[tuple[float, float, float]], span: float, high: float) -> str:
    """The `points` of an SVG polygon between two curves: (time, lower, upper)."""
    upper = [f"{x(at, span)},{y(value, high)}" for at, _, value in edges]
    lower = [f"{x(at, span)},{y(value, high)}" for at, value, _ in reversed(edges)]
    return " ".join(upper + lower)


def x(seconds: float, span: float) -> str:
    return f"{min(seconds / span, 1.0) * WIDE:.1f}"


def y(value: float, high: float) -> str:
    return f"{HIGH - value / high * (HIGH - 4):.1f}"
