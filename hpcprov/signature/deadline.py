"""A moment at which hashing stops: `time.monotonic()` seconds, or None for never.

check(deadline)         # raises TimeUp when it has passed
"""

from __future__ import annotations

import time

from hpcprov.record.errors import HpcprovError


class TimeUp(HpcprovError):
    """The time for hashing is over."""


def check(deadline: float | None) -> None:
    """Raises TimeUp when the moment has passed."""
    if deadline is not None and time.monotonic() >= deadline:
        raise TimeUp("time")
