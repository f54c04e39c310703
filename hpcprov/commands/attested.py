"""Who claims to vouch for a record, in sentences: what `record.sig` beside it says. No signature is checked here.

sentences(record, "…/records/2026/11/21/x")
-> ["by SHA256:wq… (not checked)"]
"""

from __future__ import annotations

import os

from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

MOST_KEYS = 4


def sentences(record: Record, directory: str) -> list[str]:
    """What the page of a run says; nothing when nobody vouches for it and nobody was meant to."""
    if "seal" not in record:
        return []
    from hpcprov.attest import automatic, beside, intact

    is_there = os.path.lexists(os.path.join(directory, layout.SIGNATURE))
    try:
        found = beside.state(directory, *intact.read(directory)) if is_there else None
    except (HpcprovError, OSError) as error:
        return [f"not known: {beside.reason(error)}"]
    why_not = automatic.why_not(directory)
    told = [] if found is None else [_told(found, record)]
    return told + ([f"not by itself: {why_not}"] if why_not is not None and found is None else [])


def _told(found: dict[str, Any], record: Record) -> str:
    name = record["run"]["id"]
    if not found["fits"]:
        return f"{found['reason']}: `hpcprov attest {name}` signs what is there now"
    keys = found["keys"]
    more = f" and {len(keys) - MOST_KEYS} more" if len(keys) > MOST_KEYS else ""
    return f"by {', '.join(keys[:MOST_KEYS])}{more} (not checked)"
