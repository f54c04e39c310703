"""Bounds of a constraint held against elements of any type, exactly, and elements as JSON.

    below(np.array([1, 2], "u1"), 1.5)        ->  [True, False]      not at least 1.5
    above(np.array([0.1], "f4"), 0.1)         ->  [True]             a float that lies above a double
    of_text("2024-02-01 12:00", days)         ->  Fraction(39509, 2)     days since 1970

Integers are compared with doubles and doubles with integers as the numbers that they are, times by their text.
"""

from __future__ import annotations

import datetime
import math
import re
from fractions import Fraction
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.types import Type
from hpcprov.quality.constraints.kinds import DURATION, INFINITE

Flags: TypeAlias = NDArray[np.bool_]
Number: TypeAlias = int | float | Fraction

NUMBERS = ("bool", "int", "real")
LONGEST = 1000
DATE = re.compile(
    r"([+-]?\d{4,19})[-/](\d{1,2})[-/](\d{1,2})"
    r"(?:[ T](\d{1,2}):(\d{2})(?::(\d{2})(?:\.(\d{1,18}))?)?\s?(Z|[+-]\d{2}:?\d{2})?)?"
)
TIME_TYPE = re.compile(r"[Mm]8\[(\d+)([a-zA-Z]+)(,UTC)?\]")
#: Seconds of a unit; months and years are calendar units.
SECONDS = {
    **{"W": Fraction(604800), "D": Fraction(86400), "h": Fraction(3600), "m": Fraction(60), "s": Fraction(1)},
    **{unit: Fraction(1, 1000**power) for power, unit in enumerate(("ms", "us", "ns", "ps", "fs", "as"), 1)},
}
MONTHS = {"Y": 12, "M": 1}
EPOCH = datetime.date(1970, 1, 1).toordinal()


def unit_of(kind: Type) -> tuple[int, str, bool]:
    """How many of which unit a time type counts, and whether it is UTC."""
    match = TIME_TYPE.fullmatch(kind.text)
    assert match is not None
    return int(match[1]), match[2], match[3] is not None


def bound_for(value: Any, family: str, kind: Type) -> Any:
    """A value of the file as one that elements of that type can be compared with; None where they cannot."""
    if family in NUMBERS:
        number = INFINITE.get(value) if type(value) is str else value
        return int(number) if type(number) is bool else number
    if family == "date":
        return of_text(value, kind) if type(value) is str else None
    if family == "duration":
        return of_duration(value, kind) if type(value) is str else None
    return value if family == "string" and type(value) is str else None


def of_text(text: str, kind: Type) -> Number | None:
    """A date in units of a time type since 1970; with an offset in UTC. None for text that is none."""
    match = DATE.fullmatch(text.strip())
    if match is None:
        return None
    count, unit, _ = unit_of(kind)
    year, month, day = (int(match[at]) for at in (1, 2, 3))
    hour, minute, second = (int(match[at] or 0) for at in (4, 5, 6))
    if not (1 <= month <= 12 and 1 <= day <= 31 and hour <= 24 and minute < 60 and second <= 60):
        return None
    days = _days(year, month, day)
    if days is None:
        return None
    seconds = days * 86400 + hour * 3600 + minute * 60 + second - _offset(match[8])
    exact = seconds + Fraction(int(match[7] or 0), 10 ** len(match[7] or ""))
    if unit in MONTHS:
        months = (year - 1970) * 12 + month - 1
        inside = exact != _days(year, month, 1) * 86400  # type: ignore[operator]
        return (Fraction(months) + (Fraction(1, 2) if inside else 0)) / (MONTHS[unit] * count)
    return exact / (SECONDS[unit] * count)


def _days(year: int, month: int, day: int) -> int | None:
    """Days since 1970 in the proleptic Gregorian calendar, of any year: it repeats every 400."""
    cycles, within = divmod(year - 1, 400)
    try:
        return datetime.date(within + 1, month, day).toordinal() - EPOCH + cycles * 146097
    except ValueError:
        return None


def _offset(zone: str | None) -> int:
    if zone is None or zone == "Z":
        return 0
    digits = zone[1:].replace(":", "")
    seconds = int(digits[:2]) * 3600 + int(digits[2:]) * 60
    return -seconds if zone[0] == "-" else seconds


def of_duration(text: str, kind: Type) -> Number | None:
    """A duration such as `86400 s` in units of a time type; None where the units do not go together."""
    match = DURATION.fullmatch(text)
    if match is None:
        return None
    count, unit, _ = unit_of(kind)
    number, given = int(match[1]), match[2]
    if (unit in MONTHS) != (given in MONTHS):
        return None
    if unit in MONTHS:
        return Fraction(number * MONTHS[given], MONTHS[unit] * count)
    return number * SECONDS[given] / (SECONDS[unit] * count)


def below(values: NDArray[Any], bound: Number, *, strict: bool = False) -> Flags:
    """Which elements are not at least the bound (`strict`: not above it)."""
    if values.dtype.kind == "f":
        limit = _float_at_least(values.dtype, bound)
        return np.asarray(values <= limit if strict and limit.item() == bound else values < limit)
    whole = _rounded(bound, math.floor, 1) if strict else _rounded(bound, math.ceil, 0)
    bounds = np.iinfo(values.dtype)
    if whole > bounds.max or whole <= bounds.min:
        return np.full(len(values), whole > bounds.max)
    return np.asarray(values < values.dtype.type(int(whole)))


def above(values: NDArray[Any], bound: Number, *, strict: bool = False) -> Flags:
    """Which elements are not at most the bound (`strict`: not below it)."""
    if values.dtype.kind == "f":
        limit = -_float_at_least(values.dtype, -bound)
        return np.asarray(values >= limit if strict and limit.item() == bound else values > limit)
    whole = _rounded(bound, math.ceil, -1) if strict else _rounded(bound, math.floor, 0)
    bounds = np.iinfo(values.dtype)
    if whole < bounds.min or whole >= bounds.max:
        return np.full(len(values), whole < bounds.min)
    return np.asarray(values > values.dtype.type(int(whole)))


def _rounded(bound: Number, rounded: Any, more: int) -> Number:
    return bound if isinstance(bound, float) and math.isinf(bound) else rounded(bound) + more


def _float_at_least(dtype: np.dtype[Any], bound: Number) -> Any:
    """The smallest float of that type that is not below the bound."""
    with np.errstate(all="ignore"):
        try:
            found = dtype.type(float(bound))
        except OverflowError:
            found = dtype.type(math.inf if bound > 0 else -math.inf)
        if not np.isinf(found) and found.item() < bound:
            found = np.nextafter(found, dtype.type(np.inf))
        elif np.isinf(found) and found < 0 and not (isinstance(bound, float) and math.isinf(bound)):
            found = -np.finfo(dtype).max
    return found


def as_json(value: Any, family: str, kind: Type) -> Any:
    """An element as the file and the answers have it."""
    if value is None:
        return None
    if family == "bool":
        return bool(value)
    if family == "real":
        number = float(value)
        return number if math.isfinite(number) else ("nan" if math.isnan(number) else "inf" if number > 0 else "-inf")
    if family == "int":
        return int(value)
    if family == "date":
        return date_text(int(value), kind)
    if family == "duration":
        count, unit, _ = unit_of(kind)
        return f"{int(value) * count} {unit}"
    text = str(value)
    return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def date_text(value: int, kind: Type) -> str:
    """A time as TDDA writes it: `2024-02-01 12:00:00`, with `+00:00` at the end when it is UTC; a day as a day."""
    count, unit, utc = unit_of(kind)
    text = str(np.array(value, np.int64).view(f"M8[{count}{unit}]"))
    day, _, clock = text.partition("T")
    if unit in ("Y", "M", "W", "D"):
        return day + "-01" * (2 - day.lstrip("+-").count("-"))
    clock += ":00" * (2 - clock.count(":"))
    clock = clock.rstrip("0").rstrip(".") if "." in clock else clock
    if "." in clock:
        clock = clock.ljust(len("12:00:00.123456"), "0")  # TDDA takes the digits for microseconds
    return f"{day} {clock}{'+00:00' if utc else ''}"


def microseconds(value: int, kind: Type, *, up: bool) -> int:
    """A time rounded to whole microseconds, as far as TDDA's dates go: down, or up."""
    count, unit, _ = unit_of(kind)
    if unit not in ("ns", "ps", "fs", "as"):
        return value
    step = SECONDS["us"] / (SECONDS[unit] * count)
    whole = math.ceil(value / step) if up else math.floor(value / step)
    return int(whole * step)
