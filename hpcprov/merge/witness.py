"""What a scheduler says of a run's end, beside what its own processes saw: the second witness.

A process that is killed cannot tell why; Slurm can: its time was over, somebody cancelled it, its memory was not
enough. What the processes saw themselves stands: a step that completed before its job was cancelled has completed.

    judged("signalled", {"text": "rank 0 was killed by SIGTERM"}, witnesses, step="0")
    -> ("timed out", {"text": "rank 0 was killed by SIGTERM; sacct: TIMEOUT", "witness": {"source": "sacct", ...}})
"""

from __future__ import annotations

from hpcprov.record import event, moment
from hpcprov.record.canonical import canonical

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event

# sacct(1), "JOB STATE CODES". REVOKED and the like say what became of the job, not why this start ended.
WORDS = {
    "TIMEOUT": "timed out",
    "DEADLINE": "timed out",
    "CANCELLED": "cancelled",
    "REQUEUED": "cancelled",
    "OUT_OF_MEMORY": "out of memory",
    "PREEMPTED": "preempted",
    "NODE_FAIL": "node lost",
    "BOOT_FAIL": "node lost",
    "FAILED": "failed",
    "COMPLETED": "completed",
}
# A step that is ended because of its job is CANCELLED, or FAILED by the signal; the job's state then says why.
OF_THE_JOB = ("TIMEOUT", "DEADLINE", "PREEMPTED", "NODE_FAIL", "OUT_OF_MEMORY", "CANCELLED", "REQUEUED")
# Signals of a process's own faults: SIGILL, SIGTRAP, SIGABRT, SIGBUS, SIGFPE, SIGSEGV, SIGSYS.
FAULTS = frozenset((4, 5, 6, 7, 8, 11, 31))
# Seconds: steps end a little before their job is told to have ended, and are killed at most this long after its order.
SLACK = 120


def witnesses(events: Iterable[Event]) -> list[dict[str, Any]]:
    """The latest word of each source, sacct's first: it speaks when the job is over."""
    latest: dict[str, Event] = {}
    for said in events:
        known = latest.get(said["source"], said)
        latest[said["source"]] = max(known, said, key=lambda one: (one["time"], canonical(one)))
    return [{"source": source, "value": latest[source]["value"]} for source in sorted(latest)]


def of_job(witnesses: list[dict[str, Any]]) -> dict[str, Any]:
    """What a job is called, and when it began and ended, by its scheduler's own words; nothing where it told none."""
    said: dict[str, Any] = {}
    for one in reversed(witnesses):
        said |= one["value"]
    start, end = (_moment(said.get(key)) for key in ("start", "end"))
    found: dict[str, Any] = {"name": said["job_name"]} if event.is_text(said.get("job_name")) else {}
    found |= {} if start is None else {"start": moment.iso(start * moment.SECOND)}
    found |= {} if end is None else {"end": moment.iso(end * moment.SECOND)}
    return found | ({} if start is None or end is None else {"duration_s": float(max(0, end - start))})


def _moment(value: Any) -> int | None:
    return value if event.is_moment(value) and value < 1 << 33 else None


def judged(
    word: str, cause: dict[str, Any] | None, told: list[dict[str, Any]], *, step: str | None, mpi: bool = False
) -> tuple[str, dict[str, Any] | None]:
    """Status and cause with what a scheduler says of this `step` (`0`, `batch`), or of the whole job (None).

    `mpi`: the ranks were started in a way that lets them end each other.
    """
    if word in ("completed", "running"):
        return word, cause
    cause = cause or {"text": "how it ended is unknown"}
    # A rank that nobody asked to end has failed by itself, whatever became of the job then.
    by_itself = "asked" not in cause and (word == "failed" or cause.get("signal") in FAULTS)
    verdict = next(filter(None, (_verdict(one, step, by_itself) for one in told)), None)
    if verdict is None:
        return word, cause
    said, found = verdict
    text = f"{said['source']}: {said['state']}"
    text += f", exit code {said['exit_code']}" if said["exit_code"] else ""
    text += f", by user {said['by']}" if said["by"] else ""
    if step is None:
        return found, cause | {"text": text, "witness": said}
    if mpi and word == "incomplete" and found == "cancelled" and not any(_of_the_job(one["value"]) for one in told):
        word, text = "failed", f"{text}: MPI_Abort ends a step like this, and so does scancel of the step"
    else:
        word = _word(word, found, by_itself, said["exit_code"])
    return word, cause | {"text": f"{cause['text']}; {text}", "witness": said}


def _word(word: str, found: str, by_itself: bool, exit_code: str | None) -> str:
    """The scheduler's word, except where it knows no more of a step than the ranks do."""
    if word == "incomplete" and found == "failed":
        return "signalled" if exit_code and exit_code.startswith("0:") else found
    return word if found in ("failed", "completed") or (found == "cancelled" and by_itself) else found


def _of_the_job(job: dict[str, Any]) -> bool:
    """Does the job's own state say why its steps ended?"""
    return type(job.get("state")) is str and job["state"] in OF_THE_JOB


def _verdict(witness: dict[str, Any], step: str | None, by_itself: bool) -> tuple[dict[str, Any], str] | None:
    """State, exit code and user of the job or, where that is known, of its step, and what that means; None when there
    is no final word."""
    job = witness["value"]
    one = _step_of(job, step)
    with_job = one is job or (not by_itself and _ended_with_job(one, job))
    if with_job:
        one = one | {"state": job.get("state"), "by": job.get("by")}
    if type(one.get("state")) is not str or one["state"] not in WORDS:
        return None
    told = {key: one[key] if type(one.get(key)) is str else None for key in ("exit_code", "by")}
    # Slurm calls every step CANCELLED that a signal ended; of one that somebody cancelled it says who.
    signalled = one["state"] == "CANCELLED" and not with_job and told["by"] is None
    found = "failed" if signalled else WORDS[one["state"]]
    return {"source": witness["source"], "state": one["state"]} | told, found


def _step_of(job: dict[str, Any], step: str | None) -> dict[str, Any]:
    """What is said of a step; of its job where nothing is."""
    steps = job.get("steps")
    found = [one for one in steps if type(one) is dict] if type(steps) is list and step is not None else []
    return next((one for one in found if str(one.get("id")).rpartition(".")[2] == step), job)


def _ended_with_job(step: dict[str, Any], job: dict[str, Any]) -> bool:
    """Was a step ended because its job was?"""
    ends = [end for end in (step.get("end"), job.get("end")) if type(end) is int]
    near = len(ends) < 2 or abs(ends[1] - ends[0]) <= SLACK
    return near and step.get("state") in ("CANCELLED", "FAILED") and _of_the_job(job)
