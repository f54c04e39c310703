"""An image as a file or folder: where it lies and which state of it was used, without reading it.

describe("/home/ada/step.sif") == {"path": "/home/ada/step.sif", "exists": True, "type": "file", "size": 2293760, ...}

What is in it is found out when the run has ended: a fact of the kind `image` (docs/facts.md).
"""

from __future__ import annotations

import os
import stat

from hpcprov.capture.reading import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

#: What tells two states of a file apart; nodes of a cluster number their devices each in its own way.
STATE = ("inode", "size", "mtime")


def describe(path: str) -> dict[str, Any]:
    """State of the image at an absolute path: sizes in bytes, `mtime` in ns since the epoch."""
    # `a/../b` may lead elsewhere where `a` is a link; without dots the path stays as it was given.
    try:
        path = os.path.realpath(path) if ".." in path.split("/") else os.path.normpath(path)
        status = os.stat(path)
    except (OSError, ValueError) as error:
        reason = explain(error) if isinstance(error, OSError) else str(error)
        return {"path": path, "exists": False, "reason": reason}
    return {
        "path": path,
        "exists": True,
        "type": "directory" if stat.S_ISDIR(status.st_mode) else "file",
        "size": status.st_size,
        "mtime": status.st_mtime_ns,
        "device": status.st_dev,
        "inode": status.st_ino,
    }


def same(one: dict[str, Any], other: dict[str, Any]) -> bool:
    """Whether two descriptions are of one file or folder, whatever its paths."""
    keys = ("device", "inode")
    return all(one.get(key) is not None and one.get(key) == other.get(key) for key in keys)
