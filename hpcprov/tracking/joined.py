"""Inside `hpcprov exec`: the node's log of the run that this process is a part of.

`HPCPROV_RUN=<run>/<rank>` names the run. Its log is what the launcher, an ancestor of this process, has open; where its
processes cannot be seen (containers), it is looked for in the store. Nothing is made here: a log that is not there, is
not ours, or is of another node is not written to.

    joined = find(os.environ)
    joined.log, joined.rank    ->  ".../runs/x/n1.812-4711.0.log", 3
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpcprov.agent import starts
from hpcprov.merge.read import OPEN_FLAGS
from hpcprov.record import frame, layout
from hpcprov.record.errors import HpcprovError
from hpcprov.tracking.launch import parent
from hpcprov.tracking.place import DEEPEST, node_name, stat_of

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping
    from typing import Any

BEGIN = 1 << 18  # bytes of a log in which its first start events are
MOST_LOGS = 64


@dataclass(frozen=True)
class Joined:
    """A run that goes on; `local_size`: its ranks on this node; `observed`: its agent sees by itself which files are
    read and written."""

    log: str
    run_id: str
    node: str
    rank: int
    local_size: int
    observed: bool


def find(environ: Mapping[str, str]) -> Joined | None:
    """The run that this process is a part of, where its log can be written to."""
    named = parent(environ)
    if named is None:
        return None
    for log in (*of_ancestors(named["run"]), *in_stores(environ, named["run"])):
        start = first_start(log)
        if start is not None and os.access(log, os.W_OK):
            observed = start.get("observe") in ("preload", "notify") and start.get("agent") is True
            match = layout.LOG_NAME.fullmatch(os.path.basename(log))
            node = match["node"] if match else node_name(environ)
            size = start.get("local_size")
            local_size = size if type(size) is int and size > 0 else 1
            return Joined(log, named["run"], node, named["rank"], local_size, observed)
    return None


def of_ancestors(run_id: str) -> Iterator[str]:
    """The logs of this run that processes above this one have open."""
    pid = os.getpid()
    for _ in range(DEEPEST):
        found = stat_of(pid)
        if found is None or found[0] <= 1:
            return
        pid = found[0]
        yield from (path for path in files_of(pid) if is_log(path, run_id))


def files_of(pid: int) -> Iterator[str]:
    try:
        names = os.listdir(f"/proc/{pid}/fd")
    except OSError:
        return
    for name in names:
        try:
            yield os.readlink(f"/proc/{pid}/fd/{name}")
        except OSError:
            continue


def is_log(path: str, run_id: str) -> bool:
    directory, name = os.path.split(path)
    match = layout.LOG_NAME.fullmatch(name)
    return os.path.basename(directory) == run_id and match is not None and match["kind"] == "log"


def in_stores(environ: Mapping[str, str], run_id: str) -> Iterator[str]:
    """The logs that this node has in the run's directory, in the store of the working directory."""
    try:
        directory = layout.find_store(environ, os.getcwd()).run(run_id)
        names = sorted(os.listdir(directory))
    except (OSError, HpcprovError):
        return
    node = node_name(environ)
    for name in names[:MOST_LOGS]:
        match = layout.LOG_NAME.fullmatch(name)
        if match is not None and match["kind"] == "log" and match["node"] == node:
            yield os.path.join(directory, name)


def first_start(log: str) -> dict[str, Any] | None:
    """The start event that a log begins with; None when it is of another boot (of another node) or cannot be read."""
    try:
        with open(os.open(log, OPEN_FLAGS), "rb") as file:
            events = list(frame.scan(file.read(BEGIN)))
    except OSError:
        return None
    found = next((event for event in events if event.get("event") == "start"), None)
    return found if found is not None and found.get("boot_id") == starts.boot_id() else None
