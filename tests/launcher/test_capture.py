"""--capture-output with readers that stall and writers that do not stop; run ids from a hostile environment."""

from __future__ import annotations

import os
import re
import signal
import subprocess
import time

import pytest

from .log import events
from .observe import LONG, World, running, wait_until

CAPTURE = ("--no-agent", "--capture-output")


def test_a_writer_that_was_left_behind_keeps_nobody(world: World) -> None:
    script = "yes & echo $! >yes.pid; sleep 0.1; exit 3"
    command = world.argv("sh", "-c", script, options=CAPTURE)
    with running(world, command, **dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.DEVNULL)) as process:
        try:
            assert process.wait(LONG) == 3
        finally:
            os.kill(int((world.cwd / "yes.pid").read_text()), signal.SIGKILL)


def test_signals_pass_while_a_reader_stalls(world: World) -> None:
    script = 'trap "echo got >got; exit 5" TERM; head -c 300000 /dev/zero & touch begun; while :; do sleep 0.05; done'
    with running(world, world.argv("sh", "-c", script, options=CAPTURE)) as process:
        wait_until((world.cwd / "begun").exists, what="the application's start")
        time.sleep(0.5)  # the pipes are full by now, and nobody reads
        process.send_signal(signal.SIGTERM)
        wait_until((world.cwd / "got").exists, what="TERM in the application")
        assert process.stdout is not None
        assert len(process.stdout.read()) == 300000
        assert process.wait(LONG) == 5


STEP = {"SLURM_STEP_ID": "0", "SLURM_PROCID": "0", "SLURM_STEP_NUM_TASKS": "1", "SLURM_STEP_TASKS_PER_NODE": "1"}
LONG_NAME = {
    "PMIX_NAMESPACE": "prterun-" + "x" * 150 + "-1@1",
    "PMI_RANK": "0",
    "PMI_SIZE": "2",
    "SLURM_JOB_ID": "1" * 30,
}


@pytest.mark.parametrize(
    "env",
    [
        STEP | {"SLURM_JOB_ID": "../../../x"},
        STEP | {"SLURM_JOB_ID": "1", "SLURM_CLUSTER_NAME": "../.."},
        STEP | {"SLURM_JOB_ID": "7" * 500, "SLURM_RESTART_COUNT": "12"},
        LONG_NAME,
        {"PMIX_NAMESPACE": "..", "PMI_RANK": "0", "PMI_SIZE": "2"},
    ],
)
def test_a_run_id_is_a_plain_name_whatever_the_environment_holds(world: World, env: dict[str, str]) -> None:
    world.run(world.argv("true", options=("--no-agent",)), env=env)
    (start,) = (event for event in events(world) if event["event"] == "start")
    assert re.fullmatch(r"[A-Za-z0-9_][A-Za-z0-9._-]{0,127}", start["run"]) and ".." not in start["run"]
    assert world.run([world.hpcprov, "runs"]).status == 0


def test_long_names_of_launches_stay_apart(world: World) -> None:
    for last in "12":
        env = LONG_NAME | {"PMIX_NAMESPACE": LONG_NAME["PMIX_NAMESPACE"] + last}
        world.run(world.argv("true", options=("--no-agent",)), env=env)
    assert len({event["run"] for event in events(world) if event["event"] == "start"}) == 2


def test_an_agent_that_cannot_start_is_told(world: World) -> None:
    seen = world.run(world.argv("true", options=()), env={"HPCPROV_PYTHON": "/nonexistent/python"})
    assert seen.status == 0 and seen.err.count(b"\n") == 1 and b"agent" in seen.err
    assert any(event["event"] == "problem" for event in events(world))


def test_free_text_is_scrubbed(world: World) -> None:
    options = ("--no-agent", "--note", "see https://u:hunter9@h/", "--name", "pw", "--tag", "token=hunter9")
    world.run(world.argv("true", options=options))
    for path in world.cwd.glob(".hpcprov/**/*.log"):
        assert b"hunter9" not in path.read_bytes()
