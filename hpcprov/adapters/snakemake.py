"""A Snakemake workflow as a run of its own, whose parts are the runs of its rules.

The logger plugin makes one `Observer`. It is a filter of Snakemake's logger, and not only a handler: a filter is called
where something happens, before Snakemake goes on, so that a job finds its card and the store's name in its environment.
Handlers get what is logged from a queue, at any later time.

    observer = Observer(); logging.getLogger("snakemake.logging").addFilter(observer); ...; observer.close()

Nothing that fails here reaches Snakemake: one line on stderr says what is not recorded.
"""

from __future__ import annotations

import os
import re
import sys
import threading
import time

from hpcprov.adapters.job_cards import JobCards
from hpcprov.adapters.job_table import MOST_JOBS, Job, JobTable
from hpcprov.adapters.own_run import OwnRun
from hpcprov.adapters.snakemake_graph import Sources, graph_facts
from hpcprov.adapters.snakemake_job import caller, card, job_facts, own_job, paths, shell_command
from hpcprov.capture import redact
from hpcprov.merge.find import run_ids
from hpcprov.merge.read import read_run
from hpcprov.record.errors import HpcprovError
from hpcprov.tracking.launch import store_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from logging import LogRecord
    from typing import Any

ENGINE = "snakemake"
SUBMITTED = re.compile(r"Job ([0-9]+) has been submitted with SLURM jobid ([0-9_]+)")
# A new output is moved to the cache, and then fetched from there like one that was there before.
STORED = re.compile(r"Moving output file (.+) to cache\b")
FETCHED = re.compile(r"(?:Symlinking|Copying) output file (.+) from cache\b")
LOST = {"reason": "Snakemake's own objects could not be found"}
MOST_UNMATCHED = 1000
LATE = 3.0  # s at the end for the agents of jobs that failed, while other runs go on in the store
FIRST_SNAPSHOT = 60.0  # s after the start; each next one when the workflow is twice as old: few, however long it runs


class Observer:
    """What one process of Snakemake does, from the start of the workflow to `close`."""

    def __init__(self) -> None:
        self.run: OwnRun | None = None
        self.cards: JobCards | None = None
        self.workflow: Any = None
        self.table = JobTable()
        self.version = "unknown"
        self.error = self.broken = False
        self.began = time.monotonic()
        self.snapshot_due = FIRST_SNAPSHOT
        self.sources = Sources()
        self.stored: set[str] = set()
        self.detailed = 0
        self.before: dict[str, str | None] = {}
        self.lock = threading.RLock()

    def filter(self, record: LogRecord) -> bool:
        """Look at what is logged; it is always let through."""
        if not self.broken:
            self.guarded(lambda: self.hear(record))
        return True

    def guarded(self, work: Callable[[], None]) -> None:
        """Do something that must not disturb the workflow; after an error nothing more is done."""
        try:
            with self.lock:
                work()
        except Exception as error:
            self.broken = True
            say(f"the workflow is not recorded any further: {reason(error)}")

    def hear(self, record: LogRecord) -> None:
        """Take in one record of Snakemake's log."""
        event = str(getattr(record, "event", None) or "")
        if event == "workflow_started":
            self.start(record)
        elif self.run is None:
            return
        elif event in HEARD:
            HEARD[event](self, record)
        elif not event and isinstance(record.msg, str):
            self.read(record.msg)

    def start(self, record: LogRecord) -> None:
        """The workflow begins: make its run, and name it to everything that it starts."""
        if self.run is not None:
            return
        frame = caller("snakemake.workflow", "Workflow")
        if frame is not None:
            self.workflow = frame["self"]
            settings = getattr(frame.get("executor_plugin"), "common_settings", None)
            if getattr(settings, "dryrun_exec", False) or getattr(settings, "touch_exec", False):
                return
        self.version = str(getattr(record, "snakemake_version", "unknown"))
        snakefile = str(getattr(record, "snakefile_main", "") or "")
        store = store_of(os.environ, os.getcwd())
        self.run = OwnRun(store, kind="workflow", argv=sys.argv, name=workflow_name(snakefile), beat=self.beat)
        self.cards = JobCards(os.path.join(os.getcwd(), ".snakemake", "hpcprov", self.run.id))
        names = {"HPCPROV_WORKFLOW": self.run.id, "HPCPROV_DIR": os.path.abspath(store.root)}
        names["HPCPROV_JOBS"] = self.cards.directory
        self.before = {name: os.environ.get(name) for name in names}
        os.environ.update(names)

    def job_info(self, record: LogRecord) -> None:
        """A job is about to start, or to be submitted."""
        number, rule = int(record.jobid), str(record.rule_name)  # type: ignore[attr-defined]
        job = self.table.add(Job(number, rule))
        own = own_job(number)
        command = getattr(record, "shellcmd", None)
        job.command = redact.scrub_word(command) if isinstance(command, str) else None
        job.output = paths(own.output if own is not None else getattr(record, "output", None))
        if self.detailed < MOST_JOBS:  # what is known of more is not listed, and need not be kept in memory
            self.detailed += job.state == "not run"
            job.facts = job_facts(record, own)
        self.table.started(number)
        if own is not None and isinstance(command, str):
            self.leave_card(own, command)

    def leave_card(self, own: Any, command: str) -> None:
        """Tell hpcprov's shell what a job's command is to be recorded with; without a card it records the command."""
        if self.cards is None:
            return
        try:
            self.cards.put(own.jobid, shell_command(own, command), card(own))
        # A full disk, or a Snakemake that names things differently.
        except Exception as error:
            self.cards = None
            say(f"the shell is not told of rules, inputs and outputs: {reason(error)}")

    def job_started(self, record: LogRecord) -> None:
        self.error = False
        if self.snapshot_due == FIRST_SNAPSHOT:
            self.snapshot_due += 0.5
            self.tell(final=False)

    def job_finished(self, record: LogRecord) -> None:
        self.error = False
        self.end_of(getattr(record, "job_id", None), self.table.finished)

    def job_error(self, record: LogRecord) -> None:
        self.end_of(getattr(record, "jobid", None), self.table.failed)

    def end_of(self, number: Any, tell: Callable[[int], None]) -> None:
        if isinstance(number, int):
            tell(number)
            if self.cards is not None:
                self.cards.drop(number)

    def ended_badly(self, record: LogRecord) -> None:
        """An error that ends the workflow when nothing more happens after it."""
        self.error = True

    def read(self, message: str) -> None:
        """What is told in words only."""
        if (found := SUBMITTED.match(message)) is not None:
            self.table.submitted(int(found[1]), found[2])
        elif (found := STORED.match(message)) is not None:
            self.stored.add(found[1])
        elif (found := FETCHED.match(message)) is not None and found[1] not in self.stored:
            self.table.fetch(found[1])

    def beat(self) -> None:
        """Once a minute: now and then write down how far the workflow has come, for the case that it is killed."""
        if time.monotonic() - self.began >= self.snapshot_due and not self.broken:
            self.snapshot_due *= 2
            self.guarded(lambda: self.tell(final=False))

    def tell(self, *, final: bool) -> None:
        """Write the fact `workflow` as it is known now."""
        assert self.run is not None
        problem = None
        try:
            graph = graph_facts(self.workflow, self.table, self.sources) if self.workflow is not None else LOST
        # Another version may name things differently: what was logged is told all the same.
        except Exception as error:
            graph, problem = {}, f"the graph of jobs could not be read: {reason(error)}"
        if final:
            self.gather()
        listed = self.table.listed()
        fact = {"engine": ENGINE, "version": self.version, "final": final, "counts": self.table.counts()}
        rest: dict[str, Any] = {
            "unmatched_runs": self.table.unmatched[:MOST_UNMATCHED],
            "jobs_left_out": len(self.table.jobs) - len(listed),
            "reason": problem,
        }
        self.run.tell(
            "workflow", fact | graph | {"jobs": listed} | {key: value for key, value in rest.items() if value}
        )

    def gather(self) -> None:
        """Give jobs their runs. Of a job that failed a moment ago, the agent may still be about to tell."""
        assert self.run is not None
        store, deadline = self.run.store, time.monotonic() + LATE
        self.table.match(self.parts(), os.getcwd())
        while self.table.lacks_runs() and time.monotonic() < deadline and len(run_ids(store)) > 1:
            time.sleep(0.1)
            self.table.match(self.parts(), os.getcwd())

    def parts(self) -> Iterable[dict[str, Any]]:
        """What the runs of rules have told of themselves in this run's directory."""
        assert self.run is not None
        logs = read_run(self.run.store.run(self.run.id))
        return [event for log in logs for event in log.events if event["event"] == "part"]

    def close(self) -> None:
        """The end: write what is known, and merge. Called more than once it does nothing more."""
        run, self.run = self.run, None
        if run is None:
            return
        if self.cards is not None:
            self.cards.close()
        for name, value in self.before.items():
            if value is None:
                os.environ.pop(name, None)
            else:
                os.environ[name] = value
        try:
            with self.lock:
                self.run = run
                self.tell(final=True)
                self.run = None
                run.end(code=int(self.error))
        except Exception as error:
            say(f"the record of the workflow is not finished: {reason(error)}; `hpcprov settle {run.id}` does it")


HEARD: dict[str, Callable[[Observer, LogRecord], None]] = {
    "job_info": Observer.job_info,
    "job_started": Observer.job_started,
    "job_finished": Observer.job_finished,
    "job_error": Observer.job_error,
    "error": Observer.ended_badly,
}


def workflow_name(snakefile: str) -> str:
    """The folder of the workflow: a snakefile is called `Snakefile`, in `workflow/` by convention."""
    folder, base = os.path.split(os.path.abspath(snakefile or "Snakefile"))
    if base != "Snakefile" and snakefile:
        return base.removesuffix(".smk")
    return os.path.basename(os.path.dirname(folder) if os.path.basename(folder) == "workflow" else folder) or base


def reason(error: Exception) -> str:
    """An error in one line."""
    if isinstance(error, HpcprovError):
        return error.message
    if isinstance(error, OSError):
        return f"{error.filename or ''}: {error.strerror or error}".removeprefix(": ")
    return f"{type(error).__name__}: {error}".partition("\n")[0][:300]


def say(line: str) -> None:
    """One line on stderr, unless it is to be quiet."""
    if os.environ.get("HPCPROV_QUIET", "0") in ("", "0"):
        try:
            print(f"hpcprov: {line}", file=sys.stderr, flush=True)
        except (OSError, ValueError):
            pass  # nobody reads it
