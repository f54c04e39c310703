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
from hashlib import sha256

from hpcprov.adapters.job_cards import JobCards
from hpcprov.adapters.job_table import MOST_JOBS, Job, JobTable, short
from hpcprov.adapters.own_run import OwnRun, own_store
from hpcprov.adapters.rule_options import cut, rule_options, text
from hpcprov.capture import redact
from hpcprov.merge.find import run_ids
from hpcprov.merge.read import read_run
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable
    from logging import LogRecord
    from types import FrameType
    from typing import Any

ENGINE = "snakemake"
SUBMITTED = re.compile(r"Job ([0-9]+) has been submitted with SLURM jobid ([0-9_]+)")
# A new output is moved to the cache, and then fetched from there like one that was there before.
STORED = re.compile(r"Moving output file (.+) to cache\b")
FETCHED = re.compile(r"(?:Symlinking|Copying) output file (.+) from cache\b")
MOST_FILES = 1000
MOST_RULES = 5000
MOST_EDGES = 20_000
MOST_BYTES = 64 << 20  # of one snakefile or configuration file
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
        self.files: dict[str, str | None] = {}
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
        store = own_store(os.environ, os.getcwd())
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
        own = self.own_job(number)
        command = getattr(record, "shellcmd", None)
        job.command = redact.scrub_word(command) if isinstance(command, str) else None
        job.output = paths(own.output if own is not None else getattr(record, "output", None))
        if self.detailed < MOST_JOBS:  # what is known of more is not listed, and need not be kept in memory
            self.detailed += job.state == "not run"
            job.facts = job_facts(record, own)
        self.table.started(number)
        if own is not None and isinstance(command, str):
            self.leave_card(own, number, command)

    def leave_card(self, own: Any, number: int, command: str) -> None:
        """Tell hpcprov's shell what a job's command is to be recorded with; without a card it records the command."""
        if self.cards is None:
            return
        try:
            self.cards.put(number, shell_command(own, command), card(own, number))
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

    def own_job(self, number: int) -> Any:
        """Snakemake's own object for a job, from the caller that tells of it; None when it cannot be found."""
        frame = caller("snakemake.jobs", "Job")
        return frame["self"] if frame is not None and frame["self"].jobid == number else None

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
            graph = self.look_at_graph()
        # Another version may name things differently: what was logged is told all the same.
        except Exception as error:
            graph, problem = {}, f"the graph of jobs could not be read: {reason(error)}"
        if final:
            self.gather()
        listed = self.table.listed()
        fact = {"engine": ENGINE, "version": self.version, "final": final, "counts": self.table.counts()}
        rest: dict[str, Any] = {
            "unmatched_runs": self.table.unmatched[:MOST_FILES],
            "jobs_left_out": len(self.table.jobs) - len(listed),
            "reason": problem,
        }
        self.run.tell(
            "workflow", fact | graph | {"jobs": listed} | {key: value for key, value in rest.items() if value}
        )

    def look_at_graph(self) -> dict[str, Any]:
        """Rules, edges and files of the workflow; jobs of which nothing was logged are added to the table."""
        if self.workflow is None:
            return {"reason": "Snakemake's own objects could not be found"}
        graph = self.workflow.dag
        edges: set[tuple[str, str]] = set()
        for job in list(graph.jobs):
            number = graph.jobid(job)
            if number not in self.table.jobs:
                known = self.table.add(Job(number, job.rule.name, output=paths(job.output)))
                known.facts = {"wildcards": texts(job.wildcards_dict)} if len(self.table.jobs) <= MOST_JOBS else {}
            if not graph.needrun(job) and self.table.jobs[number].state == "not run":
                self.table.cached(number)
            edges |= {(earlier.rule.name, job.rule.name) for earlier in list(graph.job_dependencies(job))}
        counts = self.table.by_rule()
        rules = [self.rule(rule, counts) for rule in list(self.workflow.rules)[:MOST_RULES] if rule.name in counts]
        return self.sources() | {"rules": rules, "edges": [list(edge) for edge in sorted(edges)[:MOST_EDGES]]}

    def rule(self, rule: Any, counts: dict[str, dict[str, int]]) -> dict[str, Any]:
        """A rule as the snakefile has it: patterns with their wildcards, and what is run."""
        codes = {"shell": rule.shellcmd, "script": rule.script, "wrapper": rule.wrapper, "notebook": rule.notebook}
        how = next((word for word, code in codes.items() if code), "nothing" if rule.norun else "run")
        entry = {"name": rule.name, "jobs": counts[rule.name], "how": how}
        entry |= {"input": patterns(rule.input), "output": patterns(rule.output)}
        return entry | ({how: cut(redact.scrub_word(str(codes[how])))} if how in codes else {})

    def sources(self) -> dict[str, Any]:
        """The snakefiles and configuration files with their digests, and the digest of the whole configuration."""
        from hpcprov.record.canonical import canonical, digest_bytes

        included = [
            str(source.get_path_or_uri(secret_free=True)) for source in list(self.workflow.included)[:MOST_FILES]
        ]
        config = [str(path) for path in list(self.workflow.configfiles)[:MOST_FILES]]
        try:
            whole: str | None = digest_bytes(canonical(self.workflow.config))
        except (TypeError, ValueError):
            whole = None
        files = [self.file(path) for path in dict.fromkeys(config)]
        return {
            "snakefile": self.file(included[0]) if included else None,
            "included": [self.file(path) for path in included[1:]],
            "config": {"files": files, "digest": whole},
        }

    def file(self, path: str) -> dict[str, Any]:
        """Path and digest of a file, taken once: it may be edited while the workflow runs."""
        where = os.path.abspath(path) if "://" not in path else redact.scrub_word(path)
        if where not in self.files:
            self.files[where] = file_digest(where)
        return {"path": where, "sha256": self.files[where]}

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


def job_facts(record: LogRecord, own: Any) -> dict[str, Any]:
    """What is told of a job beside its state: values as text, lists cut short."""
    facts: dict[str, Any] = {"wildcards": texts(getattr(record, "wildcards", None))}
    facts["resources"] = {
        key: value for key, value in texts(getattr(record, "resources", None)).items() if key[0] != "_"
    }
    facts["input"] = short(paths(own.input if own is not None else getattr(record, "input", None)))
    facts["log"] = short(paths(own.log if own is not None else getattr(record, "log", None)))
    facts["threads"] = getattr(record, "threads", None)
    facts["reason"] = cut(str(getattr(record, "reason", "") or ""))
    if own is not None:
        facts["params"] = texts(dict(own.params.items())) | positional(own.params)
    return {key: value for key, value in facts.items() if value}


def positional(params: Any) -> dict[str, str]:
    """Parameters without a name, by their places."""
    named = {id(value) for _, value in params.items()}
    return {str(k): cut(redact.scrub_word(text(value))) for k, value in enumerate(params) if id(value) not in named}


def card(own: Any, number: int) -> list[str]:
    """The options with which a job's command is recorded when it is run by hpcprov's own shell."""
    resources = {key: value for key, value in own.resources.items() if not key.startswith("_")}
    return rule_options(
        own.rule.name,
        input=paths(own.input),
        output=paths(own.output),
        log=paths(own.log),
        threads=own.threads,
        job=number,
        wildcards=own.wildcards_dict,
        params=dict(own.params.items()),
        resources=resources,
    )


def shell_command(own: Any, command: str) -> tuple[str | None, str]:
    """The shell that a job's command will be given to, and the text that it will be given (snakemake/shell.py)."""
    from snakemake.shell import shell

    executable = own.resources.get("shell_exec") or shell.get_executable()
    words = (shell._get_process_prefix(executable), command, shell._process_suffix)
    return executable, " ".join(words).strip()


def caller(module: str, name: str) -> dict[str, Any] | None:
    """The variables of the nearest method of a class among the functions that are being called; None without one.

    Snakemake hands its objects to nobody who only listens to its log.
    """
    frame: FrameType | None = sys._getframe(1)
    for _ in range(60):
        if frame is None:
            return None
        one = type(frame.f_locals.get("self"))
        if one.__module__ == module and one.__name__ == name:
            return frame.f_locals
        frame = frame.f_back
    return None


def workflow_name(snakefile: str) -> str:
    """The folder of the workflow: a snakefile is called `Snakefile`, in `workflow/` by convention."""
    folder, base = os.path.split(os.path.abspath(snakefile or "Snakefile"))
    if base != "Snakefile" and snakefile:
        return base.removesuffix(".smk")
    return os.path.basename(os.path.dirname(folder) if os.path.basename(folder) == "workflow" else folder) or base


def paths(files: Any) -> list[str]:
    """The paths of a job's inputs, outputs or logs."""
    return [str(path) for path in files or ()]


def patterns(files: Any) -> list[str]:
    """The patterns of a rule's inputs or outputs; a function stands for what is only known of each job."""
    return short([item if isinstance(item, str) else "a function" for item in files or ()])


def texts(table: Any) -> dict[str, str]:
    """Names and values of wildcards, resources or parameters as text, without secrets."""
    found = table.items() if table else ()
    pairs = [(str(key)[:100], redact.scrub_word(f"{key}={text(value)}").partition("=")[2]) for key, value in found]
    return {key: cut(value) for key, value in pairs[:100]}


def file_digest(path: str) -> str | None:
    """SHA-256 of a regular file of at most 64 MiB; None when it cannot be read."""
    try:
        with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
            data = file.read(MOST_BYTES + 1)
    except (OSError, ValueError):
        return None
    return sha256(data).hexdigest() if len(data) <= MOST_BYTES else None


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
