"""What sources say of one start of a job -> an answer: is it over, and with which words? Pure: values in, values out.

verdict(Job("alps", "4711", step="0"), {"sacct": {"state": "TIMEOUT", "steps": []}})
-> Answer(True, "job 4711 has ended: TIMEOUT", [("sacct", {"state": "TIMEOUT", "steps": []})])
"""

from __future__ import annotations

from hpcprov.capture import redact
from hpcprov.record.job import Answer, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

# squeue(1), "JOB STATE CODES": those after which a job, or this start of it, goes on.
GOING_ON = frozenset(("PENDING", "RUNNING", "SUSPENDED", "CONFIGURING", "COMPLETING", "RESIZING", "SIGNALING",
                      "STAGE_OUT", "STOPPED", "REQUEUE_HOLD", "REQUEUE_FED", "RESV_DEL_HOLD", "POWER_UP_NODE",
                      "EXPEDITING", "UPDATE_DB"))  # fmt: skip
# Clocks of nodes, slurmctld and slurmdbd differ, and a start is told in whole seconds.
SLACK = 60
APART = 3600
ENDS = ("state", "exit_code", "reason", "end")
UNSETTLED = (*ENDS, "job_name")


def chosen(starts: list[dict[str, Any]], job: Job) -> dict[str, Any] | None:
    """The start that is meant: the one that began then, else the one after so many restarts; None without a state."""
    found = _meant(starts, job)
    return found if found is not None and "state" in found else None


def _meant(starts: list[dict[str, Any]], job: Job) -> dict[str, Any] | None:
    # Numbers of jobs come round again: it is none that was over long before its process was seen, or began long after.
    if job.began is not None:
        near = [one for one in starts if abs(one.get("start", -SLACK - 1) - job.began) <= SLACK]
        return min(near, key=lambda one: abs(one["start"] - (job.began or 0)), default=None)
    counted = starts[job.restarts] if job.restarts < len(starts) else None
    if counted is not None and not elsewhen(counted, job):
        return counted
    around = [one for one in starts if job.seen is not None and not elsewhen(one, job)]
    return max(around, key=lambda one: int(one.get("start", 0)), default=None)


def elsewhen(start: Mapping[str, Any], job: Job) -> bool:
    """Was the process of a job seen at a time at which this start cannot have been?"""
    if job.seen is None:
        return False
    return bool(start.get("start", 0) > job.seen + APART or start.get("end", job.seen) < job.seen - APART)


def scrubbed(value: dict[str, Any]) -> dict[str, Any]:
    """The same without the secrets that a command line or a name may hold."""
    steps = [one | {"name": redact.scrub_word(one["name"])} if "name" in one else one for one in value.get("steps", [])]
    words = {key: redact.scrub(one) for key, one in value.items() if type(one) is str}
    return value | words | ({"steps": steps} if "steps" in value else {})


def verdict(job: Job, told: Mapping[str, dict[str, Any]]) -> Answer:
    """Whether the job, or its step, is over by what the sources say, sacct's words first.

    A job whose time is over is TIMEOUT for sacct at once, but its processes may live until KillWait has passed:
    slurmctld, which then says COMPLETING, knows better, except of a step that has ended.
    """
    if not told:
        return Answer(None, f"Slurm tells nothing of job {job.job_id}", [])
    for source, value in told.items():
        if (word := step_state(value, job.step)) is not None and word not in GOING_ON:
            return Answer(True, f"step {job.job_id}.{job.step} has ended: {word}", final(told, sure=source))
    state = told.get("scontrol", told.get("sacct", {}))["state"]
    if state in GOING_ON:
        return Answer(False, f"job {job.job_id} is {state}", list(told.items()))
    return Answer(True, f"job {job.job_id} has ended: {state}", final(told))


def final(told: Mapping[str, dict[str, Any]], sure: str | None = None) -> list[tuple[str, dict[str, Any]]]:
    """What need not be asked for again: words about a job that has ended, and of the `sure` source about its step."""
    ended = {source for source, value in told.items() if value["state"] not in GOING_ON}
    # Of a job that goes on accounting is late, and may still say PENDING.
    words = {source: value if source in ended else without(value, UNSETTLED) for source, value in told.items()}
    return [(source, value) for source, value in words.items() if source in ended or source == sure]


def without(value: dict[str, Any], keys: tuple[str, ...]) -> dict[str, Any]:
    return {key: one for key, one in value.items() if key not in keys}


def step_state(value: Mapping[str, Any], step: str | None) -> str | None:
    """The state of a step, where it is told: of a job's own record its steps are not asked about."""
    return next((one.get("state") for one in value.get("steps", ()) if step is not None), None)
