"""Jobs of a workflow and their runs."""

from __future__ import annotations

import time
from typing import Any

import pytest

from hpcprov.adapters.job_table import MOST_JOBS, Job, JobTable, short


def table() -> JobTable:
    found = JobTable()
    found.add(Job(1, "map", output=["out/a.csv"], command="sort a > out/a.csv"))
    found.add(Job(2, "map", output=["out/b.csv"], command="sort b > out/b.csv"))
    found.add(Job(3, "join", output=["out/all.csv"], command="cat out/*.csv > out/all.csv"))
    return found


def part(run: str, **keys: Any) -> dict[str, Any]:
    return {"run": run, "cwd": "/data"} | keys


@pytest.mark.parametrize(
    ("told", "job"),
    [
        (part("x", tags={"job": "2", "rule": "map"}), 2),
        (part("x", tags={"job": "2", "rule": "another"}), None),
        (part("x", tags={"job": "99", "rule": "map"}), None),
        (part("x", tags={"job": "9" * 5000, "rule": "map"}), None),
        (part("x", tags={"rule": "map"}, outputs=["out/b.csv"]), 2),
        (part("x", tags={"rule": "map"}, outputs=["/data/out/./a.csv"]), 1),
        (part("x", tags={"rule": "map"}, outputs=["b.csv"], cwd="/data/out"), 2),
        (part("x", tags={"rule": "other"}, outputs=["out/b.csv"]), None),
        (part("slurm-alps-17.0.0", argv=["true"]), 3),
        (part("slurm-my-2nd-17.mpi-n1-99-5.0"), 3),
        (part("slurm-alps-18.0.0"), None),
        (part("x", argv=["bash", "-c", "set -euo pipefail; sort b > out/b.csv"]), 2),
        (part("x", argv=["bash", "-c", "sort c > out/c.csv"]), None),
        (part("x"), None),
    ],
)
def test_a_run_finds_its_job(told: dict[str, Any], job: int | None) -> None:
    jobs = table()
    jobs.submitted(3, "17")
    jobs.match([told], cwd="/data")
    assert {number: found.runs for number, found in jobs.jobs.items() if found.runs} == (
        {} if job is None else {job: [told["run"]]}
    )
    assert jobs.unmatched == ([told["run"]] if job is None else [])


def test_jobs_of_one_command_are_not_told_apart_by_it() -> None:
    jobs = JobTable()
    jobs.add(Job(1, "a", command="true"))
    jobs.add(Job(2, "b", command="true"))
    jobs.match([part("x", argv=["bash", "-c", "true"])], cwd="/")
    assert jobs.unmatched == ["x"]


def test_states() -> None:
    jobs = table()
    for number in (1, 2, 3):
        jobs.started(number)
    jobs.failed(1)
    jobs.started(1)
    jobs.finished(1)
    jobs.failed(2)
    jobs.finished(99)
    assert jobs.counts() == {"failed": 1, "unfinished": 1, "completed": 1, "cached": 0, "not run": 0}
    assert jobs.by_rule() == {"map": {"completed": 1, "failed": 1}, "join": {"unfinished": 1}}
    first, second, third = jobs.listed()
    assert (first["status"], first["failed_attempts"], second["status"], third["runs"]) == (
        "completed",
        1,
        "failed",
        [],
    )


def test_what_came_from_a_cache_of_workflows_is_cached() -> None:
    jobs = table()
    jobs.started(1)
    jobs.fetch("out/a.csv")
    jobs.finished(1)
    assert jobs.listed()[0]["status"] == "cached"


def test_of_very_many_jobs_the_failed_ones_are_listed() -> None:
    jobs = JobTable()
    for number in range(100_000):
        jobs.add(Job(number, "map", output=[f"out/{number}.csv"]))
        jobs.started(number)
        jobs.finished(number)
    jobs.failed(99_999)
    began = time.process_time()
    jobs.match((part(f"r{k}", tags={"rule": "map", "job": str(k)}) for k in range(100_000)), cwd="/data")
    listed = jobs.listed()
    assert len(listed) == MOST_JOBS and listed[-1]["id"] == 99_999 and listed[-1]["status"] == "failed"
    assert jobs.counts()["completed"] == 99_999
    assert time.process_time() - began < 60  # linear; quadratic would take hours


def test_long_lists_say_what_is_missing() -> None:
    assert short([str(k) for k in range(500)])[-1] == "and 400 more"
    assert short(["x" * 5000]) == ["x" * 1000]
