"""Inputs and outputs: what they are, their fields with types, shapes and signatures, and how the record knows of them.

Those that were declared come first, then those with fields, then the largest; values in memory come last. The first
ones have an entry with their fields, many more a line each, and the rest is counted by directory.

    artifacts(record, "used")["entries"][0]  ->  {"path": "forcing.nc", "format": "hdf5", "digest": "hpcprov1:…", …}
"""

from __future__ import annotations

import os

from hpcprov.record.artifact import is_memory
from hpcprov.record.statistics import spread
from hpcprov.record.verdicts import line
from hpcprov.report.assets import utc
from hpcprov.report.told import bytes_of, ranks

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

    Artifact = dict[str, Any]

MOST_ENTRIES = 300
CARDS = 12  # that also show their fields
FEW = 6  # of which each has a card
MOST_FIELDS = 200  # of one artifact
MOST_FOLDERS = 100


def artifacts(record: Record, role: str) -> dict[str, Any]:
    """`entries`, `folders` of what is only counted, `count` of all."""
    found = sorted(record["artifacts"][role], key=_weight)
    cwd = (record["run"]["cwd"] or "/").rstrip("/") + "/"
    cards = sum(told_more(artifact) for artifact in found[:CARDS]) if len(found) > FEW else len(found)
    entries = [entry(one, cwd, MOST_FIELDS if k < cards else 0) for k, one in enumerate(found[:MOST_ENTRIES])]
    running = record["run"]["status"] == "running"
    declared = record["run"]["declared"]["inputs" if role == "used" else "outputs"]
    return {
        "entries": entries,
        "cards": cards,
        "folders": folders(found[MOST_ENTRIES:], cwd) + counted(record, role),
        "count": len(found),
        "waiting": [] if found else declared,
        "why": "looked at when the run has ended" if running else "the run's end left nobody to look at them",
        "size": bytes_of(sum(one["size"] or 0 for one in found)),
    }


def _weight(artifact: Artifact) -> tuple[bool, bool, bool, int, str]:
    path = artifact["path"]
    return is_memory(path), not artifact["declared"], not _fields(artifact), -(artifact["size"] or 0), path


def told_more(artifact: Artifact) -> bool:
    """Is there more to tell than fits in a line? Those of which there is come first."""
    return bool(artifact["declared"] or _fields(artifact))


def _fields(artifact: Artifact) -> list[dict[str, Any]]:
    signature = artifact["signature"]
    return signature["fields"] if signature else []


def entry(artifact: Artifact, cwd: str, most: int) -> dict[str, Any]:
    """One artifact as the page shows it."""
    signature, storage, fields = artifact["signature"], artifact["storage"], _fields(artifact)
    files = artifact["files"]
    observed = artifact.get("observed")
    return {
        "path": artifact["path"].removeprefix(cwd) or artifact["path"],
        "whole": artifact["path"],
        "format": artifact["format"] or "",
        "size": bytes_of(artifact["size"]) if artifact["size"] is not None else "",
        "files": files,
        "digest": signature["digest"] if signature else "",
        "storage": storage["digest"] if storage else "",
        "state": "" if artifact["state"] == "ok" else f"{artifact['state']}: {artifact['reason'] or 'why is unknown'}",
        "known": known(artifact),
        "renamed": (observed or {}).get("renamed_from") or "",
        "ranks": ranks(observed["ranks"]) if observed else "",
        "first": utc(observed["first"]) if observed and observed["first"] else "",
        "last": utc(observed["last"]) if observed and observed["last"] else "",
        "fields": [field(one) for one in fields[:most]],
        "more": max(0, len(fields) - most),
        "count": len(fields),
        "verdicts": [{"line": line(one), "failed": bool(one["failures"])} for one in artifact.get("constraints") or []],
    }


def known(artifact: Artifact) -> str:
    """How the record knows of it, and whether it tells that itself."""
    told = ", audit trail embedded" if artifact.get("embedded") else ""
    if artifact.get("observed") is None:
        return f"declared as {', '.join(artifact['declared'][:3])}{told}" if artifact["declared"] else f"declared{told}"
    return f"declared, and observed{told}" if artifact["declared"] else f"observed{told}"


def field(one: dict[str, Any]) -> dict[str, str]:
    return {
        "path": one["path"] or "(the array)",
        "type": one["type"],
        "shape": shape(one["shape"]),
        "digest": one["signature"],
        "values": spread(one.get("statistics")),
    }


def shape(extents: list[int] | None) -> str:
    """`721 × 1440`; a null dataspace has no extents at all, which is not the same as a scalar's none."""
    if extents is None:
        return "null"
    return " × ".join(map(str, extents[:32])) or "scalar"


def folders(rest: list[Artifact], cwd: str) -> list[dict[str, Any]]:
    """How many artifacts without an entry lie in which directory."""
    found: dict[str, list[int]] = {}
    for artifact in rest:
        folder = os.path.dirname(artifact["path"])
        sums = found.setdefault(folder.removeprefix(cwd) or folder, [0, 0])
        sums[0] += 1
        sums[1] += artifact["size"] or 0
    rows = sorted(found.items(), key=lambda item: -item[1][0])
    named = [{"path": path, "count": count, "size": bytes_of(size)} for path, (count, size) in rows[:MOST_FOLDERS]]
    others = rows[MOST_FOLDERS:]
    if others:
        count, size = (sum(sums[k] for _, sums in others) for k in (0, 1))
        named.append({"path": f"{len(others):,} more directories", "count": count, "size": bytes_of(size)})
    return named


def counted(record: Record, role: str) -> list[dict[str, Any]]:
    """Directories of which the record itself has only numbers."""
    key = "read" if role == "used" else "written"
    told = [one for one in (record.get("observation") or {}).get("directories", []) if one[key]]
    return [{"path": one["path"], "count": one[key], "size": ""} for one in told[:MOST_FOLDERS]]
