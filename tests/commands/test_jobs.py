"""Batch jobs and workflows on the command line: found by their names, shown with their parts, settled for an epilog.

Slurm's commands are scripts on PATH here; tests/cluster/ has the real ones.
"""

from __future__ import annotations

import contextlib
import json
import os
import shutil
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from merge.build import BEGAN, SECOND, Launch
from record_check import check_record

from hpcprov.agent import membership
from hpcprov.capture import sacct, slurm
from hpcprov.commands import wholes
from hpcprov.commands.choose import choose
from hpcprov.merge import find, read
from hpcprov.merge.find import find_record, record_directories, run_ids
from hpcprov.merge.read import read_log
from hpcprov.record.errors import AmbiguousRun, NoSuchRun
from hpcprov.record.layout import Store

from .conftest import Call

START = BEGAN // SECOND
ENV = {"SLURM_CLUSTER_NAME": "alps", "SLURM_JOB_ID": "17"}


class Commands:
    """sacct and scontrol on PATH: `says(...)` decides what they print, `asked` counts calls."""

    def __init__(self, folder: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        self.folder, self.monkeypatch = folder, monkeypatch
        self.folder.mkdir()
        for name in ("sacct", "scontrol"):
            path = folder / name
            path.write_text(f'#!/bin/sh\necho "$@" >>{folder}/asked\n. {folder}/{name}.sh\n')
            path.chmod(0o755)
        self.says()

    def says(self, *rows: dict[str, str], scontrol: str = "exit 1") -> None:
        separator = 'for w in "$@"; do case $w in --delimiter=*) s=${w#*=};; esac; done'
        cells = [[f"'{row.get(name, '')}'" for name in sacct.fields()] for row in rows]
        lines = ["echo " + '"$s"'.join(line) for line in cells]
        (self.folder / "sacct.sh").write_text("\n".join([separator, *lines]))
        config = '[ "$2" = config ] && echo "ClusterName = alps" && exit'
        (self.folder / "scontrol.sh").write_text(f"{config}\n{scontrol}")
        self.monkeypatch.setattr(slurm, "_here", slurm.Slurm())  # another process, another time

    @property
    def asked(self) -> list[str]:
        path = self.folder / "asked"
        return path.read_text().splitlines() if path.exists() else []


@pytest.fixture
def commands(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Commands:
    monkeypatch.setenv("PATH", f"{tmp_path}/slurm:/usr/bin:/bin")
    return Commands(tmp_path / "slurm", monkeypatch)


def row(job: str, state: str, **values: str) -> dict[str, str]:
    times = {"Submit": str(START), "Start": str(START), "End": str(START + 60), "ExitCode": "0:0"}
    return {"Cluster": "alps", "JobID": job, "JobIDRaw": job, "State": state} | times | values


def step(
    number: int, *, job: str = "17", launch: str = "", code: int = 0, elsewhere: bool = True, **env: str
) -> Launch:
    """A step that ended without its agent, on a node that this one cannot see."""
    boot = {"boot_id": "of another machine"} if elsewhere else {}
    common = {"run": f"slurm-alps-{job}.{number}.0", "name": f"step {number}", "agent": False}
    own = Launch(launch=launch or f"{number + 7}-{number + 7}", launcher="slurm", **boot).start(at=number, **common)
    return own.env(**(ENV | {"SLURM_JOB_ID": job, "SLURM_STEP_ID": str(number)} | env)).exit(at=number + 5, code=code)


@pytest.fixture
def job(store: Store, commands: Commands) -> Store:
    """A job of two steps, the second of which was killed with its agent; Slurm knows why."""
    step(0).write(store.run("slurm-alps-17.0.0"))
    lost = step(1)
    lost.events.pop()
    lost.write(store.run("slurm-alps-17.1.0"))
    commands.says(row("17", "TIMEOUT", JobName="spin", User="ada"), row("17.0", "COMPLETED"), row("17.1", "CANCELLED"))
    return store


def test_who_settles_a_run_tells_its_job(call: Call, job: Store) -> None:
    assert call("runs")[0] == 0
    record = check_record(json.loads(call("show", "17", "--json")[1]))
    assert record["run"]["id"] == "slurm-alps-17" and record["run"]["status"] == "timed out"
    assert [part["run"] for part in record["parts"]] == ["slurm-alps-17.0.0", "slurm-alps-17.1.0"]
    assert run_ids(job) == [] and call("settle", "--all")[1] == "nothing to settle\n"


def test_a_job_is_shown_with_its_steps_and_a_step_with_its_job(call: Call, job: Store) -> None:
    call("runs")
    out = call("show", "17")[1]
    assert "timed out: sacct: TIMEOUT" in out and "witness    sacct: job TIMEOUT" in out
    lines = {line.split()[-2]: line for line in out.splitlines() if "  step " in line}
    assert "completed" in out and "timed out" in next(line for line in out.splitlines() if "17.1.0" in line), lines
    assert "part of    job slurm-alps-17" in call("show", "17.1")[1]
    assert call("log", "17")[1].count("exec ./model -v") == 2


def test_of_many_steps_those_are_shown_that_did_not_complete(call: Call, store: Store, commands: Commands) -> None:
    for number in range(60):
        step(number, code=int(number == 55), elsewhere=False).write(store.run(f"slurm-alps-17.{number}.0"))
    commands.says(row("17", "COMPLETED"), scontrol="exit 1")
    call("runs")
    runs = [line for line in call("show", "17")[1].splitlines() if line.startswith(("runs", " " * 11))]
    assert "slurm-alps-17.55.0  failed" in runs[0] and runs[1].strip() == "... and 59 completed"


def test_runs_of_a_job_and_of_a_kind(call: Call, job: Store) -> None:
    def listed(*words: str) -> list[str]:
        return [run["id"] for run in json.loads(call("runs", "--json", *words)[1])]

    assert listed("--kind", "job") == ["slurm-alps-17"]
    assert sorted(listed("--job", "17")) == ["slurm-alps-17", "slurm-alps-17.0.0", "slurm-alps-17.1.0"]
    assert listed("--job", "18") == [] and len(listed("--kind", "command")) == 2
    assert "[job of 2 runs]" in call("runs")[1]


def test_the_number_of_a_job_is_no_beginning_of_a_date(call: Call, job: Store, commands: Commands) -> None:
    call("runs")
    Launch(launch="3-3").start(run="17T").exit().write(job.run("17T"))
    assert choose(job, "17").id == "slurm-alps-17" and choose(job, "17T").id == "17T"


def test_the_latest_start_and_tasks_of_an_array(store: Store, commands: Commands) -> None:
    for restarts, launch in (("", "1-1"), ("-r1", "2-2"), ("-r10", "3-3")):
        own = {"SLURM_RESTART_COUNT": restarts[2:]} if restarts else {}
        step(0, launch=launch, elsewhere=False, **own).write(store.run(f"slurm-alps-17.0{restarts}.0"))
    task = {"SLURM_ARRAY_JOB_ID": "30", "SLURM_ARRAY_TASK_ID": "4"}
    step(0, job="31", elsewhere=False, **task).write(store.run("slurm-alps-31.0.0"))
    step(0, job="17", launch="9-9", elsewhere=False).write(store.run("slurm-eiger-17.0.0"))
    with pytest.raises(AmbiguousRun):
        choose(store, "17.0")
    for name in os.listdir(store.run("slurm-eiger-17.0.0")):
        os.unlink(os.path.join(store.run("slurm-eiger-17.0.0"), name))
    os.rmdir(store.run("slurm-eiger-17.0.0"))
    assert choose(store, "17.0").id == "slurm-alps-17.0-r10.0"
    assert choose(store, "30_4").id == choose(store, "30_4.0").id == choose(store, "31").id == "slurm-alps-31.0.0"
    with pytest.raises(NoSuchRun):
        choose(store, "30_5")


def test_a_run_that_ended_badly_is_asked_about_once(call: Call, store: Store, commands: Commands) -> None:
    step(0, code=1, elsewhere=False).write(store.run("slurm-alps-17.0.0"))
    call("runs")  # nobody answers
    commands.says(row("17", "TIMEOUT"), row("17.0", "CANCELLED", ExitCode="0:15"))
    assert "witness    sacct: job TIMEOUT, exit 0:0; step 17.0 CANCELLED, exit 0:15" in call("show", "17.0")[1]
    asked = len([line for line in commands.asked if "17.0,17" in line])
    assert "witness    sacct" in call("show", "17.0")[1]
    assert len([line for line in commands.asked if "17.0,17" in line]) == asked


def test_who_settles_a_job_asks_why_its_steps_ended(call: Call, job: Store, commands: Commands) -> None:
    step(2, code=1, elsewhere=False).write(job.run("slurm-alps-17.2.0"))
    commands.says(row("17", "TIMEOUT"), row("17.2", "CANCELLED"), scontrol="exit 1")
    statuses = {run["id"]: run["status"] for run in json.loads(call("runs", "--json")[1])}
    assert statuses["slurm-alps-17"] == statuses["slurm-alps-17.1.0"] == "timed out"
    assert "sacct" in call("show", "17.2")[1]


def test_several_who_settle_at_once_make_one_record(store: Store, commands: Commands, tmp_path: Path) -> None:
    commands.says(*(row(f"{n}", "TIMEOUT") for n in range(1, 16)), scontrol="exit 1")
    for number in range(1, 16):
        own = step(0, job=str(number), elsewhere=False)
        own.events.pop()
        own.write(store.run(f"slurm-alps-{number}.0.0"))
    words = [sys.executable, "-m", "hpcprov", "runs", "--json"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE}
    those = [subprocess.Popen(words, cwd=tmp_path, text=True, **pipes) for _ in range(5)]  # type: ignore[call-overload]
    told = [one.communicate(timeout=100) for one in those]
    listed = [[run["id"] for run in json.loads(out)] for out, _ in told]
    assert all(len(ids) == len(set(ids)) for ids in listed)
    assert [err for _, err in told] == [""] * 5 and [one.returncode for one in those] == [0] * 5
    found = {os.path.basename(path) for path in record_directories(store)}
    assert found == {f"slurm-alps-{n}{end}" for n in range(1, 16) for end in ("", ".0.0")} and run_ids(store) == []


def test_an_epilog_never_fails(call: Call, store: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch) -> None:
    assert call("settle", "--job", "17") == (0, "", "")
    step(0, elsewhere=False).write(store.run("slurm-alps-17.0.0"))
    step(0, job="18", elsewhere=False).write(store.run("slurm-alps-18.0.0"))
    assert call("settle", "--job", "17") == (0, "settled slurm-alps-17.0.0\n", "")
    assert "slurm-alps-18.0.0" in run_ids(store)
    step(2).write(store.run("slurm-alps-17.2.0"))
    commands.says(scontrol="printf 'JobId=17 JobName=x\\n   JobState=RUNNING\\n   Restarts=0\\n'")
    status, out, _ = call("settle", "--job", "17")
    assert status == 0 and "left slurm-alps-17.2.0 may still be running: job 17 is RUNNING" in out
    monkeypatch.setenv("HPCPROV_DIR", "/nonexistent")
    assert call("settle", "--job", "17")[0] == 0


def test_of_a_job_that_goes_on_one_log_is_read(
    call: Call, store: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = f"printf 'JobId=17 JobName=x\\n   JobState=RUNNING\\n   StartTime={START}\\n   Restarts=0\\n'"
    for number in range(30):
        start = {"time": BEGAN, "argv": ["a"]}
        own = {"run": f"slurm-alps-17.{number}.0", "began": START}
        membership.write(store.run("slurm-alps-17"), f"n1.{number}-1.0.log", "n1", start, kind="job", **own)
    reads = []

    def look(directory: str, name: str, shared: dict[str, str]) -> read.Log | None:
        reads.append(name)
        return read_log(directory, name, shared)

    monkeypatch.setattr(read, "read_log", look)
    commands.says(scontrol=said)
    assert "RUNNING" in call("settle", "--job", "17")[1] and len(reads) == 0
    commands.says(scontrol=said.replace(str(START), str(START + 3600)))  # another job has its number now
    call("settle", "--job", "17")
    assert len(reads) == 30


def test_sacct_is_asked_once_about_many_jobs(call: Call, store: Store, commands: Commands) -> None:
    numbers = [str(number) for number in range(100, 160)]
    for number in numbers:
        for k in range(3):
            own = step(k, job=number)
            if k:
                own.events.pop()
            own.write(store.run(f"slurm-alps-{number}.{k}.0"))
    said = [("TIMEOUT", ""), ("COMPLETED", ".0"), ("CANCELLED", ".1"), ("CANCELLED", ".2")]
    commands.says(*(row(number + end, state) for number in numbers for state, end in said), scontrol="exit 1")
    listed = {run["id"]: run["status"] for run in json.loads(call("runs", "--json")[1])}
    assert len(listed) == 4 * len(numbers) and run_ids(store) == []
    for number in numbers:
        names = [f"slurm-alps-{number}{end}" for end in ("", ".0.0", ".1.0", ".2.0")]
        assert [listed[name] for name in names] == ["timed out", "completed", "timed out", "timed out"]
    assert len([line for line in commands.asked if "--jobs" in line]) == 2
    assert len([line for line in commands.asked if "show job" in line]) == 0


def test_records_are_looked_through_once_for_many_jobs(
    call: Call, store: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    commands.says(*(row(str(number), "COMPLETED") for number in range(20, 32)), scontrol="exit 1")
    looks = []

    def look(store: Store) -> list[str]:
        looks.append(store)
        return list(record_directories(store))

    monkeypatch.setattr(find, "record_directories", look)
    for number in range(20, 32):
        step(0, job=str(number), elsewhere=False).write(store.run(f"slurm-alps-{number}.0.0"))
    assert call("settle", "--all")[0] == 0 and len(looks) == 1
    made = {os.path.basename(path) for path in record_directories(store)}
    assert made == {f"slurm-alps-{number}{end}" for number in range(20, 32) for end in ("", ".0.0")}


def test_a_sacct_to_which_many_jobs_are_too_many_is_asked_about_each(
    call: Call, store: Store, commands: Commands
) -> None:
    for number in range(20, 32):
        step(0, job=str(number)).write(store.run(f"slurm-alps-{number}.0.0"))
    commands.says(*(row(str(number), "TIMEOUT") for number in range(20, 32)), scontrol="exit 1")
    script = commands.folder / "sacct.sh"
    script.write_text('case $* in *20,21,*) echo "too many" >&2; exit 1;; esac\n' + script.read_text())
    assert {run["status"] for run in json.loads(call("runs", "--json", "--kind", "job")[1])} == {"timed out"}


def test_an_epilog_asks_about_its_own_job_alone(call: Call, store: Store, commands: Commands) -> None:
    commands.says(scontrol="printf 'JobId=%s JobName=x\\n   JobState=RUNNING\\n   Restarts=0\\n' $3")
    for number in range(15, 25):
        step(0, job=str(number)).write(store.run(f"slurm-alps-{number}.0.0"))
        step(1, job=str(number)).write(store.run(f"hydra-{number}-81-4.0"))  # its id does not tell its job
    assert call("settle", "--job", "17")[1].count("left ") == 2
    asked = [line for line in commands.asked if "config" not in line]
    assert asked and all("17" in line for line in asked)


def test_many_steps_tell_their_job_once(
    call: Call, store: Store, commands: Commands, monkeypatch: pytest.MonkeyPatch
) -> None:
    for number in range(12):
        step(number, elsewhere=False).write(store.run(f"slurm-alps-17.{number}.0"))
    commands.says(row("17", "COMPLETED"), scontrol="exit 1")
    revised = []
    monkeypatch.setattr(wholes, "revise", lambda store, place, old: revised.append(place))
    call("settle", "--job", "17")
    step(99, elsewhere=False).write(store.run("slurm-alps-17.99.0"))
    step(98, elsewhere=False).write(store.run("slurm-alps-17.98.0"))
    call("settle", "--job", "17")
    assert [os.path.basename(place) for place in revised] == ["slurm-alps-17"] and run_ids(store) == []


def test_a_running_job_is_shown_as_such(call: Call, store: Store, commands: Commands) -> None:
    commands.says(scontrol="printf 'JobId=17 JobName=x\\n   JobState=RUNNING\\n   Restarts=0\\n'")
    step(0).write(store.run("slurm-alps-17.0.0"))
    part = {"node": "n1", "kind": "job", "run": "slurm-alps-17.0.0", "argv": ["./model"]}
    Launch(launch="7-7").add("part", 1, **part).write(store.run("slurm-alps-17"))
    out = call("show", "17")[1]
    assert "status     running" in out and "slurm-alps-17.0.0  running" in out
    assert find_record(store, "slurm-alps-17") is None


def test_a_workflow_that_is_not_here_is_not_made(call: Call, store: Store, commands: Commands) -> None:
    step(0, elsewhere=False, HPCPROV_WORKFLOW="flow-1").write(store.run("slurm-alps-17.0.0"))
    call("runs")
    assert find_record(store, "flow-1") is None and "flow-1" not in run_ids(store)
    assert "part of    workflow flow-1" in call("show", "17.0")[1].replace("           workflow", "part of    workflow")


def test_a_task_of_an_array_says_which_and_where_the_others_are(call: Call, store: Store, commands: Commands) -> None:
    for number, job in enumerate(("17", "18"), 1):
        array = {"SLURM_ARRAY_JOB_ID": "17", "SLURM_ARRAY_TASK_ID": str(number)}
        step(0, job=job, elsewhere=False, **array).write(store.run(f"slurm-alps-{job}.0.0"))
    commands.says(row("17", "COMPLETED"), row("18", "COMPLETED"))
    listed = {run["id"]: run["array_task"] for run in json.loads(call("runs", "--kind", "job", "--json")[1])}
    assert listed == {"slurm-alps-17": "17_1", "slurm-alps-18": "17_2"}
    assert "[job 17_2 of 1 run]" in call("runs", "--job", "17_2")[1]
    out = call("show", "17_2")[1]
    assert "slurm 18, array task 17_2, cluster alps" in out and "hpcprov runs --job 17 " in out
    assert call("runs", "--job", "17")[1].count("[job 17_") == 2


def test_the_first_start_of_a_requeued_job_leads_to_all(call: Call, store: Store, commands: Commands) -> None:
    step(0, elsewhere=False).write(store.run("slurm-alps-17.0.0"))
    commands.says(row("17", "REQUEUED"))
    call("runs")
    assert "hpcprov runs --job 17  " in call("show", "slurm-alps-17")[1]


def test_of_a_job_what_its_steps_left_is_signed(call: Call, store: Store, commands: Commands, tmp_path: Path) -> None:
    killed = step(0, elsewhere=False)
    killed.events[0] |= {"outputs": ["u.txt"], "inputs": [], "cwd": str(tmp_path)}
    killed.write(store.run("slurm-alps-17.0.0"))
    (tmp_path / "u.txt").write_text("1")
    os.utime(tmp_path / "u.txt", (START, START))
    commands.says(row("17", "TIMEOUT"))
    assert "hpcprov settle slurm-alps-17 " in call("show", "17")[1]
    assert call("settle", "17")[1] == f"{tmp_path}/u.txt: ok\n"
    assert "u.txt  file" in call("show", "17.0")[1] and "hpcprov settle" not in call("show", "17")[1]
    assert call("settle", "17")[1] == "nothing left to do\n"


def test_a_later_start_of_a_job_says_which(call: Call, store: Store, commands: Commands) -> None:
    step(0, elsewhere=False, SLURM_RESTART_COUNT="2").write(store.run("slurm-alps-17.0.0"))
    commands.says(row("17", "COMPLETED"))
    call("runs")
    assert "slurm 17, start 3, cluster alps" in call("show", "slurm-alps-17-r2")[1]


def test_a_part_is_shown_with_what_it_makes(call: Call, store: Store, commands: Commands) -> None:
    part = {"node": "n1", "kind": "workflow", "run": "r1", "argv": ["sh"], "name": "solve", "outputs": ["u.h5", "v.h5"]}
    Launch(launch="7-7").start(kind="workflow", run="w1").exit(at=5).add("part", 1, **part).write(store.run("w1"))
    assert "solve -> u.h5, v.h5" in call("show", "w1")[1]


def test_a_component_of_a_heterogeneous_job_names_the_job(call: Call, job: Store) -> None:
    for name, run in (("17+1", "slurm-alps-17"), ("17+1.0", "slurm-alps-17.0.0")):
        assert json.loads(call("show", name, "--json")[1])["run"]["id"] == run
    assert len(json.loads(call("runs", "--job", "17+0", "--json")[1])) == 3


class Killed(BaseException):
    """What nothing catches."""


def test_who_is_killed_while_it_settles_leaves_what_the_next_one_finishes(
    call: Call, job: Store, commands: Commands, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    statuses = {"slurm-alps-17": ("timed out", 2), "slurm-alps-17.0.0": ("completed", 0)}
    statuses["slurm-alps-17.1.0"] = ("timed out", 0)
    before = tmp_path / "before"
    shutil.copytree(job.root, before)
    for moment in range(1, 200):
        shutil.rmtree(job.root)
        shutil.copytree(before, job.root)
        with monkeypatch.context() as patch:
            killed = kill_at(moment, patch)
            with contextlib.suppress(Killed):
                call("settle", "--all")
        listed = {run["id"]: (run["status"], run["parts"]) for run in json.loads(call("runs", "--json")[1])}
        assert (listed, run_ids(job)) == (statuses, []), killed
        if not killed:
            break
    assert moment > 20


def kill_at(number: int, patch: pytest.MonkeyPatch) -> list[str]:
    """End the process at the so manyth call that writes; which that was, when it has come."""
    calls: list[str] = []
    killed: list[str] = []

    def counting(name: str, real: Callable[..., Any]) -> Callable[..., Any]:
        def counted(*args: Any, **keys: Any) -> Any:
            if name != "open" or args[1] & os.O_CREAT:
                calls.append(name)
                if len(calls) == number:
                    killed.append(f"{name} {args}")
                    raise Killed
            return real(*args, **keys)

        return counted

    for name in ("open", "write", "mkdir", "rename", "unlink", "rmdir"):
        patch.setattr(os, name, counting(name, getattr(os, name)))
    return killed
