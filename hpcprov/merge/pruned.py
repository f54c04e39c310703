"""Output that was dropped on purpose: lists beside the record of which sealed logs, when, and by whom.

    pruned.1.json  {"format": "hpcprov-pruned", "version": 1, "time": "2026-11-21T09:30:00.000000000Z",
                    "by": {"uid": 1000, "name": "ada"},
                    "logs": [{"name": "n1.8123-4711.0.out", "bytes": 8190, "sha256": "…"}]}

    dropped(record, directory)  ->  the entries that the seal has of logs that are on such a list and gone

A list excuses what it names and nothing else: only output (`.out`), only with the length and digest that were sealed.
The events of a run (`.log`) are never dropped.
"""

from __future__ import annotations

import json
import os
import re
import stat

from hpcprov.record import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

FORMAT, VERSION = "hpcprov-pruned", 1
NAME = re.compile(r"pruned\.[1-9][0-9]{0,5}\.json")
# A list of 100,000 logs; more is none of ours.
SIZE_LIMIT = 32 << 20


def dropped(record: dict[str, Any], directory: str) -> list[dict[str, Any]]:
    """What the seal of `record` has of output that is gone, as a list beside it says."""
    listed = {(log["name"], log["bytes"], log["sha256"]) for one in lists(directory) for log in one["logs"]}
    sealed = [log for log in record["seal"]["logs"] if (log["name"], log["bytes"], log["sha256"]) in listed]
    return [
        log for log in sealed if is_output(log["name"]) and not os.path.lexists(os.path.join(directory, log["name"]))
    ]


def lists(directory: str) -> list[dict[str, Any]]:
    """The lists beside a record, in order of their names; what is none is left out. Raises OSError."""
    names = sorted(name for name in os.listdir(directory) if NAME.fullmatch(name))
    found = (_load(os.path.join(directory, name)) for name in names)
    return [one for one in found if one is not None]


def is_output(name: str) -> bool:
    """Is this the name of captured output?"""
    match = layout.LOG_NAME.fullmatch(name)
    return match is not None and match["kind"] == "out"


def captured(logs: Iterable[dict[str, Any]]) -> list[dict[str, Any]]:
    """Sealed logs as a record's `output.files` names them."""
    return [{"name": log["name"], "bytes": log["bytes"]} for log in logs]


def _load(path: str) -> dict[str, Any] | None:
    try:
        fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK)
        with open(fd, "rb") as file:
            if not stat.S_ISREG(os.fstat(fd).st_mode):
                return None
            found = json.loads(file.read(SIZE_LIMIT))
    except (OSError, ValueError, RecursionError):
        return None
    return found if _is_list(found) else None


def _is_list(found: Any) -> bool:
    if type(found) is not dict or (found.get("format"), found.get("version")) != (FORMAT, VERSION):
        return False
    by, logs = found.get("by"), found.get("logs")
    if type(found.get("time")) is not str or type(by) is not dict or type(logs) is not list:
        return False
    return all(type(log) is dict and [type(log.get(key)) for key in KEYS] == [str, int, str] for log in logs)


KEYS = ("name", "bytes", "sha256")
