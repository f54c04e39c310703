"""The seal: what a record was folded from, and the digest of the record itself, so that any change shows.

    record["seal"] = {"logs": [{"name": "n1.8123-4711.0.log", "bytes": 8190, "sha256": "…", "frames": 12,
                                "skipped": {"lines": 0, "bytes": 0, "blobs": 0}}],
                      "previous": null, "record": "sha256:…"}

`record` is the SHA-256 of the record's canonical JSON without this member; `previous` that of the revision before.
"""

from __future__ import annotations

import os

from hpcprov.record.canonical import digest

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.read import Log


def seal(record: dict[str, Any], logs: Iterable[Log], *, previous: str | None) -> dict[str, Any]:
    """`record` with its seal over `logs`."""
    entries = [describe(log) for log in sorted(logs, key=lambda log: log.name)]
    unsigned = record | {"seal": {"logs": entries, "previous": previous}}
    return unsigned | {"seal": unsigned["seal"] | {"record": digest(unsigned)}}


def describe(log: Log) -> dict[str, Any]:
    skipped = {"lines": log.skipped.lines, "bytes": log.skipped.bytes, "blobs": log.skipped.blobs}
    return {"name": log.name, "bytes": log.size, "sha256": log.sha256, "frames": log.skipped.frames, "skipped": skipped}


def verify_seal(record: dict[str, Any]) -> bool:
    """Is the record what it was when it was sealed?"""
    seal = record.get("seal")
    if type(seal) is not dict:
        return False
    rest = record | {"seal": {key: value for key, value in seal.items() if key != "record"}}
    return bool(seal.get("record") == digest(rest))


def sealed_sizes(record: dict[str, Any]) -> dict[str, int]:
    """Length of each log, in bytes, as sealed."""
    return {log["name"]: log["bytes"] for log in record["seal"]["logs"]}


def has_grown(record: dict[str, Any], directory: str, names: Iterable[str]) -> bool:
    """Do the logs beside the record hold more, or other ones, than were sealed?"""
    sizes = {name: os.stat(os.path.join(directory, name), follow_symlinks=False).st_size for name in names}
    return sizes != sealed_sizes(record)
