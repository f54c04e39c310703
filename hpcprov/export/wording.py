"""Untrusted text and times of a record as other formats can take them.

told("a\\udcff\\x1b")                        ->  "a\\\\xff\\\\x1b"
local("20261121T093000Z-1f2e3d4c")          ->  "20261121T093000Z-1f2e3d4c"
local("/scratch/a file")                    ->  "sha256-59dc8b3c..."
seconds("2026-11-21T09:30:00.123456789Z")   ->  "2026-11-21T09:30:00.123456Z"
"""

from __future__ import annotations

import re
from hashlib import sha256

from hpcprov.record.text import printable

LONGEST = 10_000
# What every format in question can hold in a name without escapes.
SAFE = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]{0,158}[A-Za-z0-9_-])?")
MOMENT = re.compile(r"([0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2})(?:\.([0-9]{1,9}))?Z?")


def told(text: object) -> str:
    """Any text as printable Unicode, cut where it is longer than anybody reads."""
    text = str(text)
    more = len(text) - LONGEST
    return printable(text[:LONGEST]) + (f"... ({more} characters more)" if more > 0 else "")


def local(text: str) -> str:
    """A name for an identifier: the text itself where it is a plain word, else its digest."""
    return text if SAFE.fullmatch(text) else "sha256-" + sha256(text.encode("utf-8", "surrogatepass")).hexdigest()


def seconds(moment: str | None) -> str | None:
    """A record's moment to the microsecond, which is what others' libraries keep; None for what is no moment."""
    found = MOMENT.fullmatch(moment or "")
    if found is None or found[1] < "0001":
        return None
    return f"{found[1]}.{(found[2] or '').ljust(6, '0')[:6]}Z"
