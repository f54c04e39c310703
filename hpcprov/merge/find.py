"""Where the runs of a store are: those in progress, and the records of finished ones, newest day first.

find_record(store, "20261121T093000Z-1f2e3d4c")
-> "/scratch/ada/.hpcprov/records/2026/11/21/20261121T093000Z-1f2e3d4c"
"""

from __future__ import annotations

import os
import re

from hpcprov.record import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.record.layout import Store

YEAR, MONTH = re.compile(r"[0-9]{4}"), re.compile(r"[0-9]{2}")


def run_ids(store: Store) -> list[str]:
    """Ids of the runs in progress, or left behind, sorted."""
    names = [name for name in _names(store.runs) if layout.is_run_id(name)]
    return [name for name in names if _is_directory(store.run(name))]


def days(store: Store) -> Iterator[str]:
    """The directories of the days that have records, newest first."""
    for year in filter(YEAR.fullmatch, reversed(_names(store.records))):
        in_year = os.path.join(store.records, year)
        for month in filter(MONTH.fullmatch, reversed(_names(in_year))):
            in_month = os.path.join(in_year, month)
            for day in filter(MONTH.fullmatch, reversed(_names(in_month))):
                yield os.path.join(in_month, day)


def record_directories(store: Store) -> Iterator[str]:
    """The directories of all records, newest day first."""
    for day in days(store):
        for name in _names(day):
            if layout.is_run_id(name) and _is_directory(os.path.join(day, name)):
                yield os.path.join(day, name)


def find_record(store: Store, run_id: str) -> str | None:
    """The directory of the record of a run, or None."""
    candidates = (os.path.join(day, run_id) for day in days(store))
    return next((path for path in candidates if _is_directory(path)), None)


def _names(directory: str) -> list[str]:
    try:
        return sorted(os.listdir(directory))
    except OSError:
        return []


def _is_directory(path: str) -> bool:
    return os.path.isdir(path) and not os.path.islink(path)
