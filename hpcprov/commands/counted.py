"""The lines of a run's page that tell what Darshan counted: of each log one.

darshan    ada_solve_id4711.darshan: 3 files, 4.2 MB read, 2.2 TB written by 2,048 processes
"""

from __future__ import annotations

import os

from hpcprov.commands.screen import count, cut, size
from hpcprov.record import model

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

MOST_LOGS = 4
# What MPI-IO and HDF5 move goes through POSIX, too; only without that are they what is known.
LOWEST, ABOVE = ("POSIX", "STDIO"), ("MPI-IO", "H5D", "PNETCDF_FILE")


def counted(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    logs = _objects(model.fact(record, "darshan").get("logs"))
    for log in logs[:MOST_LOGS]:
        files = _objects(log.get("files"))
        read, written = (sum(_moved(file, key) for file in files) for key in ("bytes_read", "bytes_written"))
        text = f"{count(len(files), 'file')}, {size(read)} read, {size(written)} written"
        processes = log.get("processes")
        by = f" by {processes:,} processes" if type(processes) is int and processes > 1 else ""
        other = "; of another run" if log.get("differences") else ""
        yield "darshan", cut(f"{os.path.basename(str(log.get('log')))}: {text}{by}{other}", screen.width)
    if len(logs) > MOST_LOGS:
        yield "darshan", f"... and {len(logs) - MOST_LOGS:,} more logs"


def _moved(file: dict[str, Any], key: str) -> int:
    told = file.get("modules")
    modules = told if type(told) is dict else {}
    lowest = [_number(modules.get(name), key) for name in LOWEST if name in modules]
    return sum(lowest) if lowest else max((_number(modules.get(name), key) for name in ABOVE), default=0)


def _number(module: Any, key: str) -> int:
    value = module.get(key) if type(module) is dict else None
    return value if type(value) is int and value > 0 else 0


def _objects(value: Any) -> list[dict[str, Any]]:
    return [item for item in value if type(item) is dict] if type(value) is list else []
