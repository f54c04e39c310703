"""Files that commands write: never over what they read, and nothing half-written is left.

check_not_read("out.csv", "data.csv")    # HpcprovError when both are one file
with swept("out.zarr") as pids:
    pids.append(child.pid)
    ...                     # an error or a signal: .out.zarr.draft-4711-... goes, once the child has ended
"""

from __future__ import annotations

import os
from contextlib import contextmanager

from hpcprov.record.drafts import discard, drafts_of
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


def check_not_read(place: str | None, *paths: str) -> None:
    """Raises HpcprovError when an output would take the place of what is read, --force or not."""
    for path in paths:
        try:
            same = place is not None and os.path.samefile(place, path)
        except (OSError, ValueError):
            continue  # one of them is not there
        if same:
            raise HpcprovError(f"{place!a} is what is read: write to another place")


@contextmanager
def swept(place: str | None) -> Iterator[list[int]]:
    """A list for the processes that write to `place`; on any error their drafts are removed."""
    pids: list[int] = []
    try:
        yield pids
    except BaseException:
        if place is not None:
            for left in [draft for pid in pids for draft in drafts_of(place.rstrip("/"), pid)]:
                discard(left)
        raise
