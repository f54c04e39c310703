"""What Slurm's commands print -> facts: outputs of a real Slurm 22.05 (tests/capture/slurm/), and hostile ones.

The outputs were asked for with the words of `hpcprov.capture.slurm` and the separator `|7f3a|`.
"""

from __future__ import annotations

import hashlib
import json
import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.capture import sacct, scontrol, slurm
from hpcprov.capture.slurm import MOST_BYTES, Slurm
from hpcprov.capture.slurm_words import chosen, scrubbed, verdict
from hpcprov.record.job import Job

SAID = Path(__file__).parent / "slurm"
SEPARATOR = "|7f3a|"


def said(name: str) -> str:
    return (SAID / f"{name}.txt").read_bytes().decode()


def starts(name: str, job_id: str) -> list[dict[str, Any]]:
    return sacct.starts(sacct.rows(said(f"sacct-{name}"), SEPARATOR), job_id)


def states(start: dict[str, Any]) -> dict[str, str]:
    return {"": start["state"]} | {step["id"].partition(".")[2]: step["state"] for step in start["steps"]}


@pytest.mark.parametrize(
    ("name", "job", "expected"),
    [
        ("timeout", "3", {"": "TIMEOUT", "batch": "CANCELLED", "0": "CANCELLED"}),
        ("cancelled", "6", {"": "CANCELLED", "batch": "CANCELLED", "0": "CANCELLED"}),
        ("oom", "7", {"": "FAILED", "batch": "FAILED", "0": "OUT_OF_MEMORY"}),
        ("array", "2", {"": "COMPLETED", "batch": "COMPLETED", "0": "COMPLETED"}),
        ("het", "16", {"": "COMPLETED", "0": "COMPLETED"}),
        ("hostile", "11", {"": "COMPLETED", "batch": "COMPLETED", "0": "COMPLETED"}),
    ],
)
def test_states_of_a_job_and_its_steps(name: str, job: str, expected: dict[str, str]) -> None:
    (start,) = starts(name, job)
    assert states(start) == expected


def test_all_that_sacct_says_of_a_job() -> None:
    (start,) = starts("timeout", "3")
    assert start | {"steps": start["steps"][1:]} == {
        "cluster": "bed",
        "job_id": "3",
        "state": "TIMEOUT",
        "exit_code": "0:0",
        "job_name": "wrap",
        "partition": "main",
        "account": "root",
        "qos": "normal",
        "user": "root",
        "time_limit_s": 60,
        "submit": 1795247433,
        "start": 1795247434,
        "end": 1795247523,
        "node_list": "b1",
        "nodes": 1,
        "requested": "billing=1,cpu=1,mem=200M,node=1",
        "allocated": "billing=1,cpu=1,mem=200M,node=1",
        "submit_line": "sbatch --parsable -N1 -t 1 -o to.out --wrap srun sleep 300",
        "work_dir": "/home/ada/run",
        "steps": [
            {
                "id": "3.0",
                "name": "sleep",
                "state": "CANCELLED",
                "exit_code": "0:15",
                "start": 1795247434,
                "end": 1795247525,
                "node_list": "b1",
                "tasks": 1,
            }
        ],
    }


def test_who_cancelled_and_which_task_and_component() -> None:
    assert starts("cancelled", "6")[0]["by"] == "0"
    task, component = starts("array", "10")[0], starts("het", "16")[0]
    assert (task["array_job_id"], task["array_task_id"]) == ("2", "3")
    assert (component["het_job_id"], component["het_offset"]) == ("15", "1")


def test_the_first_component_has_the_steps_of_all() -> None:
    """A step over two components has a row in each."""
    (whole,), (second,) = starts("het", "15"), starts("het", "16")
    assert [step["id"] for step in whole["steps"]] == ["15.batch", "15.0", "16.0"]
    assert [step["id"] for step in second["steps"]] == ["16.0"]


def test_each_start_of_a_requeued_job() -> None:
    first, second = starts("requeued", "4")
    assert states(first)[""] == "REQUEUED" and states(first)["0"] == "CANCELLED"
    assert set(states(second).values()) == {"COMPLETED"}
    assert chosen([first, second], Job("bed", "4", restarts=1)) is second
    assert chosen([first, second], Job("bed", "4", restarts=0, began=first["start"] + 1)) is first
    assert chosen([first, second], Job("bed", "4", restarts=2)) is None
    assert chosen([first, second], Job("bed", "4", restarts=0, began=first["start"] + 86400)) is None


def test_a_number_that_came_round_again_is_another_job() -> None:
    """sacct tells of both; since 23.02 a step knows when its job began, before it knows when it ran itself."""
    old: dict[str, Any] = {"state": "FAILED", "start": 1000, "end": 2000}
    new: dict[str, Any] = {"state": "TIMEOUT", "start": 900_000, "end": 900_100}
    untold = {"state": "FAILED"}
    assert chosen([old, new], Job("bed", "4", seen=900_050)) is new
    assert chosen([old, new], Job("bed", "4", seen=1500)) is old
    assert chosen([old], Job("bed", "4", seen=900_050)) is None
    assert chosen([untold], Job("bed", "4", seen=900_050)) is untold
    assert chosen([old, new], Job("bed", "4", restarts=1, seen=900_050)) is new  # requeued, and held for days


def test_slurmctld_may_know_another_job_by_that_number(tmp_path: Path) -> None:
    told = "[ $2 = config ] && exec echo 'ClusterName = bed'\nprintf 'JobId=4711 JobName=x\\n   JobState=RUNNING\\n"
    slurm = Slurm(commands(tmp_path, scontrol=f"{told}   StartTime=900000\\n   Restarts=0\\n'"))
    assert slurm.ask(Job("bed", "4711", seen=900_001)).over is False
    assert slurm.ask(Job("bed", "4711", seen=1500)).over is None


def test_a_name_with_bars_and_line_feeds_takes_no_other_cell() -> None:
    (start,) = starts("hostile", "11")
    assert start["job_name"] == "nl\n   JobState=FAILED\x1fx"
    assert start["submit_line"].endswith("-o nl.out --wrap echo hi\nsrun true")


def test_no_text_of_slurms_is_kept_unscrubbed() -> None:
    told = {"state": "RUNNING", "licenses": "token=abc", "reason": "db_password=hunter2", "nodes": 2}
    assert scrubbed(told) == {"state": "RUNNING", "licenses": "token=***", "reason": "db_password=***", "nodes": 2}


def test_what_scontrol_says_of_a_running_job() -> None:
    found = scontrol.job(said("scontrol-het"), "25")
    assert found is not None
    assert {key: found[key] for key in ("state", "het_job_id", "het_offset", "het_job_ids", "nodes", "user")} == {
        "state": "RUNNING",
        "het_job_id": "24",
        "het_offset": "1",
        "het_job_ids": "24-25",
        "nodes": 1,
        "user": "root",
    }
    assert "time_limit_s" not in found and "end" not in found  # UNLIMITED, Unknown


def test_the_task_that_was_meant_and_long_values() -> None:
    array = scontrol.job(said("scontrol-array"), "23")
    assert array is not None and array["array_task_id"] == "3" and array["restarts"] == 0
    job = scontrol.job(said("scontrol-running"), "22")
    assert job is not None and job["job_name"] == "a b=c" and job["time_limit_s"] == 26 * 3600 + 4 * 60
    assert job["script"] == "/home/ada/run/hello.sh 1 2" and job["allocated"] == "cpu=4,mem=800M,node=2,billing=4"


def test_a_key_that_is_told_twice_is_not_believed() -> None:
    assert scontrol.job(said("scontrol-hostile"), "21") is None  # its name says JobState=FAILED
    told = "JobId=5 JobName=x\n   Account=forged\n   UserId=ada(1)\n   Account=real QOS=a\n   JobState=RUNNING\n"
    found = scontrol.job(told, "5")
    assert found is not None and "account" not in found and found["user"] == "ada"


def test_names_of_newer_releases() -> None:
    told = "JobId=5 JobName=x\n   JobState=FAILED Reason=NonZeroExitCode\n   ReqTRES=cpu=1\n   AllocTRES=cpu=2\n"
    found = scontrol.job(f"{told}   SubmitLine=sbatch a.sh --x=1\n", "5")
    assert found is not None
    assert (found["requested"], found["allocated"], found["submit_line"]) == ("cpu=1", "cpu=2", "sbatch a.sh --x=1")


@pytest.mark.parametrize(
    ("text", "seconds"),
    [("00:05:00", 300), ("1-02:03:04", 93784), ("30", 1800), ("01:30", 90), ("x", None), ("1-5", None), ("-1", None)],
)
def test_periods(text: str, seconds: int | None) -> None:
    assert scontrol.period(text) == seconds


@given(st.text(alphabet=st.sampled_from("JobId=5 \n|:.-x\x1f\udcff"), max_size=300))
def test_any_output_makes_json_or_nothing(text: str) -> None:
    json.dumps(scontrol.job(text, "5"))
    json.dumps(sacct.starts(sacct.rows(text, SEPARATOR), "5"))


@pytest.mark.parametrize("line", ["x", "x" * 70])
def test_rows_that_never_end_are_dropped(line: str) -> None:
    assert list(sacct.rows(f"{line}\n" * 200_000, SEPARATOR)) == []


# Programs of these names on PATH: for a scheduler that hangs, talks nonsense or says no there is no other way.
def commands(folder: Path, **scripts: str) -> dict[str, str]:
    for name, script in scripts.items():
        path = folder / name
        path.write_text(f"#!/bin/sh\n{script}\n")
        path.chmod(0o755)
    return {"PATH": f"{folder}:/usr/bin:/bin"}


JOB = Job("bed", "4711", restarts=0, began=None, step="0")


def test_one_that_hangs_is_asked_once(tmp_path: Path) -> None:
    environ = commands(tmp_path, scontrol=f"echo >>{tmp_path}/asked; sleep 300", sacct="exit 1")
    for patience in (0.2, 2, 20):  # on a busy machine it may begin late
        slurm = Slurm(environ, patience=patience)
        for _ in range(3):
            assert slurm.ask(JOB).over is None
        if (tmp_path / "asked").exists():
            break
    assert (tmp_path / "asked").read_text() == "\n"


def test_one_that_is_slow_is_not_asked_for_ever(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(slurm, "MOST_SPENT", 1.0)
    said = "[ $2 = config ] && exec echo 'ClusterName = bed'\nsleep 0.15\nprintf 'JobId=%s JobName=x\\n   JobState="
    here = Slurm(commands(tmp_path, scontrol=f"echo . >>{tmp_path}/asked\n{said}RUNNING\\n' $3"))
    told = [here.ask(Job("bed", str(number))).over for number in range(1, 20)]
    assert told[0] is False and told[-1] is None and "scontrol" in here.silent
    assert len((tmp_path / "asked").read_text().split()) < 12


def test_one_that_has_no_slurmctld_or_accounting_is_not_asked_for_every_run(tmp_path: Path) -> None:
    slurm = Slurm(commands(tmp_path, **dict.fromkeys(("scontrol", "sacct"), f"echo >>{tmp_path}/asked; exit 1")))
    for number in range(20):
        assert slurm.ask(Job("bed", str(number + 1))).over is None
    assert (tmp_path / "asked").read_text() == "\n" * 2


@pytest.mark.parametrize(
    "script",
    [
        "exit 1",
        "head -c 100000 /dev/urandom",
        f"yes | head -c {MOST_BYTES + 4096}",
        "echo 'slurm_load_jobs error: Invalid job id specified' >&2; exit 1",
        "kill -9 $$",
        "printf 'JobId=4711 JobName=x'",
    ],
)
def test_nonsense_is_no_answer(tmp_path: Path, script: str) -> None:
    answer = Slurm(commands(tmp_path, scontrol=script, sacct=script)).ask(JOB)
    assert (answer.over, answer.words) == (None, [])


@pytest.mark.parametrize("job", ["", "x", "1;2", "-1", "4711_1", "99999999999"])
def test_only_numbers_are_asked_for(tmp_path: Path, job: str) -> None:
    environ = commands(tmp_path, scontrol=f"touch {tmp_path}/asked", sacct=f"touch {tmp_path}/asked")
    assert Slurm(environ).ask(JOB._replace(job_id=job)).over is None and not (tmp_path / "asked").exists()


def test_without_slurm_nothing_is_known() -> None:
    assert Slurm({"PATH": "/nonexistent"}).ask(JOB) == (None, "neither scontrol nor sacct answers here", [])


def test_another_cluster_is_named_and_its_own_rows_count(tmp_path: Path) -> None:
    environ = commands(
        tmp_path,
        scontrol=f'echo "$@" >>{tmp_path}/asked; [ "$2" = config ] && echo "ClusterName = here" || exit 1',
        sacct=f'echo "$@" >>{tmp_path}/asked',
    )
    Slurm(environ).ask(JOB)
    asked = (tmp_path / "asked").read_text().splitlines()
    assert "--clusters bed show job 4711" in asked and asked[-1].startswith("--clusters bed --duplicates")
    Slurm(environ).ask(JOB._replace(cluster="$(x)"))
    assert "$(x)" not in (tmp_path / "asked").read_text()


def test_an_old_sacct_is_asked_for_less(tmp_path: Path) -> None:
    names = sacct.fields(old=True)
    cells = {"JobIDRaw": "4711", "State": "TIMEOUT", "Cluster": "bed"}
    row = '"$s"'.join(cells.get(name, "") for name in names)
    refusal = 'sacct: error: Invalid field requested: "SubmitLine"'
    script = f"""case "$*" in *SubmitLine*) echo '{refusal}' >&2; exit 1;; esac
for word in "$@"; do case $word in --delimiter=*) s=${{word#*=}};; esac; done
printf '%s\\n' {row}"""
    answer = Slurm(commands(tmp_path, sacct=script)).ask(JOB)
    assert answer.over and dict(answer.words)["sacct"]["state"] == "TIMEOUT"


@pytest.mark.parametrize("state", ["", "Unknown", " "])
def test_a_row_without_a_state_is_no_answer(tmp_path: Path, state: str) -> None:
    cells = {"JobIDRaw": "4711", "Cluster": "bed", "State": f"'{state}'"}
    row = '"$s"'.join(cells.get(name, "") for name in sacct.fields())
    script = f"""for word in "$@"; do case $word in --delimiter=*) s=${{word#*=}};; esac; done
printf '%s\\n' {row}"""
    answer = Slurm(commands(tmp_path, sacct=script)).ask(JOB)
    assert (answer.over, answer.words) == (None, [])


def test_a_job_whose_processes_are_still_ending_goes_on(tmp_path: Path) -> None:
    told = {"sacct": {"state": "TIMEOUT", "steps": []}, "scontrol": {"state": "COMPLETING"}}
    assert verdict(JOB, told).over is False
    ended = {"sacct": {"state": "PENDING", "steps": [{"id": "4711.0", "state": "FAILED"}]}}
    answer = verdict(JOB, ended | {"scontrol": {"state": "RUNNING"}})
    assert answer.over and answer.words == [("sacct", {"steps": [{"id": "4711.0", "state": "FAILED"}]})]


def test_a_count_of_restarts_that_has_grown_says_that_the_start_is_over(tmp_path: Path) -> None:
    def asked(state: str, restarts: int) -> bool | None:
        line = f"printf 'JobId=4711 JobName=x\\n   JobState={state}\\n   Restarts={restarts}\\n'"
        return Slurm(commands(tmp_path, scontrol=line, sacct="exit 1")).ask(JOB._replace(step=None)).over

    assert asked("RUNNING", 1) is True and asked("PENDING", 2) is True
    assert asked("COMPLETING", 1) is False  # the order has been given, its processes may live


def test_secrets_in_names_and_command_lines_are_hidden(tmp_path: Path) -> None:
    line = "JobId=4711 JobName=API_KEY=abc\\n   JobState=FAILED\\n   Command=/x/job.sh --token s3cr3t\\n"
    answer = Slurm(commands(tmp_path, scontrol=f"printf '{line}'", sacct="exit 1")).ask(JOB)
    text = json.dumps(answer.words)
    assert answer.over and "abc" not in text and "s3cr3t" not in text


def test_the_script_is_digested_whatever_it_holds(tmp_path: Path) -> None:
    script = os.urandom(100_000)
    (tmp_path / "script").write_bytes(script)
    slurm = Slurm(commands(tmp_path, scontrol=f"cat {tmp_path}/script"))
    assert slurm.script(JOB) == hashlib.sha256(script).hexdigest()
    assert Slurm(commands(tmp_path, scontrol="exit 1")).script(JOB) is None


def test_a_step_of_a_later_component_may_live_though_slurmctld_does_not_list_it(tmp_path: Path) -> None:
    """`scontrol show step` of a heterogeneous job finds only the first component's steps."""
    heterogeneous = "HetJobId=17 HetJobOffset=0 "
    for more, over in ((heterogeneous, False), ("", True)):
        job = f"JobId=17 {more}JobName=x\\n   JobState=RUNNING\\n"
        script = f"""case $2 in
            config) echo "ClusterName = alps" ;;
            job) printf '{job}' ;;
            *) echo "Job step 17.1 not found" >&2; exit 1 ;;
        esac"""
        environ = commands(tmp_path, scontrol=script, sacct="exit 1")
        assert Slurm(environ).ask(Job("alps", "17", step="1")).over is over
