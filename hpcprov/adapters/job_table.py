"""The jobs of a workflow as they go: which started, ended, failed, were there already; and which runs were theirs.

Pure: what a workflow system says goes in, a table comes out.

    table = JobTable()
    table.add(Job(3, "map", output=["out/a.csv"])); table.started(3); table.finished(3)
    table.match(parts, cwd="/data")
    table.listed()  ->  [{"id": 3, "rule": "map", "status": "completed", "runs": ["2026…-1f2e3d4c"], ...}]
"""

from __future__ import annotations

import os
import re

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping, Sequence
    from typing import Any

# What one record tells of one by one; counts are of all.
MOST_JOBS = 20_000
MOST_PATHS = 100
MOST_TEXT = 1000
STATES = ("failed", "unfinished", "completed", "cached", "not run")
# A run in a Slurm step or batch script begins with its job's id (launcher/place.c).
SLURM_RUN = re.compile(r"slurm-.*?-([0-9]+)[.].+")


class Job:
    """One job: what is known of it, `state`, how often it failed, and the ids of its `runs`."""

    __slots__ = ("command", "errors", "external", "facts", "id", "output", "rule", "runs", "state")

    def __init__(self, id: int, rule: str, *, output: Iterable[str] = (), command: str | None = None) -> None:
        self.id, self.rule, self.command = id, rule, command
        self.output = list(output)
        self.state = "not run"
        self.errors = 0
        self.external: str | None = None
        self.facts: dict[str, Any] = {}
        self.runs: list[str] = []


class JobTable:
    """Jobs by number. Methods take numbers that may be unknown."""

    def __init__(self) -> None:
        self.jobs: dict[int, Job] = {}
        self.unmatched: list[str] = []
        self.fetched: set[str] = set()

    def add(self, job: Job) -> Job:
        """The job of that number, made known when it is not."""
        return self.jobs.setdefault(job.id, job)

    def started(self, id: int) -> None:
        self._set(id, "unfinished")

    def finished(self, id: int) -> None:
        self._set(id, "completed")

    def failed(self, id: int) -> None:
        """One attempt failed; another may follow."""
        if id in self.jobs:
            self.jobs[id].state = "failed"
            self.jobs[id].errors += 1

    def cached(self, id: int) -> None:
        self._set(id, "cached")

    def fetch(self, path: str) -> None:
        """This output came from a cache that workflows share."""
        self.fetched.add(path)

    def submitted(self, id: int, external: str) -> None:
        """A scheduler took it in, under an id of its own."""
        if id in self.jobs:
            self.jobs[id].external = external

    def _set(self, id: int, state: str) -> None:
        if id in self.jobs:
            self.jobs[id].state = state

    def match(self, parts: Iterable[Mapping[str, Any]], cwd: str) -> None:
        """Give each run of a rule (as `part` events tell) to its job; those that fit none stay in `unmatched`."""
        finders = self._finders(cwd)
        for job in self.jobs.values():
            job.runs = []
        self.unmatched = []
        for part in parts:
            home = next((found for find in finders if (found := find(part)) is not None), None)
            if home is None:
                self.unmatched.append(part["run"])
            else:
                home.runs.append(part["run"])

    def _finders(self, cwd: str) -> list[Callable[[Mapping[str, Any]], Job | None]]:
        """What tells a run's job, surest first: its number, its outputs, its scheduler's id, its command."""
        outputs = {(job.rule, path): job for job in self.jobs.values() for path in _absolute(cwd, job.output)}
        externals = _unique((job.external, job) for job in self.jobs.values() if job.external)
        commands = _unique((job.command.strip(), job) for job in self.jobs.values() if job.command)

        def by_number(part: Mapping[str, Any]) -> Job | None:
            tags = part.get("tags") or {}
            number = str(tags.get("job", ""))
            job = self.jobs.get(int(number)) if number.isascii() and number.isdigit() and len(number) < 10 else None
            return job if job is not None and job.rule == tags.get("rule") else None

        def by_output(part: Mapping[str, Any]) -> Job | None:
            rule = str((part.get("tags") or {}).get("rule"))
            paths = _absolute(str(part.get("cwd") or cwd), part.get("outputs") or [])
            return next((outputs[rule, path] for path in paths if (rule, path) in outputs), None)

        def by_scheduler(part: Mapping[str, Any]) -> Job | None:
            found = SLURM_RUN.fullmatch(part["run"])
            return externals.get(found[1]) if found else None

        def by_command(part: Mapping[str, Any]) -> Job | None:
            argv = part.get("argv") or []
            return commands.get(argv[-1].removeprefix("set -euo pipefail; ").strip()) if argv else None

        return [by_number, by_output, by_scheduler, by_command]

    def lacks_runs(self) -> bool:
        """Is there a job that ended badly, and no run is known to be its?"""
        return any(job.state in ("failed", "unfinished") and not job.runs for job in self.jobs.values())

    def counts(self) -> dict[str, int]:
        """How many jobs there are of each state."""
        found = dict.fromkeys(STATES, 0)
        for job in self.jobs.values():
            found[self.state(job)] += 1
        return found

    def by_rule(self) -> dict[str, dict[str, int]]:
        """For each rule how many of its jobs there are of each state."""
        found: dict[str, dict[str, int]] = {}
        for job in self.jobs.values():
            counts = found.setdefault(job.rule, {})
            counts[self.state(job)] = counts.get(self.state(job), 0) + 1
        return found

    def state(self, job: Job) -> str:
        """How a job ended; `cached` when it had not to be run."""
        return "cached" if job.state == "completed" and not self.fetched.isdisjoint(job.output) else job.state

    def listed(self) -> list[dict[str, Any]]:
        """The jobs in order of their numbers; of very many those that matter most."""
        jobs = sorted(self.jobs.values(), key=lambda job: (STATES.index(self.state(job)), job.id))[:MOST_JOBS]
        return [self._entry(job) for job in sorted(jobs, key=lambda job: job.id)]

    def _entry(self, job: Job) -> dict[str, Any]:
        entry: dict[str, Any] = {"id": job.id, "rule": job.rule, "status": self.state(job)}
        entry |= {"output": short(job.output)} | job.facts
        if entry["status"] in ("completed", "failed", "unfinished"):
            entry["runs"] = job.runs[:MOST_PATHS]
        if job.errors:
            entry["failed_attempts"] = job.errors
        return entry | ({"slurm": job.external} if job.external else {})


def short(paths: Sequence[str]) -> list[str]:
    """A list of texts as it is recorded; a last item says how many are left out."""
    kept = [text[:MOST_TEXT] for text in paths[:MOST_PATHS]]
    return kept if len(paths) <= MOST_PATHS else [*kept, f"and {len(paths) - MOST_PATHS} more"]


def _absolute(cwd: str, paths: Iterable[str]) -> list[str]:
    return [os.path.normpath(os.path.join(cwd, path)) for path in paths]


def _unique(pairs: Iterable[tuple[str, Job]]) -> dict[str, Job]:
    """Texts that name one job only."""
    found: dict[str, Job | None] = {}
    for text, job in pairs:
        found[text] = job if text not in found else None
    return {text: job for text, job in found.items() if job is not None}
