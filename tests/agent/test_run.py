"""Runs from the launch line to the record."""

from __future__ import annotations

import os
import signal
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import SPOKEN, Site, until

SAVE = "import sys, numpy; numpy.save(sys.argv[1], numpy.arange(1000.0))"
TOLD_TO_END = "until [ -e end ]; do sleep 0.02; done"


def artifacts(record: dict[str, Any], role: str = "generated") -> dict[str, tuple[str, str | None]]:
    """Name -> state and reason."""
    return {os.path.basename(a["path"]): (a["state"], a["reason"]) for a in record["artifacts"][role]}


def facts(record: dict[str, Any]) -> dict[str, Any]:
    """Kind -> value, of a run on one node."""
    return {fact["kind"]: fact.get("value") for fact in record["facts"].values()}


def test_a_short_run_has_a_whole_record(site: Site) -> None:
    record = site.run("--name", "n", "--tag", "k=v=w", "--note", "why ☃", "--", "true")
    assert (record["run"]["status"], record["run"]["name"], record["run"]["tags"]) == ("completed", "n", {"k": "v=w"})
    assert record["run"]["note"] == "why ☃" and record["run"]["cwd"] == str(site.cwd)
    assert {"host", "user", "modules", "container", "code", "software", "scheduler"} <= set(facts(record))
    assert record["problems"] == []


def test_inputs_and_outputs_are_signed(site: Site) -> None:
    (site.cwd / "in.txt").write_text("data")
    record = site.run(
        "--input", "in.txt", "--output", "*.npy", "--output", "never.h5", "--", sys.executable, "-c", SAVE, "o.npy"
    )
    assert artifacts(record) == {"o.npy": ("ok", None), "never.h5": ("missing", artifacts(record)["never.h5"][1])}
    (made,) = (a for a in record["artifacts"]["generated"] if a["state"] == "ok")
    assert made["signature"]["digest"].startswith("hpcprov1:") and made["storage"]["digest"].startswith("blake3:")
    assert artifacts(record, "used") == {"in.txt": ("ok", None)}


def test_an_output_that_cannot_be_read_has_a_storage_digest(site: Site) -> None:
    (site.cwd / "broken.h5").write_bytes(b"\x89HDF\r\n\x1a\n" + b"\0" * 100)
    record = site.run("--output", "broken.h5", "--", "true")
    (broken,) = record["artifacts"]["generated"]
    assert broken["state"] == "unreadable" and broken["storage"]["digest"].startswith("blake3:") and broken["reason"]


@pytest.mark.parametrize("mode", ["later", "off"])
def test_hashing_can_be_left(site: Site, mode: str) -> None:
    record = site.run("--hash", mode, "--output", "o.npy", "--", sys.executable, "-c", SAVE, "o.npy")
    state, reason = artifacts(record)["o.npy"]
    assert state == "not hashed" and str(reason).startswith(mode)
    site.call(site.launcher, "settle", "last")
    assert artifacts(site.record())["o.npy"][0] == ("ok" if mode == "later" else "not hashed")


def test_no_time_for_hashing_is_said(site: Site) -> None:
    record = site.run(
        "--output", "o.npy", "--", sys.executable, "-c", SAVE, "o.npy", SLURM_JOB_END_TIME=str(int(time.time()))
    )
    state, reason = artifacts(record)["o.npy"]
    assert state == "not hashed" and str(reason).startswith("time")


def test_an_input_that_the_run_changes_is_a_problem(site: Site) -> None:
    (site.cwd / "in.txt").write_text("before")
    script = f"{SPOKEN}; echo after > in.txt"
    record = site.run("--input", "in.txt", "--", "sh", "-c", script)
    assert any("in.txt changed while" in str(problem) for problem in record["problems"])


def test_a_failed_run_keeps_nobody_waiting(site: Site) -> None:
    site.call(site.launcher, "exec", "--", "sh", "-c", "exit 3", check=3)
    assert site.record()["run"]["status"] == "failed"


def test_the_agent_is_a_bystander(site: Site) -> None:
    reader, writer = os.pipe()
    os.set_inheritable(writer, True)
    job = site.start("--", "sh", "-c", TOLD_TO_END)
    os.close(writer)
    try:
        until(lambda: len(site.agents()) == 1, "no agent")
        (agent,) = site.agents()
        site.call("sh", "-c", SPOKEN)
        time.sleep(1.5)
        status = dict(
            line.split(":\t", 1) for line in Path(f"/proc/{agent}/status").read_text().splitlines() if ":\t" in line
        )
        assert int(status["VmHWM"].split()[0]) < 40 * 1024, "the agent's memory budget is 40 MiB"
        assert os.sched_getscheduler(agent) == os.SCHED_IDLE
        assert Path(f"/proc/{agent}/oom_score_adj").read_text().strip() == "1000"
        assert os.readlink(f"/proc/{agent}/cwd") == "/"
        links = {fd: os.readlink(f"/proc/{agent}/fd/{fd}") for fd in os.listdir(f"/proc/{agent}/fd")}
        assert {links[fd] for fd in "012"} == {"/dev/null"}
        assert not [link for link in links.values() if link.startswith("pipe:")]
        assert os.getsid(agent) == agent or os.getsid(agent) != os.getsid(0)
    finally:
        (site.cwd / "end").touch()
        os.close(reader)
        assert job.wait(100) == 0
        assert job.stderr is not None
        job.stderr.close()
    used = facts(site.record())["resources"]
    assert used["samples"] > 1 and used["rss"] > 0


def test_the_environment_of_the_job_does_not_reach_the_agents_python(site: Site) -> None:
    (site.cwd / "json.py").write_text("raise SystemExit('imported from the working directory')")
    record = site.run("--", "true", PYTHONPATH=str(site.cwd), PYTHONHOME="/nonexistent", LD_PRELOAD="")
    assert record["nodes"] and record["problems"] == []


def test_a_killed_agent_is_settled_by_the_next_command(site: Site) -> None:
    script = f"{sys.executable} -c '{SAVE}' o.npy; {TOLD_TO_END}"
    job = site.start("--output", "o.npy", "--", "sh", "-c", script)
    until(lambda: len(site.agents()) == 1, "no agent")
    os.kill(site.agents()[0], signal.SIGKILL)
    (site.cwd / "end").touch()
    assert job.wait(100) == 0
    assert job.stderr is not None and job.stderr.read().count(b"\n") <= 1  # one line may say what is missing
    job.stderr.close()
    site.call(site.launcher, "runs")
    record = site.record()
    assert record["run"]["status"] == "completed"
    assert artifacts(record) == {} and record["run"]["declared"]["outputs"] == ["o.npy"]
    site.call(site.launcher, "settle", "last")
    assert artifacts(site.record())["o.npy"] == ("ok", None)


def test_a_live_run_is_not_settled(site: Site) -> None:
    job = site.start("--", "sh", "-c", TOLD_TO_END)
    until(lambda: list(site.cwd.glob(".hpcprov/runs/*/*.log")), "no log")
    assert "left" in site.call(site.launcher, "settle", "--all").stdout
    (site.cwd / "end").touch()
    assert job.wait(100) == 0
    assert job.stderr is not None
    job.stderr.close()
    assert site.record()["run"]["status"] == "completed"


def test_no_agent_is_said(site: Site) -> None:
    site.call(site.launcher, "exec", "--no-agent", "--output", "o.npy", "--", sys.executable, "-c", SAVE, "o.npy")
    site.call(site.launcher, "runs")
    record = site.record()
    assert record["run"]["status"] == "completed"
    assert artifacts(record) == {} and record["run"]["declared"]["outputs"] == ["o.npy"]
    site.call(site.launcher, "settle", "last")
    assert artifacts(site.record())["o.npy"] == ("ok", None)


def test_nested_runs_know_their_parent(site: Site) -> None:
    site.call(site.launcher, "exec", "--name", "outer", "--", site.launcher, "exec", "--name", "inner", "--", "true")
    until(lambda: len(list(site.cwd.glob(".hpcprov/records/*/*/*/*/record.json"))) == 2, "two records")
    import json

    records = [json.loads(p.read_text()) for p in site.cwd.glob(".hpcprov/records/*/*/*/*/record.json")]
    by_name = {record["run"]["name"]: record["run"] for record in records}
    assert by_name["inner"]["parent"] == {"run": by_name["outer"]["id"], "rank": 0}
    assert by_name["outer"]["parent"] is None


def test_secrets_stay_out_of_everything(site: Site) -> None:
    secret = "hunter2hunter2"
    command = ("curl", "--token", secret, f"https://ada:{secret}@host/", f"--password={secret}")
    site.run(
        "--capture-output", "--", "echo", *command[:2], *command[3:], MY_TOKEN=secret, AWS_SECRET_ACCESS_KEY=secret
    )
    for path in site.cwd.glob(".hpcprov/records/*/*/*/*/*"):
        if path.suffix != ".out":  # what a program prints is its own, and capturing is asked for
            assert secret.encode() not in path.read_bytes(), path


def test_what_the_run_makes_is_no_input(site: Site) -> None:
    (site.cwd / "a.npy").write_bytes(b"")
    script = f"{SPOKEN}; {sys.executable} -c '{SAVE}' o.npy"
    record = site.run("--input", "*.npy", "--output", "o*.npy", "--", "sh", "-c", script)
    assert set(artifacts(record, "used")) == {"a.npy"} and set(artifacts(record)) == {"o.npy"}


def test_the_working_directory_as_output_leaves_the_store_out(site: Site) -> None:
    record = site.run("--output", ".", "--output", "**/*.log", "--", "true")
    (whole, pattern) = sorted(record["artifacts"]["generated"], key=lambda artifact: str(artifact["path"]))
    assert (whole["state"], whole["files"]) == ("ok", 0)
    assert pattern["state"] == "missing" and pattern["path"].endswith("**/*.log")
