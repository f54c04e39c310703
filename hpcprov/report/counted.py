"""What Darshan counted of a run's files, as the fact `darshan` holds it: of each log a row.

logs(record)[0]  ->  {"log": "ada_solve_id4711.darshan", "files": 3, "read": 4200000, "written": 2, "processes": 8, …}
"""

from __future__ import annotations

import os

from hpcprov.record import model
from hpcprov.record.inside import objects

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

# What MPI-IO and HDF5 move goes through POSIX, too; only without that are they what is known.
LOWEST, ABOVE = ("POSIX", "STDIO"), ("MPI-IO", "H5D", "PNETCDF_FILE")


def logs(record: Record) -> list[dict[str, Any]]:
    """`log` (its name), `files`, bytes `read` and `written`, `processes` (None: not told), `other`: of another run."""
    return [_log(one) for one in objects(model.fact(record, "darshan"), "logs")]


def _log(one: dict[str, Any]) -> dict[str, Any]:
    files = objects(one, "files")
    processes = one.get("processes")
    return {
        "log": os.path.basename(str(one.get("log"))),
        "files": len(files),
        "read": sum(_moved(file, "bytes_read") for file in files),
        "written": sum(_moved(file, "bytes_written") for file in files),
        "processes": processes if type(processes) is int else None,
        "other": bool(one.get("differences")),
    }


def _moved(file: dict[str, Any], key: str) -> int:
    told = file.get("modules")
    modules = told if type(told) is dict else {}
    lowest = [_number(modules.get(name), key) for name in LOWEST if name in modules]
    return sum(lowest) if lowest else max((_number(modules.get(name), key) for name in ABOVE), default=0)


def _number(module: Any, key: str) -> int:
    value = module.get(key) if type(module) is dict else None
    return value if type(value) is int and value > 0 else 0
