"""The batch job that a run belongs to, as its logs or its record tell, and what its scheduler says as events.

job_of_events("slurm-alps-4711.0.0", events)  ->  Job("alps", "4711", restarts=0, began=1795219200, step="0")
"""

from __future__ import annotations

import re
import time

from hpcprov.merge.shared import lowest
from hpcprov.merge.whole import began
from hpcprov.record import layout, model, moment
from hpcprov.record.job import Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.merge.ranks import Event
    from hpcprov.record.job import Answer

OF_A_JOB = re.compile(r"slurm-(?P<cluster>.+)-(?P<job>[0-9]{1,10})(?:-r(?P<restarts>[0-9]{1,9}))?")
# Of a job or of a step: slurm-alps-4711, slurm-alps-4711.0-r1.0.
OF_SLURM = re.compile(
    r"slurm-(?P<cluster>.+?)-(?P<job>[0-9]{1,10})(?:\.[A-Za-z0-9_]+)?(?:-r[0-9]{1,9})?(?:\.[0-9]{1,9})?"
)
NEVER = 1 << 63


def job_of_id(run_id: str) -> Job | None:
    """The job of which a run's id tells, as far as it does: its cluster and number."""
    match = OF_SLURM.fullmatch(layout.first_id(run_id))
    return match and Job(match["cluster"], match["job"])


def job_of_events(run_id: str, events: Iterable[Event]) -> Job | None:
    """The job of a run whose logs are not folded yet: of a job its own, else that of its lowest rank's environment."""
    parts: list[Event] = []
    env: Event = {}
    first = NEVER
    for event in events:
        if event["event"] in ("part", "start"):
            first = min(first, event["time"])
        if event["event"] == "part":
            parts.append(event)
        elif event["event"] == "env" and event["rank"] <= env.get("rank", event["rank"]):
            env = event
    if any(event["kind"] == "job" for event in parts) and not env:
        return _seen(job_itself(run_id, min(began(parts), default=None)), first)
    return _seen(job_of_environment(env.get("env", {})), first)


def job_of_record(record: model.Record) -> Job | None:
    """The job of a finished run. Its own `began` is not in the record of a job: the start is."""
    run = record["run"]
    if run["kind"] == "job":
        told = (one["value"].get("start") for one in record["witnesses"])
        return job_itself(run["id"], next((at for at in told if type(at) is int), None))
    first = moment.ns(run["start"]) if run["start"] else NEVER
    return _seen(job_of_environment(lowest(record["environment"])), first)


def _seen(job: Job | None, first: int) -> Job | None:
    """The job, with when it was seen, in ns, where it is not known when it began: Slurm tells that since 23.02."""
    known = job is None or job.began is not None or first == NEVER
    return job if job is None or known else job._replace(seen=first // moment.SECOND)


def job_of_environment(environ: Mapping[str, str]) -> Job | None:
    """The Slurm job that a process with this environment is in. A container may hide the cluster's name."""
    job = environ.get("SLURM_HET_JOB_ID") or environ.get("SLURM_JOB_ID")
    if not job or not _is_count(job):
        return None
    start = environ.get("SLURM_JOB_START_TIME", "")
    restarts = environ.get("SLURM_RESTART_COUNT", "")
    return Job(
        environ.get("SLURM_CLUSTER_NAME"),
        job,
        int(restarts) if _is_count(restarts) else 0,
        int(start) if _is_count(start) else None,
        environ.get("SLURM_STEP_ID", "batch"),
    )


def job_itself(run_id: str, start: int | None = None) -> Job | None:
    """The job of which this is the own record; None for all other runs. `start`: s since the epoch, if it is known."""
    match = OF_A_JOB.fullmatch(layout.first_id(run_id))
    return match and Job(match["cluster"], match["job"], int(match["restarts"] or 0), start)


def _is_count(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 10


def new_words(answer: Answer, known: Iterable[Mapping[str, Any]]) -> list[dict[str, Any]]:
    """The answer's words as events, without those that are `known` (`{"source", "value"}`) already."""
    have = [(one["source"], one["value"]) for one in known]
    now = {"v": 1, "event": "witness", "time": time.time_ns(), "boot": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}
    return [now | {"source": source, "value": value} for source, value in answer.words if (source, value) not in have]
