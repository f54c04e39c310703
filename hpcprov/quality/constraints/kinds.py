"""The kinds of constraints that a field may have, and what their values may be.

    check_value("sign", "positive")        # fine
    check_value("sign", "plus")            # raises BadConstraint: must be one of positive, non-negative, ...

Those of STANDARD are TDDA's (its tdda_json_file_format.md), with its names, values and meaning. Those of FURTHER are
for arrays and coordinates, in the same place and form; TDDA names them on stderr and goes on.
"""

from __future__ import annotations

import math
import re

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

STANDARD = (
    *("type", "min", "max", "min_length", "max_length", "sign", "max_nulls", "no_duplicates", "allowed_values", "rex"),
)
FURTHER = ("dtype", "shape", "finite", "order", "step", "max_gap", "units")
KINDS = (*STANDARD, *FURTHER)

TYPES = ("bool", "int", "real", "date", "string")
SIGNS = ("positive", "non-negative", "zero", "non-positive", "negative", "null")
ORDERS = ("increasing", "non-decreasing", "decreasing", "non-increasing", "constant")
PRECISIONS = ("open", "closed", "fuzzy")

#: What an axis of any extent is in a shape.
ANY = (None, "*")
#: Bounds of what an untrusted file may ask for.
MOST_VALUES, MOST_PATTERNS, LONGEST_PATTERN, LONGEST_TEXT, MOST_AXES = 100_000, 1000, 10_000, 10_000, 64
#: The largest double: JSON has integers beyond it.
LARGEST_NUMBER = 1.7976931348623157e308
INFINITE = {"inf": math.inf, "-inf": -math.inf}
DURATION = re.compile(r"(-?\d{1,40}) (Y|M|W|D|h|m|s|ms|us|ns|ps|fs|as)")


class BadConstraint(HpcprovError):
    """A value that a constraint cannot have; the message says what it may be."""


def check_value(kind: str, value: Any) -> None:
    """Raises BadConstraint unless `value` (never None) is one that a constraint of that kind may have."""
    told = CHECKS[kind](value)
    if told is not None:
        raise BadConstraint(told)


def _one_of(*allowed: str) -> Callable[[Any], str | None]:
    def check(value: Any) -> str | None:
        return None if type(value) is str and value in allowed else f"must be one of {', '.join(allowed)}"

    return check


def _type(value: Any) -> str | None:
    wanted = value if type(value) is list else [value]
    fine = bool(wanted) and len(wanted) <= len(TYPES) and all(type(one) is str and one in TYPES for one in wanted)
    return None if fine else f"must be one of {', '.join(TYPES)}, or a list of these"


def is_scalar(value: Any) -> bool:
    """Whether a value of the file can be one of data: a number that is no NaN, a bool, text."""
    if type(value) is float:
        return not math.isnan(value)
    return type(value) in (bool, int) or (type(value) is str and len(value) <= LONGEST_TEXT)


def _bound(value: Any) -> str | None:
    return None if is_scalar(value) else "must be a number, a bool, a date or a text"


def _count(value: Any) -> str | None:
    fine = type(value) in (int, float) and 0 <= value <= LARGEST_NUMBER
    return None if fine else "must be a number that is not negative"


def _flag(value: Any) -> str | None:
    return None if type(value) is bool else "must be true or false"


def _values(value: Any) -> str | None:
    if type(value) is list and len(value) <= MOST_VALUES and all(one is None or is_scalar(one) for one in value):
        return None
    return f"must be a list of at most {MOST_VALUES} numbers, bools, dates or texts"


def _patterns(value: Any) -> str | None:
    fine = type(value) is list and len(value) <= MOST_PATTERNS
    if not fine or not all(type(one) is str and len(one) <= LONGEST_PATTERN for one in value):
        return f"must be a list of at most {MOST_PATTERNS} regular expressions of at most {LONGEST_PATTERN} characters"
    return None


def _text(value: Any) -> str | None:
    return None if type(value) is str and len(value) <= LONGEST_TEXT else "must be a text"


def _shape(value: Any) -> str | None:
    if type(value) is list and len(value) <= MOST_AXES and all(map(_is_extent, value)):
        return None
    return 'must be a list of extents, with null or "*" for an axis of any extent'


def _is_extent(value: Any) -> bool:
    return value is None or value == "*" or (type(value) is int and value >= 0)


def _difference(value: Any) -> str | None:
    fine = type(value) in (int, float) and abs(value) <= LARGEST_NUMBER
    if fine or (type(value) is str and DURATION.fullmatch(value)):
        return None
    return 'must be a number, or of times a duration such as "86400 s"'


def _step(value: Any) -> str | None:
    return None if value is True else _difference(value)


CHECKS: dict[str, Callable[[Any], str | None]] = {
    "type": _type, "min": _bound, "max": _bound, "min_length": _count, "max_length": _count,
    "sign": _one_of(*SIGNS), "max_nulls": _count, "no_duplicates": _flag, "allowed_values": _values, "rex": _patterns,
    "dtype": _text, "shape": _shape, "finite": _flag, "order": _one_of(*ORDERS), "step": _step,
    "max_gap": _difference, "units": _text,
}  # fmt: skip
