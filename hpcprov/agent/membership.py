"""Telling a run's wholes of it: the batch job that it is a step of, the workflow that it is a rule's run of.

The agent of the run's first node writes a `part` event into a log of its own in the whole's directory, and the first
part of a job also what the job is: `scheduler` and `job` facts. A scheduler that does not answer holds up nothing: it
is asked in a thread for which nobody waits long, and only once in a job, however many steps it has.

    Membership(store, "slurm-alps-4711.0.0", log="n1.812-4711.0.log", node="n1").tell(starts)
    ->  runs/slurm-alps-4711/n1.812-4711.0.log
"""

from __future__ import annotations

import os
import threading

from hpcprov.agent.journal import Journal
from hpcprov.record import layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

    from hpcprov.record.job import Job
    from hpcprov.record.layout import Store

TOLD = ("name", "tags", "argv", "inputs", "outputs", "cwd")
# What a job's `scheduler` fact does not take from the step that tells it. A step's name takes the place of its job's.
OF_A_STEP = ("step_", "job_name", "tasks", "nodes", "node_list", "distribution", "mpi", "gpus_on_node")
PATIENCE = 0.5  # s at the end of a run for a scheduler that was asked in it


class Membership:
    """The wholes of one run, and whether they have been told."""

    def __init__(
        self, store: Store, run_id: str, *, log: str, node: str, environ: Mapping[str, str] = os.environ
    ) -> None:
        self.store, self.run_id, self.log, self.node, self.environ = store, run_id, log, node, environ
        self.told = False
        self.asking: threading.Thread | None = None

    def tell(self, starts: list[dict[str, Any]]) -> None:
        """Write the `part` events, unless that was done, or is for another node. Raises OSError."""
        if self.told or not starts or not is_first(starts, self.environ):
            return
        self.told = True
        from hpcprov.merge.jobs import job_of_environment  # not before the launchers have their answers

        job = job_of_environment(self.environ)
        if job is not None:
            directory = self.store.run(layout.job_id(job.cluster, job.job_id, job.restarts))
            self.write(directory, starts[0], kind="job", began=job.began)
            if is_first_part(self.store, directory):
                path = os.path.join(directory, self.log)
                self.asking = threading.Thread(target=self.describe, args=(path, job), daemon=True)
                self.asking.start()
        workflow = self.environ.get("HPCPROV_WORKFLOW", "")
        if layout.is_run_id(workflow) and workflow != self.run_id:
            self.write(self.store.run(workflow), starts[0], kind="workflow")

    def wait(self) -> None:
        """Give the scheduler a last moment."""
        if self.asking is not None:
            self.asking.join(PATIENCE)

    def write(self, directory: str, start: Mapping[str, Any], **keys: Any) -> None:
        write(directory, self.log, self.node, start, run=self.run_id, **keys)

    def describe(self, path: str, job: Job) -> None:
        """The facts of the job, in the log of its first part."""
        from hpcprov.capture.slurm import Slurm

        try:
            describe(path, self.node, self.environ)
            # These are the commands of the cluster that the job is on.
            found = Slurm(self.environ).job(job._replace(cluster=None, step=None))
            journal = Journal(path, self.node)
        except OSError:
            return  # the job's record has been made in the meantime
        try:
            if found is None:
                journal.write("fact", kind="job", error="scontrol does not answer, or knows nothing of the job")
            else:
                journal.write("fact", kind="job", value=found)
                note_end(self.store, os.path.basename(os.path.dirname(path)), found.get("deadline"))
        finally:
            os.close(journal.fd)


def write(directory: str, log: str, node: str, start: Mapping[str, Any], **keys: Any) -> None:
    """A part's own words in a log of its own, which has the part's own log's name: no other part has the same.

    `start`: name, tags, argv, inputs, outputs, cwd. Raises OSError.
    """
    os.makedirs(directory, exist_ok=True)
    journal = Journal(os.path.join(directory, log), node)
    try:
        if not journal.write("part", **({key: start.get(key) for key in TOLD} | keys)):
            raise OSError(0, journal.reason)
    finally:
        os.close(journal.fd)


def describe(path: str, node: str, environ: Mapping[str, str]) -> None:
    """What the environment of a part tells of its job, as a fact in a log of the job's. Raises OSError."""
    from hpcprov.agent import facts
    from hpcprov.capture import scheduler

    journal = Journal(path, node)
    try:
        facts.write(journal, "scheduler", lambda: of_the_job(scheduler.collect(environ)))
    finally:
        os.close(journal.fd)


def is_first(starts: list[dict[str, Any]], environ: Mapping[str, str]) -> bool:
    """Is this the run's first node? `starts`: start events of this node, by rank."""
    if starts[0].get("nodes") == 1 or starts[0].get("launcher") == "none":
        return True
    if starts[0].get("launcher") == "slurm" and environ.get("SLURM_NODEID", ""):
        return environ["SLURM_NODEID"] == "0"
    return starts[0].get("rank") == 0


def is_first_part(store: Store, directory: str) -> bool:
    """Is this the first part of a job that asks? The directory that says so goes when the job's record is made."""
    claims = store.claims(os.path.basename(directory))
    try:
        os.makedirs(claims, exist_ok=True)
        os.mkdir(os.path.join(claims, "job"))
    except OSError:
        return False
    return True


def note_end(store: Store, job: str, deadline: object) -> None:
    """Leave word for the job's later parts of when its time will be over: an empty directory of that name."""
    try:
        if type(deadline) is int:
            os.mkdir(os.path.join(store.claims(job), "job", str(deadline)))
    except OSError:
        pass  # the job's record has been made, or the disk is full: they do without


def end_of_job(store: Store, environ: Mapping[str, str]) -> int | None:
    """When the job's time will be over, s since the epoch; None outside of jobs, and where nobody has told.

    Slurm has told it in the environment since 23.02.
    """
    from hpcprov.merge.jobs import job_of_environment

    told = [environ.get("SLURM_JOB_END_TIME", "")]
    job = job_of_environment(environ)
    if job is not None and not told[0]:
        claims = store.claims(layout.job_id(job.cluster, job.job_id, job.restarts))
        try:
            told = os.listdir(os.path.join(claims, "job"))
        except OSError:
            return None
    return max((int(text) for text in told if text.isascii() and text.isdigit() and len(text) < 12), default=None)


def of_the_job(fact: dict[str, Any]) -> dict[str, Any]:
    """A step's scheduler fact without what is only the step's."""
    if "step_id" not in fact:
        return fact
    return {key: value for key, value in fact.items() if not key.startswith(OF_A_STEP)}
