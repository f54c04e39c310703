"""Two versions of an artifact compared value by value, as long as both files are there as they were recorded.

closer(artifact, other, [{"path": "t2m", ...}])  ->  [{"path": "t2m", ..., "values": {"differing": 1, ...}}]
"""

from __future__ import annotations

import os

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    Artifact = dict[str, Any]

#: Bytes of both files together: more is read by `hpcprov verify` and others that are asked to.
MOST_BYTES = 1 << 30


def closer(one: Artifact, other: Artifact, fields: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """The same fields with `values`, what `quality.compare` says of them, where that could be found out."""
    if not fields or one["path"] == other["path"] or not (as_recorded(one) and as_recorded(other)):
        return fields
    if (one["size"] or 0) + (other["size"] or 0) > MOST_BYTES:
        return fields
    from hpcprov.commands.bar import Bar
    from hpcprov.commands.reading import comparer

    try:
        with comparer({"threads": 1}, Bar()) as reads:
            found = {field["path"]: field for field in reads.compare(other["path"], one["path"])}
    except HpcprovError:
        return fields
    return [field | {"values": found[field["path"]]} if field["path"] in found else field for field in fields]


def as_recorded(artifact: Artifact) -> bool:
    """Whether a file looks as it did when it was recorded: size and time. Of directories that does not tell."""
    try:
        status = os.stat(artifact["path"])
    except (OSError, ValueError):
        return False
    if artifact["files"] is not None:
        return os.path.isdir(artifact["path"])
    return (status.st_size, status.st_mtime_ns) == (artifact["size"], artifact["mtime"])
