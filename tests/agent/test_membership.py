"""A run tells its job and its workflow of itself: once, from its first node, and whatever the scheduler does."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent import membership
from hpcprov.agent.membership import Membership, end_of_job, is_first
from hpcprov.merge.read import read_run
from hpcprov.record.layout import Store

from .conftest import Site, until

JOB = {"SLURM_JOB_ID": "17", "SLURM_CLUSTER_NAME": "alps", "SLURM_JOB_PARTITION": "debug"}
START = {"rank": 0, "nodes": 1, "launcher": "none", "name": "spin", "argv": ["./model"], "tags": {"a": "b"}, "cwd": "/"}
RUNNING = "JobId=17 JobName=x\\n   JobState=RUNNING\\n   TimeLimit=00:05:00\\n"


def scontrol(folder: Path, script: str) -> dict[str, str]:
    """A scontrol that hangs, talks nonsense or dies: no real one does so when told to."""
    folder.mkdir(exist_ok=True)
    path = folder / "scontrol"
    path.write_text(f'#!/bin/sh\necho asked >>"{folder}/asked"\n{script}\n')
    path.chmod(0o755)
    return {"PATH": f"{folder}:{os.environ['PATH']}"}


def records(site: Site, count: int) -> list[dict[str, Any]]:
    """The records that agents have made."""

    def places() -> list[Path]:
        return list(site.cwd.glob(".hpcprov/records/*/*/*/*/record.json"))

    until(lambda: len(places()) == count, "not all runs were merged")
    return [json.loads(place.read_text()) for place in places()]


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs").mkdir()
    return Store(str(tmp_path))


def events(store: Store, run_id: str, kind: str) -> list[dict[str, Any]]:
    logs = read_run(store.run(run_id)) if os.path.isdir(store.run(run_id)) else []
    return [event for log in logs for event in log.events if event["event"] == kind]


def member(store: Store, number: int = 1, **environ: str) -> Membership:
    return Membership(store, f"part-{number}", log=f"n1.{number}-{number}.0.log", node="n1", environ=environ)


def test_a_job_is_asked_about_once(store: Store, tmp_path: Path) -> None:
    path = scontrol(tmp_path / "bin", f"printf '{RUNNING}'")
    for number in range(5):
        one = member(store, number, **(JOB | path))
        one.tell([START])
        one.tell([START])
        if one.asking is not None:
            one.asking.join(100)
    assert [event["run"] for event in events(store, "slurm-alps-17", "part")] == [f"part-{n}" for n in range(5)]
    facts = {event["kind"]: event["value"] for event in events(store, "slurm-alps-17", "fact")}
    assert facts["job"]["time_limit_s"] == 300 and facts["scheduler"]["partition"] == "debug"
    assert (tmp_path / "bin/asked").read_text() == "asked\n" * 2  # show job, write batch_script


@pytest.mark.parametrize("script", ["sleep 60", "head -c 100000 /dev/urandom", "kill -9 $$", "exit 1"])
def test_a_scheduler_that_does_not_answer_holds_up_nobody(store: Store, tmp_path: Path, script: str) -> None:
    one = member(store, **(JOB | scontrol(tmp_path / "bin", script)))
    began = time.monotonic()
    one.tell([START])
    assert len(events(store, "slurm-alps-17", "part")) == 1
    one.wait()
    assert time.monotonic() - began < 30


def test_what_could_not_be_had_is_told(store: Store, tmp_path: Path) -> None:
    one = member(store, **(JOB | scontrol(tmp_path / "bin", "exit 1")))
    one.tell([START])
    assert one.asking is not None
    one.asking.join(100)
    (fact,) = [event for event in events(store, "slurm-alps-17", "fact") if event["kind"] == "job"]
    assert fact["error"] == "scontrol does not answer, or knows nothing of the job"


def test_later_parts_know_when_the_jobs_time_will_be_over(store: Store, tmp_path: Path) -> None:
    """Slurm 22.05 does not tell it in the environment, but slurmctld did tell the first part."""
    path = scontrol(tmp_path / "bin", f"printf '{RUNNING}   StartTime=1795251600 EndTime=1795255200\\n'")
    assert end_of_job(store, JOB) is None
    one = member(store, **(JOB | path))
    one.tell([START])
    assert one.asking is not None
    one.asking.join(100)
    assert end_of_job(store, JOB) == 1_795_255_200
    assert end_of_job(store, JOB | {"SLURM_JOB_END_TIME": "1795250000"}) == 1_795_250_000
    assert end_of_job(store, {}) is None and end_of_job(store, JOB | {"SLURM_JOB_ID": "18"}) is None


def test_restarts_and_workflows_have_records_of_their_own(store: Store) -> None:
    environ = JOB | {"SLURM_RESTART_COUNT": "2", "HPCPROV_WORKFLOW": "flow", "PATH": "/nonexistent"}
    member(store, **environ).tell([START])
    (part,) = events(store, "flow", "part")
    assert part["kind"] == "workflow" and part["tags"] == {"a": "b"} and part["argv"] == ["./model"]
    assert len(events(store, "slurm-alps-17-r2", "part")) == 1 and not os.path.exists(store.run("slurm-alps-17"))


@pytest.mark.parametrize("name", ["../x", "", "a/b", "-x", "x" * 200, "part-1"])
def test_names_that_are_none_or_its_own_are_not_told(store: Store, name: str) -> None:
    member(store, HPCPROV_WORKFLOW=name).tell([START])
    assert os.listdir(store.runs) == []


@pytest.mark.parametrize(
    ("start", "environ", "expected"),
    [
        ({"nodes": 1, "rank": 7}, {}, True),
        ({"launcher": "none", "nodes": -1}, {}, True),
        ({"launcher": "slurm", "nodes": 2, "rank": 4}, {"SLURM_NODEID": "0"}, True),
        ({"launcher": "slurm", "nodes": 2, "rank": 0}, {"SLURM_NODEID": "1"}, False),
        ({"launcher": "mpich", "nodes": 2, "rank": 0}, {"SLURM_NODEID": "0"}, True),
        ({"launcher": "mpich", "nodes": 2, "rank": 4}, {"SLURM_NODEID": "0"}, False),
    ],
)
def test_only_the_first_node_tells(start: dict[str, Any], environ: dict[str, str], expected: bool) -> None:
    assert is_first([start], environ) is expected


def test_a_store_that_is_full_is_a_problem_of_the_run_and_no_more(site: Site) -> None:
    site.call(site.launcher, "exec", "--", "true", **(JOB | {"HPCPROV_WORKFLOW": "flow"}))
    assert (site.cwd / ".hpcprov/runs/flow").is_dir()
    blocked = site.cwd / ".hpcprov/runs/slurm-alps-18"
    blocked.write_text("not a directory")
    site.call(site.launcher, "exec", "--name", "told", "--", "true", **(JOB | {"SLURM_JOB_ID": "18"}))
    (record,) = [record for record in records(site, 2) if record["run"]["name"] == "told"]
    assert any("does not list this run: File exists" in problem["text"] for problem in record["problems"])


def test_a_run_ends_while_its_scheduler_hangs(site: Site) -> None:
    began = time.monotonic()
    site.call(site.launcher, "exec", "--", "true", **(JOB | scontrol(site.cwd / "bin", "sleep 300")))
    assert time.monotonic() - began < 100
    (record,) = records(site, 1)
    assert record["run"]["status"] == "completed" and record["run"]["part_of"]["job"] == "slurm-alps-17"
    assert membership.PATIENCE < 1
