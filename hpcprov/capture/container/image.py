"""An image as a file or folder: where it lies and which state of it was used, without reading it.

describe("/home/ada/step.sif") == {"path": "/home/ada/step.sif", "exists": True, "type": "file", "size": 2293760, ...}
"""

from __future__ import annotations

import os
import stat

from hpcprov.capture.reading import explain

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LATER = "images are not hashed by this version: size, mtime and inode tell which state was used"


def describe(path: str) -> dict[str, Any]:
    """State of the image at an absolute path: sizes in bytes, `mtime` in ns since the epoch."""
    try:
        status = os.stat(path)
    except OSError as error:
        return {"path": path, "exists": False, "reason": explain(error)}
    kind = "directory" if stat.S_ISDIR(status.st_mode) else "file"
    return {
        "path": path,
        "exists": True,
        "type": kind,
        "size": status.st_size,
        "mtime": status.st_mtime_ns,
        "device": status.st_dev,
        "inode": status.st_ino,
        "digest": None,
        "reason": LATER,
    }
