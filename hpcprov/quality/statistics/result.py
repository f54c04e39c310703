"""Statistics as people and other programs get them: plain JSON, from what was counted.

result(tally)  ->  {"count": 4, "missing": 1, "zeros": 0, "min": "2026-11-21", "max": "2026-11-23", ...}

Infinities are the texts `inf` and `-inf`, times ISO 8601, durations `86400 s`, bytes hexadecimal, text at most 1000
characters. What is not meaningful for the type is None.
"""

from __future__ import annotations

from collections.abc import Callable
from math import frexp, isfinite
from typing import Any

from hpcprov.quality import times
from hpcprov.quality.statistics.distinct import KEYED, VALUES
from hpcprov.quality.statistics.subject import DIGITS
from hpcprov.quality.statistics.tally import Tally

LONGEST = 1000
#: What only numbers have; text, bytes, lists, bool and times have some of them.
SIGNED = ("integer", "float", "bool")
SUMMED = ("integer", "float")
EMPTY = ("integer", "float", "bool", "complex", "text", "bytes", "list")
RANGED = ("integer", "float", "bool", "time", "text")
FEW = ("integer", "float", "bool", "time", "text", "bytes")


def result(tally: Any) -> dict[str, Any]:
    """The statistics that a complete tally stands for."""
    family, shown = tally.subject.family, shown_as(tally.subject.kind.text, tally.subject.family)
    found = {
        "count": tally.count,
        "missing": tally.missing,
        "zeros": tally.zeros if family in EMPTY else None,
        "positive": tally.positive if family in SIGNED else None,
        "negative": tally.negative if family in SIGNED else None,
        "infinite": tally.infinite if family == "float" else None,
        "min": shown(tally.low) if family in RANGED and tally.low is not None else None,
        "max": shown(tally.high) if family in RANGED and tally.high is not None else None,
        "mean": tally.sums.mean if family in SUMMED else None,
        "std": tally.sums.deviation if family in SUMMED else None,
        **_distinct(tally, shown),
        "min_length": getattr(tally, "shortest", None),
        "max_length": getattr(tally, "longest", None),
        **_order(tally),
    }
    reason = _uncounted(tally, found)
    return found if reason is None else found | {"uncounted": {"distinct": reason, "duplicates": reason}}


def _distinct(tally: Tally, shown: Callable[[Any], Any]) -> dict[str, Any]:
    few = tally.few.counts if tally.subject.family in FEW and not tally.parted else None
    distinct = None if tally.parted else tally.distinct
    if distinct is None and few is not None:
        distinct = len(few)
    values = None if few is None or distinct is None or distinct > VALUES else sorted(few.items())
    return {
        "distinct": distinct,
        "values": None if values is None else [[shown(value), count] for value, count in values],
        "duplicates": None if distinct is None else tally.count - tally.missing - distinct,
    }


def _uncounted(tally: Tally, found: dict[str, Any]) -> str | None:
    """Why distinct values were not counted although there are such."""
    subject = tally.subject
    if found["distinct"] is not None or subject.family in ("list", "other"):
        return None
    if tally.parted:
        return "counted in parts"
    if subject.family in ("complex", "opaque"):
        return "only counted in one dimension" if not subject.line else f"more than {KEYED} elements"
    return f"more than {VALUES} in " + (f"more than {KEYED} elements" if subject.line else "several dimensions")


def _order(tally: Tally) -> dict[str, Any]:
    subject = tally.subject
    name = tally.order.name(tally.count) if subject.ordered and not tally.missing else None
    step = None
    if name not in (None, "none") and not tally.infinite and subject.family != "text":
        step = tally.order.step(tally.count, _rounding(tally))
    if step is not None and subject.family == "time":
        return {"order": name, "step": times.duration(int(step), subject.kind.text)}
    return {"order": name, "step": step}


def _rounding(tally: Tally) -> float:
    """By how much elements may be off what they stand for: half a unit in the last place, at both ends of a step."""
    digits = DIGITS.get(tally.subject.kind.text)
    if digits is None or tally.low is None:
        return 0.0
    return float(2.0 ** (frexp(max(abs(tally.low), abs(tally.high)))[1] - digits))


def shown_as(kind: str, family: str) -> Callable[[Any], Any]:
    """How a value of a type is written in JSON."""
    if times.is_time(kind):
        return lambda count: times.text_of(count, kind)
    ways: dict[str, Callable[[Any], Any]] = {"bool": bool, "text": _text, "bytes": _hex, "float": _float}
    return ways.get(family, lambda value: value)


def _float(value: float) -> float | str:
    return value if isfinite(value) else "inf" if value > 0 else "-inf"


def _text(raw: bytes) -> str:
    text = raw.decode("utf-8", "surrogateescape")
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"


def _hex(raw: bytes) -> str:
    text = raw.hex()
    return text if len(text) <= LONGEST else text[:LONGEST] + "…"
