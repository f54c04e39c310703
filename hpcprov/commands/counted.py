"""The lines of a run's page that tell what Darshan counted: of each log one.

darshan    ada_solve_id4711.darshan: 3 files, 4.2 MB read, 2.2 TB written by 2,048 processes
"""

from __future__ import annotations

from hpcprov.commands.screen import count, cut, size
from hpcprov.report.counted import logs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

MOST_LOGS = 4


def counted(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    found = logs(record)
    yield from (("darshan", cut(_line(one), screen.width)) for one in found[:MOST_LOGS])
    if len(found) > MOST_LOGS:
        yield "darshan", f"... and {len(found) - MOST_LOGS:,} more logs"


def _line(one: dict[str, Any]) -> str:
    processes = one["processes"]
    by = f" by {processes:,} processes" if processes and processes > 1 else ""
    other = "; of another run" if one["other"] else ""
    moved = f"{size(one['read'])} read, {size(one['written'])} written"
    return f"{one['log']}: {count(one['files'], 'file')}, {moved}{by}{other}"
