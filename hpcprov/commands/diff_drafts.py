"""What a process that was ended has left of the file that it was writing is removed.

with swept("out.zarr") as pids:
    pids.append(child.pid)
    ...                     # an error or a signal: .out.zarr.draft-4711-... goes, once the child has ended
"""

from __future__ import annotations

import os
from contextlib import contextmanager

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator


@contextmanager
def swept(place: str | None) -> Iterator[list[int]]:
    """A list for the processes that write to `place`; on any error their drafts are removed."""
    pids: list[int] = []
    try:
        yield pids
    except BaseException:
        if place is not None:
            for pid in pids:
                _remove(place.rstrip("/"), pid)
        raise


def _remove(place: str, pid: int) -> None:
    """The drafts of one process: as `data.write_arrays` and `data.write_table` name them."""
    from shutil import rmtree

    folder, name = os.path.split(place)
    begin, table = f".{name[:100]}.draft-{pid}-", f"{name}.{pid}.part"
    try:
        found = [item for item in os.listdir(folder or ".") if item.startswith(begin) or item == table]
    except OSError:
        return
    for item in found:
        path = os.path.join(folder, item)
        if os.path.isdir(path) and not os.path.islink(path):
            rmtree(path, ignore_errors=True)
        else:
            try:
                os.unlink(path)
            except OSError:
                pass
