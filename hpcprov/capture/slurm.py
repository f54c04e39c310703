"""Asking Slurm about a job: `scontrol show job` while slurmctld remembers it, `sacct` where accounting answers.

    ask(Job("alps", "4711", restarts=0, began=None, step="0"))
    -> Answer(True, "job 4711 has ended: TIMEOUT", [("sacct", {"state": "TIMEOUT", ...}), ("scontrol", {...})])

Nothing here raises or waits long: each program has 5 s, and one that did not answer in that time, or at all, or has
taken 30 s for its answers, is not asked again by this process. All of a cluster's jobs share one slurmctld: answers are
kept for a while.
"""

from __future__ import annotations

import os
import re
import time

from hpcprov.capture import sacct, scontrol
from hpcprov.capture.program import ProgramFailed, ProgramTimeout, bounded, find_program, stream
from hpcprov.capture.slurm_words import APART, ENDS, GOING_ON, SLACK, chosen, scrubbed, verdict, without
from hpcprov.record.job import Answer, Job

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from typing import Any

PATIENCE = 5.0  # s for each program
MOST_SPENT = 30.0  # s for all that a program is asked: a command is not to wait minutes for a slow slurmctld
FRESH = 60.0  # s for which an answer is kept: about as long as a command runs
MOST_BYTES = 32 << 20
MOST_KEPT = 1 << 16
MANY = 10  # jobs, from which on sacct is asked about several at once
AT_ONCE = 50
MOST_AHEAD = 4 << 20
LONG_AGO = 600  # s after its end slurmctld has forgotten a job, and its processes have ended
MOST_SCRIPT = 64 << 20
NUMBER = re.compile(r"[0-9]{1,10}")
CLUSTER_NAME = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]{0,63}")
# Variables that make Slurm's commands load other code, or answer for other clusters or in another form.
UNWANTED = ("LD_PRELOAD", "LD_AUDIT", "SLURM_CLUSTERS", "SACCT_FEDERATION", "SACCT_LOCAL", "SACCT_FORMAT",
            "SCONTROL_FEDERATION", "SCONTROL_LOCAL", "SCONTROL_ALL", "SCONTROL_FUTURE")  # fmt: skip
REQUEUED = "REQUEUED"
NAMELESS = "cluster"  # what the launcher writes where no variable tells the cluster's name


class Slurm:
    """Slurm's commands as they are found on a PATH."""

    def __init__(self, environ: Mapping[str, str] = os.environ, *, patience: float = PATIENCE) -> None:
        self.environ, self.patience = environ, patience
        self.silent: set[str] = set()
        self.spent = {"scontrol": 0.0, "sacct": 0.0}
        self.separator = f"|{os.urandom(6).hex()}|"
        self.old_sacct = False
        self.kept: dict[tuple[str, ...], tuple[float, bytes]] = {}
        self.ahead: dict[str, list[dict[str, Any]]] = {}

    def ask_ahead(self, jobs: Iterable[Job]) -> None:
        """Ask sacct about many jobs at once, of which each will be asked about next."""
        own = {job.job_id for job in jobs if NUMBER.fullmatch(job.job_id) and not self.elsewhere(job)}
        if len(own) < MANY or not self.has("sacct"):
            return
        numbers = sorted(own)
        for some in (numbers[at : at + AT_ONCE] for at in range(0, len(numbers), AT_ONCE)):
            printed = self.sacct([], ",".join(some))
            self.silent.discard("sacct")  # so much may have been too much; one alone decides
            if not 0 < len(printed) <= MOST_AHEAD:
                return
            found = list(sacct.rows(printed, self.separator, old=self.old_sacct))
            self.ahead |= {number: sacct.starts(found, number) for number in some}

    def known(self, job: Job) -> dict[str, Any] | None:
        """What sacct has said ahead of this start and its step, when that was its last word."""
        found = chosen(of_the_cluster(self.ahead.get(job.job_id, []), job), job)
        if found is None:
            return None
        found = of_the_step(found, job)
        states = [found["state"], *(one.get("state", "RUNNING") for one in found["steps"])]
        told = bool(found["steps"]) or job.step is None
        return scrubbed(found) if told and not GOING_ON.intersection(states) else None

    def ask(self, job: Job) -> Answer:
        """What Slurm says of one start of a job and of its step."""
        if NUMBER.fullmatch(job.job_id) is None:
            return Answer(None, f"{job.job_id!a} is no job of Slurm's", [])
        self.cluster()  # it tells whether slurmctld answers at all
        if not (self.has("scontrol") or self.has("sacct")):
            return Answer(None, "neither scontrol nor sacct answers here", [])
        if job.cluster == NAMELESS:
            job = job._replace(cluster=None)
        known = self.known(job)
        if known is not None and known.get("end", time.time()) < time.time() - LONG_AGO:
            return verdict(job, {"sacct": known})
        control = self.controlled(job)
        lives = control is not None and control["state"] in GOING_ON and self.step_lives(job, control)
        if control is not None and lives:
            return Answer(False, f"job {job.job_id} is {control['state']}", [("scontrol", control)])
        account = known or self.accounted(job, whole="het_job_id" in (control or {}))
        if account is None and lives is None:
            return Answer(True, f"step {job.job_id}.{job.step} has ended", [])
        told = {"sacct": account, "scontrol": control}
        return verdict(job, {source: value for source, value in told.items() if value is not None})

    def step_lives(self, job: Job, control: Mapping[str, Any]) -> bool | None:
        """Does the step of a job that goes on, go on? None: slurmctld says that it is gone; False: it cannot tell.

        It lists no batch steps, which end when their job does, and of a heterogeneous job only the first component's.
        """
        if job.step is None or NUMBER.fullmatch(job.step) is None:
            return job.step is None or control["state"] != "COMPLETING"
        try:
            return bool(self.run("scontrol", *self.elsewhere(job), "show", "step", f"{job.job_id}.{job.step}").strip())
        except ProgramFailed as error:
            return None if "not found" in error.message and "het_job_id" not in control else False

    def has(self, program: str) -> bool:
        return program not in self.silent and find_program(program, self.environ) is not None

    def accounted(self, job: Job, *, whole: bool) -> dict[str, Any] | None:
        """What sacct says of this start; None when it does not know it, or does not answer. `whole`: ask for all steps,
        since those of other components are not found by their number."""
        # In this order sacct leaves out the other steps, of which a job may have thousands.
        which = job.job_id if job.step is None or whole else f"{job.job_id}.{job.step},{job.job_id}"
        printed = self.sacct(self.elsewhere(job), which)
        starts = sacct.starts(sacct.rows(printed, self.separator, old=self.old_sacct), job.job_id)
        if job.cluster is not None:
            starts = [start for start in starts if start.get("cluster", job.cluster).lower() == job.cluster.lower()]
        found = chosen(starts, job)
        if found is None:
            return None
        return scrubbed(of_the_step(found, job))

    def sacct(self, elsewhere: list[str], which: str) -> str:
        words = ["--duplicates", "--parsable2", "--noheader", f"--delimiter={self.separator}", "--jobs", which]
        for _ in range(2):
            names = ",".join(sacct.fields(old=self.old_sacct))
            try:
                return self.run("sacct", *elsewhere, *words, "--format", names)
            except ProgramFailed as error:
                if "Invalid field" not in error.message or self.old_sacct:
                    if not elsewhere:
                        self.silent.add("sacct")  # it knows no job and no accounting: the same for every job
                    return ""
                self.old_sacct = True
        return ""

    def controlled(self, job: Job) -> dict[str, Any] | None:
        """What slurmctld says of this start; None when it has forgotten it, or does not answer."""
        try:
            told = self.run("scontrol", *self.elsewhere(job), "show", "job", job.job_id)
        except ProgramFailed:
            return None
        found = scontrol.job(told, job.job_id)
        if found is None or found.get("job_id") != job.job_id:
            return None
        known, began = found.get("restarts", 0), found.get("start")
        if known > job.restarts:
            # The count grows when the order is given; the start that it ends may still be ending.
            ending = known == job.restarts + 1 and found["state"] == "COMPLETING"
            kept = {key: found[key] for key in ("job_id", "job_name") if key in found}
            return scrubbed(kept | {"restarts": job.restarts, "state": found["state"] if ending else REQUEUED})
        another = job.began is not None and began is not None and abs(began - job.began) > SLACK
        if known < job.restarts or another or (began or 0) > (job.seen or began or 0) + APART:
            return None
        if found["state"] in GOING_ON and "end" in found:
            found["deadline"] = found.pop("end")  # of a job that goes on, EndTime is when its time will be over
        return scrubbed(found)

    def elsewhere(self, job: Job) -> list[str]:
        """The option that names another cluster than the one whose commands these are."""
        if job.cluster is None or CLUSTER_NAME.fullmatch(job.cluster) is None:
            return []
        here = self.cluster()
        return [] if here is None or here.lower() == job.cluster.lower() else ["--clusters", job.cluster]

    def cluster(self) -> str | None:
        """The cluster whose slurmctld answers here; None, and scontrol is not asked again, when none does."""
        try:
            return scontrol.cluster(self.run("scontrol", "show", "config"))
        except ProgramFailed:
            self.silent.add("scontrol")
            return None

    def job(self, job: Job) -> dict[str, Any] | None:
        """What slurmctld says of a job that goes on: limits, resources, script; None when it does not answer."""
        told = self.controlled(job)
        if told is None:
            return None
        digest = self.script(job)
        return without(told, ENDS) | ({} if digest is None else {"script_sha256": digest})

    def script(self, job: Job) -> str | None:
        """SHA-256 of the job's batch script as it was submitted; None when there is none, or it is not told."""
        from hashlib import sha256

        state = sha256()
        try:
            words = ["scontrol", *self.elsewhere(job), "write", "batch_script", job.job_id, "-"]
            self.stream(words, bounded("scontrol", state.update, MOST_SCRIPT))
        except ProgramFailed:
            return None
        return None if state.digest() == sha256().digest() else state.hexdigest()

    def run(self, program: str, *words: str) -> str:
        """A command's output; one of the last seconds is not asked for again. Raises ProgramFailed."""
        command = (program, *words)
        at, output = self.kept.get(command, (0.0, b""))
        if not at or time.monotonic() - at > FRESH:
            blocks: list[bytes] = []
            self.stream(list(command), bounded(program, blocks.append, MOST_BYTES))
            output = b"".join(blocks)
            self.kept = {key: one for key, one in self.kept.items() if time.monotonic() - one[0] <= FRESH}
            if len(output) <= MOST_KEPT:
                self.kept[command] = (time.monotonic(), output)
        return output.decode("utf-8", "surrogateescape")

    def stream(self, command: list[str], consume: Callable[[bytes], object]) -> None:
        program = command[0]
        path = None if program in self.silent else find_program(program, self.environ)
        if path is None:
            raise ProgramFailed(f"{program} is not on PATH, or did not answer before")
        environ = {name: value for name, value in self.environ.items() if name not in UNWANTED}
        environ |= {"LC_ALL": "C", "SLURM_TIME_FORMAT": "%s"}
        begun = time.monotonic()
        try:
            stream([path, *command[1:]], consume, environ=environ, timeout=self.patience)
        except ProgramTimeout:
            self.silent.add(program)
            raise
        finally:
            self.spent[program] += time.monotonic() - begun
            if self.spent[program] > MOST_SPENT:
                self.silent.add(program)


def of_the_cluster(starts: list[dict[str, Any]], job: Job) -> list[dict[str, Any]]:
    """The starts that are of the job's cluster, where both tell one."""
    if job.cluster is None:
        return starts
    return [start for start in starts if start.get("cluster", job.cluster).lower() == job.cluster.lower()]


def of_the_step(start: dict[str, Any], job: Job) -> dict[str, Any]:
    """A start with the one step of it that is asked about, if it is about one."""
    steps = [one for one in start["steps"] if job.step is None or one["id"].endswith(f".{job.step}")]
    return start | {"steps": steps, "restarts": job.restarts}


_here = Slurm()


def ask(job: Job) -> Answer:
    """What Slurm's commands on this process's PATH say."""
    return _here.ask(job)


def ask_ahead(jobs: Iterable[Job]) -> None:
    """Let sacct tell of many jobs at once, before they are asked about one by one."""
    _here.ask_ahead(jobs)
