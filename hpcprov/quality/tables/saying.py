"""What text says: the number, the truth or the instant that it spells, where it stands against a column of those.

    >>> number(b" 1e3"), number(b"n/a"), truth(b"TRUE"), instant(b"1970-01-01T01:00:00+01:00")
    (1000.0, b'n/a', True, 0)

Text that spells none is kept as it is, so that it is equal to no number. Empty text is not missing.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime, timedelta

INTEGER = re.compile(rb" *[+-]?[0-9]{1,40} *")
FLOAT = re.compile(rb" *[+-]?((\d+\.?\d*|\.\d+)([eE][+-]?\d{1,5})?|inf(inity)?|nan) *", re.IGNORECASE | re.ASCII)
STAMP = re.compile(rb" *(\d{4}-\d\d-\d\d)([T ](\d\d:\d\d(:\d\d)?)(\.(\d{1,18}))?)? ?(Z|[+-]\d\d:?\d\d)? *", re.ASCII)
LONGEST = 400
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
ATTO = 10**18


def number(text: bytes) -> int | float | bytes:
    """The number, an integer exactly."""
    if len(text) < LONGEST and INTEGER.fullmatch(text):
        return int(text)
    if len(text) < LONGEST and FLOAT.fullmatch(text):
        return float(text)
    return text


def truth(text: bytes) -> bool | bytes:
    """True or False."""
    return {b"true": True, b"false": False}.get(text.strip().lower(), text)


def instant(text: bytes) -> int | bytes:
    """Attoseconds since 1970 in UTC, of a date or a time with or without a zone."""
    match = STAMP.fullmatch(text) if len(text) < LONGEST else None
    if match is None:
        return text
    day, _, clock, _, _, fraction, zone = (None if group is None else group.decode() for group in match.groups())
    try:
        moment = datetime.fromisoformat(f"{day}T{clock or '00:00'}{zone or 'Z'}")
    except ValueError:
        return text
    whole = (moment - EPOCH) // timedelta(seconds=1)
    return whole * ATTO + int((fraction or "").ljust(18, "0"))


def attoseconds(count: int, step: int) -> int | None:
    """The instant of a count; None for what is no time."""
    return None if count == -(2**63) else count * step
