"""Wholes and their parts: a batch job is the whole of its steps, a workflow that of the runs of its rules.

Each part tells its whole of itself by a `part` event in a log of its own in the whole's directory; and a part knows its
whole by the names in its environment. So both records name the other, and neither waits for the other.

    kind([], parts)  ->  "job"
    parts(events)    ->  [{"run": "slurm-alps-4711.0.0", "name": "spinup", "argv": ["./model"], ...}]
"""

from __future__ import annotations

import re

from hpcprov.record import layout
from hpcprov.record.canonical import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.merge.ranks import Event

COMMAND = "command"
# The id of a job's own record when it was started again, as layout.job_id spells it; `~2` is what next_id adds.
RESTARTED = re.compile(r"(?P<job>slurm-.+-[0-9]+)-r(?P<count>[1-9][0-9]{0,8})(~[0-9]+)?")
LATEST = 1 << 33  # s since the epoch: a later second is no time
PART = ("run", "name", "tags", "argv", "cwd", "inputs", "outputs")


def kind(starts: Iterable[Event], parts: Iterable[Event]) -> str:
    """What a run is: what its own start says, a `command` by itself; of a job, which has no start, what its parts say.

    Anybody may name any run as the whole of another: that does not make it one.
    """
    told = {event.get("kind", COMMAND) for event in starts} or {event["kind"] for event in parts}
    return min(told, default=COMMAND)


def parts(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The parts of a whole, in order of time; of a part that spoke more than once its first words."""
    first: dict[str, Event] = {}
    for event in sorted(events, key=lambda event: (event["time"], canonical(event))):
        first.setdefault(event["run"], event)
    return [{key: event.get(key) for key in PART} for event in first.values()]


def began(events: Iterable[Event]) -> set[int]:
    """When the whole began, s since the epoch, as its parts say: ids of jobs come round again."""
    return {event["began"] for event in events if "began" in event and event["began"] < LATEST}


def membership(
    kind: str, environ: Mapping[str, str], scheduler: Mapping[str, Any], *, run_id: str = ""
) -> dict[str, Any]:
    """`part_of` and `previous` of a run, from the environment of its lowest rank and the scheduler's facts."""
    job = environ.get("SLURM_HET_JOB_ID") or environ.get("SLURM_JOB_ID") or _text(scheduler, "slurm", "job_id")
    cluster = environ.get("SLURM_CLUSTER_NAME") or _text(scheduler, "slurm", "cluster")
    array = environ.get("SLURM_ARRAY_JOB_ID") or _text(scheduler, "slurm", "array_job_id")
    restarts = _count(environ.get("SLURM_RESTART_COUNT") or _text(scheduler, "slurm", "restart_count"))
    workflow = environ.get("HPCPROV_WORKFLOW", "")
    whole = {
        "job": layout.job_id(cluster, job, restarts) if job and kind != "job" else None,
        "array": layout.job_id(cluster, array) if array else None,
        "workflow": workflow if kind != "workflow" and layout.is_run_id(workflow) else None,
    }
    previous = layout.job_id(cluster, job, restarts - 1) if job and restarts else _earlier(run_id)
    return {"part_of": whole, "previous": previous if kind == "job" else None}


def rerun(kind: str, environ: Mapping[str, str], *, nested: bool) -> dict[str, str]:
    """`rerun_of`, the run that `hpcprov rerun` ran again, as it said in the environment. Nothing for other runs, and
    for what a rerun starts in turn: runs in a run, parts of a workflow."""
    original = environ.get("HPCPROV_RERUN_OF", "")
    inner = nested or kind == "job" or (kind == COMMAND and "HPCPROV_WORKFLOW" in environ)
    return {"rerun_of": original} if layout.is_run_id(original) and not inner else {}


def _earlier(run_id: str) -> str | None:
    """The start before, of a job that was killed before its agent could tell the scheduler's facts."""
    found = RESTARTED.fullmatch(run_id)
    if found is None:
        return None
    return found["job"] if found["count"] == "1" else f"{found['job']}-r{int(found['count']) - 1}"


def _text(scheduler: Mapping[str, Any], name: str, key: str) -> str | None:
    value = scheduler.get(key) if scheduler.get("name") == name else None
    return None if value is None else str(value)


def _count(text: str | None) -> int:
    return int(text) if text and text.isascii() and text.isdigit() and len(text) < 10 else 0
