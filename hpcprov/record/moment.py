"""Moments: nanoseconds since the epoch, as in the log, and ISO 8601 UTC text with nanoseconds, as in a record.

iso(1795000000123456789)  ->  "2026-11-18T10:26:40.123456789Z"
"""

from __future__ import annotations

import time
from calendar import timegm

SECOND = 1_000_000_000


def iso(ns: int) -> str:
    """ISO 8601 text of a moment; 0 <= ns < 2**63."""
    seconds, rest = divmod(ns, SECOND)
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(seconds))}.{rest:09d}Z"


def ns(text: str) -> int:
    """Nanoseconds since the epoch of `iso` text; fraction and `Z` may be missing. Raises ValueError."""
    whole, _, fraction = text.removesuffix("Z").partition(".")
    if fraction and not (fraction.isascii() and fraction.isdigit()):
        raise ValueError(f"{text!r} is not an ISO 8601 UTC time")
    return timegm(time.strptime(whole, "%Y-%m-%dT%H:%M:%S")) * SECOND + int(fraction[:9].ljust(9, "0"))
