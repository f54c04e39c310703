"""The log of a process that finishes a run which is over: beside the nodes' logs, under a name that no node has.

append("/scratch/ada/.hpcprov/records/2026/11/21/x", [{"v": 1, "event": "artifact", ...}])
"""

from __future__ import annotations

import os

from hpcprov.record import frame, layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FLAGS = os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_NOFOLLOW | os.O_CLOEXEC


def own_log() -> str:
    """The name of this process's log."""
    with open("/proc/self/stat", "rb") as file:
        ticks = int(file.read().rpartition(b")")[2].split()[19])
    return layout.log_name(layout.SETTLER, f"{ticks}-{os.getpid()}", 0)


def append(directory: str, events: list[dict[str, Any]]) -> None:
    """Add events to this process's log in the directory of a run or a record, and make them durable. Raises OSError."""
    fd = os.open(os.path.join(directory, own_log()), FLAGS, 0o666)
    try:
        for event in events:
            frame.append(fd, event)
        os.fsync(fd)
    finally:
        os.close(fd)
