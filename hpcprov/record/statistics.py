"""The statistics of a field checked at the border: what a reader or a log may say (docs/statistics.md).

    is_statistics({"count": 3, "missing": 0, "min": 1.5, "max": 9.0, "values": [[1.5, 1], [9.0, 2]], "order": "none"})
    -> True

Members that are not known are let through, as everywhere in a record; whoever shows them escapes what he shows.
"""

from __future__ import annotations

from math import isfinite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

COUNTS = ("count", "missing", "zeros", "positive", "negative", "infinite", "distinct", "duplicates")
LENGTHS = ("min_length", "max_length")
EXTREMES = ("min", "max", "step")
MEASURES = ("mean", "std")
ORDERS = ("increasing", "non-decreasing", "decreasing", "non-increasing", "constant", "none")
#: Values of which a reader may list no more, and characters of one.
VALUES, LONGEST = 20, 1001
#: No integer is so large: neither those of a type nor whole floats, as canonical JSON writes them.
LARGEST = 10**21


def is_statistics(value: Any) -> bool:
    return (
        type(value) is dict
        and all(is_count(value.get(name)) for name in (*COUNTS, *LENGTHS))
        and all(value.get(name) is None or is_value(value[name]) for name in EXTREMES)
        and all(value.get(name) is None or (is_value(value[name]) and is_real(value[name])) for name in MEASURES)
        and value.get("order") in (None, *ORDERS)
        and (value.get("values") is None or _are_values(value["values"]))
        and (value.get("uncounted") is None or _are_reasons(value["uncounted"]))
    )


def spread(statistics: dict[str, Any] | None) -> str:
    """`-1.5 to 9.25, 3 missing`: what lists have room for; empty when nothing is known. Untrusted text, as it came."""
    told = []
    if statistics and statistics.get("min") is not None and statistics.get("max") is not None:
        told.append(f"{short(statistics['min'])} to {short(statistics['max'])}")
    if statistics and statistics.get("missing"):
        told.append(f"{statistics['missing']:,} missing")
    return ", ".join(told)


def short(value: Any, digits: int = 6, most: int = 24) -> str:
    """A value in few characters: a float with so many digits."""
    if type(value) is bool:
        return "true" if value else "false"
    text = f"{value:.{digits}g}" if type(value) is float else str(value)
    return text if len(text) <= most else f"{text[: most - 1]}…"


def is_count(value: Any) -> bool:
    return value is None or (type(value) is int and value >= 0)


def is_real(value: Any) -> bool:
    return type(value) in (int, float)


def is_value(value: Any) -> bool:
    """A finite number, a truth value, or text that is not too long. (Canonical JSON writes 1e20 as an integer.)"""
    if type(value) is str:
        return len(value) <= LONGEST
    if type(value) is float:
        return isfinite(value)
    return type(value) is bool or (type(value) is int and abs(value) < LARGEST)


def _are_values(values: Any) -> bool:
    return (
        type(values) is list
        and len(values) <= VALUES
        and all(type(one) is list and len(one) == 2 and is_value(one[0]) and is_count(one[1]) for one in values)
    )


def _are_reasons(reasons: Any) -> bool:
    return (
        type(reasons) is dict
        and len(reasons) <= len(COUNTS)
        and all(type(text) is str and len(text) <= LONGEST for text in reasons.values())
    )
