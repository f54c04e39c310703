"""What is to be signed when a run has ended: what was declared, then what was observed, in an order that is the same on
all nodes. Only so many observed artifacts are signed: a run may have read every file of a file system.

    artifacts("/data/.hpcprov/runs/x", most=1000)
    ->  [{"role": "used", "path": "/data/a.nc", "declared": [], "began": [2048, 1795000000000000000], "never": None}]

`began` is a file's size and modification time (ns) when the run first read it; `never` says why nothing is hashed.
"""

from __future__ import annotations

import os

from hpcprov.agent import declared, meeting
from hpcprov.merge import accesses
from hpcprov.merge.artifacts import places
from hpcprov.record import event as border
from hpcprov.record import site
from hpcprov.record.artifact import BLANK

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from typing import Any

    from hpcprov.merge.accesses import Access

MOST = 1000  # observed artifacts that are signed without having been declared


def most(environ: Mapping[str, str]) -> int:
    """The limit that a site or user has set."""
    return site.number("observe_files", environ, otherwise=MOST)


def artifacts(run: str, *, most: int, tell: Callable[..., object] | None = None) -> list[dict[str, Any]]:
    """All that is to be signed of the run in a directory; `tell` as for `declared.resolve`."""
    events = meeting.read_events(run, kinds=declared.EVENTS)
    first = [one for one in declared.resolve(events, tell=tell) if "reason" not in one]
    found = accesses.join(checked(run))
    named = {(one["role"], one["path"]) for one in first}
    links = declared.real_names(path for _, path in named)
    parts = places(found, named, {real: path for path, real in links.items()})
    for one in first:
        one |= about(one["role"], one["path"], parts.get((one["role"], one["path"]), []))
    own = [(key[0], found[key[1]]) for key in parts if key not in named]
    able = [(role, access) for role, access in own if about(role, access.path, [access])["never"] is None]
    return first + [
        {"role": role, "path": access.path, "declared": []} | about(role, access.path, [access])
        for role, access in accesses.in_order(able)[:most]
    ]


def checked(run: str) -> Iterator[dict[str, Any]]:
    """The `access` events of all nodes."""
    for event in meeting.read_events(run, kinds=("access",)):
        kept = border.normal(event)
        if kept is not None:
            yield kept


def about(role: str, path: str, parts: list[Access]) -> dict[str, Any]:
    only = parts[0] if len(parts) == 1 and parts[0].path == path else None
    if only is None:
        return {"began": None, "never": None}
    never = dict(accesses.roles(only)).get(role)
    return {"began": only.began if role == accesses.USED and not only.store else None, "never": never}


def refusal(one: Mapping[str, Any]) -> dict[str, Any] | None:
    """The facts of an artifact that is not to be read, since it is not what the run has read; None where it is."""
    if one["never"] is not None:
        return facts(one["began"], one["never"])
    if one["began"] is None:
        return None
    try:
        status = os.stat(one["path"])
    except (OSError, ValueError):
        return None  # whoever reads it finds the same, and says so
    now = [status.st_size, status.st_mtime_ns]
    return None if now == one["began"] else facts(one["began"], accesses.CHANGED)


def facts(stamp: list[int] | None, reason: str) -> dict[str, Any]:
    return BLANK | {"reason": reason} | (dict(zip(("size", "mtime"), stamp, strict=True)) if stamp else {})
