"""Where records lie, day by day, and how it shows that a day has changed.

    days(store)  ->  {"2026/11/21": 1795270922172913772}

Whoever publishes or revises a record changes its day's directory (merge/publish.py), so that a day whose directory
has the mtime that it had need not be listed again.
"""

from __future__ import annotations

import os
import time

from hpcprov.merge import find
from hpcprov.record import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable

    from hpcprov.record.layout import Store

#: ns within which a directory may change again and have the same mtime; on other machines' file systems their clocks
#: and caches are in between.
TICK = {True: 2_000_000_000, False: 60_000_000_000}


def days(store: Store) -> dict[str, int]:
    """The mtime (ns) of each day's directory, newest day first."""
    found = {}
    for path in find.days(store):
        try:
            found[path[-len("2026/11/21") :]] = os.stat(path).st_mtime_ns
        except OSError:
            continue
    return found


def closed(store: Store, listed: Iterable[str]) -> list[str]:
    """The directories of records that may not be read, of those above the days and of the days `listed`."""
    years = [os.path.join(store.records, year) for year in _names(store.records)]
    months = [os.path.join(year, month) for year in years for month in _names(year)]
    paths = [store.records, *years, *months, *(os.path.join(store.records, day) for day in listed)]
    return [path for path in paths if os.path.isdir(path) and not os.access(path, os.R_OK | os.X_OK)]


def _names(path: str) -> list[str]:
    try:
        return os.listdir(path)
    except OSError:
        return []


def settled(changed: int, *, local: bool) -> int:
    """The mtime to remember of a day that is being listed now; 0 when it could change without another mtime."""
    return changed if time.time_ns() - changed > TICK[local] else 0


def places(store: Store, day: str) -> list[str]:
    """The places in the store of the records of a day."""
    try:
        with os.scandir(os.path.join(store.records, day)) as entries:
            names = sorted(e.name for e in entries if layout.is_run_id(e.name) and e.is_dir(follow_symlinks=False))
    except OSError:
        return []
    return [f"records/{day}/{name}" for name in names]
