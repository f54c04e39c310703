"""kill -9 of launcher, agent or application at any moment: every run can be settled, nothing acknowledged is lost."""

from __future__ import annotations

import os
import random
import signal
import subprocess
import time
from pathlib import Path

import pytest

from hpcprov.record.frame import scan
from hpcprov.record.layout import is_temporary
from tests.record_check import read_record

from .observe import LONG, Word, World, children, is_gone, marked, running, wait_until

MARK = "HPCPROV_TEST_MARK"
CODE = 7
# A few descendants, a little work, a status of its own.
JOB = ("sh", "-c", f"for i in 1 2 3 4 5 6; do sleep 0.05; echo $i; done >/dev/null; exit {CODE}")
# Ends with its input.
CALM = ("cat",)
TARGETS = ("launcher", "agent", "application")
LONGEST = 0.6


def mark(world: World) -> bytes:
    return f"{MARK}={world.cwd}".encode()


def agents(world: World) -> list[int]:
    """The pids of the world's agents."""
    return [pid for pid in marked(mark(world)) if b"--log" in command_line(pid)]


def command_line(pid: int) -> bytes:
    try:
        return Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return b""


def application(launcher: int) -> list[int]:
    """The launcher's child that is the application: the one that runs another program."""
    return [child for child in children(launcher) if program(child) not in (program(launcher), "")]


def program(pid: int) -> str:
    try:
        return os.readlink(f"/proc/{pid}/exe")
    except OSError:
        return ""


def victims(world: World, launcher: int, target: str) -> list[int]:
    if target == "launcher":
        return [launcher]
    return agents(world) if target == "agent" else application(launcher)


def stored(world: World) -> set[str]:
    """Every event of every log, running or finished, as text."""
    found: set[str] = set()
    # A merger may move what is listed in this moment; it is then found in its new place by a later look.
    walk = os.walk(world.cwd / ".hpcprov")
    for path in (Path(folder, name) for folder, _, names in walk for name in names if name.endswith(".log")):
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            continue
        found |= {repr(sorted(event.items())) for event in scan(data)}
    return found


def kill_one(world: World, target: str, delay: float, job: tuple[Word, ...] = JOB) -> tuple[int, set[str]]:
    """Start the job, kill the target after `delay`: the status, and what was acknowledged at that moment."""
    with running(world, world.argv(*job, options=("--hash", "off"))) as process:
        time.sleep(delay)
        seen = stored(world)
        for pid in victims(world, process.pid, target):
            try:
                os.kill(pid, signal.SIGKILL)
            except ProcessLookupError:
                continue
        return process.wait(LONG), seen


def settle(world: World) -> None:
    wait_until(lambda: not marked(mark(world)), what="the end of every process of these runs")
    settle_all(world)
    left = list((world.cwd / ".hpcprov/runs").glob("*"))
    assert all(is_temporary(path.name) for path in left), left
    if left:  # an agent killed while it merged leaves its draft, which may be another node's until it has grown old
        for path in left:
            os.utime(path, (0, 0))
        settle_all(world)
        assert list((world.cwd / ".hpcprov/runs").glob("*")) == []
    for path in records(world):
        read_record(str(path.parent))


def settle_all(world: World) -> None:
    seen = world.run([world.hpcprov, "settle", "--all"])
    assert seen.status == 0 and b"Traceback" not in seen.err, seen


def records(world: World) -> list[Path]:
    return list(world.cwd.glob(".hpcprov/records/*/*/*/*/record.json"))


def kill_often(world: World, rounds: int, seed: int) -> None:
    world.env[MARK] = str(world.cwd)
    dice = random.Random(seed)
    acknowledged: set[str] = set()
    started = 0
    for number in range(rounds):
        target = TARGETS[number % 3]
        status, seen = kill_one(world, target, dice.uniform(0, LONGEST))
        acknowledged |= seen
        started += 1
        expected = {"launcher": {-9, CODE}, "agent": {CODE}, "application": {-9, CODE}}
        assert status in expected[target], f"{target}, round {number}, seed {seed}"
    settle(world)
    assert acknowledged <= stored(world)
    assert 0 < len(records(world)) <= started


def test_killed_at_random_moments(world: World) -> None:
    kill_often(world, 20, seed=1)


@pytest.mark.slow
def test_killed_at_two_hundred_random_moments(world: World) -> None:
    kill_often(world, 200, seed=2)


@pytest.mark.parametrize("target", TARGETS)
def test_killed_while_it_runs(world: World, target: str) -> None:
    """The moment is known: the run has a record with what happened in it."""
    world.env[MARK] = str(world.cwd)
    go = world.path("go")
    job = ("sh", "-c", 'while [ ! -e "$0" ]; do sleep 0.02; done; exit 7', go)
    with running(world, world.argv(*job, options=("--hash", "off"))) as process:
        wait_until(lambda: b'"event":"agent"' in log_bytes(world), what="the agent's first event")
        (pid,) = victims(world, process.pid, target)[:1]
        app = application(process.pid)
        os.kill(pid, signal.SIGKILL)
        go.touch()
        assert process.wait(LONG) == (CODE if target == "agent" else -signal.SIGKILL)
        wait_until(lambda: all(is_gone(one) for one in app), what="the application's end")
    settle(world)
    assert len(records(world)) == 1


def log_bytes(world: World) -> bytes:
    return b"".join(path.read_bytes() for path in world.cwd.glob(".hpcprov/**/*.log"))


def end_input(process: subprocess.Popen[bytes]) -> None:
    assert process.stdin is not None
    process.stdin.close()


@pytest.mark.parametrize("status", [0, CODE])
def test_a_stopped_agent_holds_nobody_for_long(world: World, status: int) -> None:
    """After a failure the launcher leaves at once; after success it gives the agent's first answer a few seconds."""
    world.env[MARK] = str(world.cwd)
    job = ("sh", "-c", f"cat; exit {status}")
    with running(world, world.argv(*job, options=())) as process:
        wait_until(lambda: agents(world), what="the agent")
        stopped = agents(world)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            end_input(process)
            assert process.wait(LONG) == status
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGKILL)
        assert process.stderr and process.stderr.read().count(b"did not start or has ended") == (status == 0)
    settle(world)


def test_term_sends_a_waiting_launcher_away(world: World) -> None:
    """TERM after the application's end, while the launcher waits for its agent: it leaves with that status."""
    world.env[MARK] = str(world.cwd)
    with running(world, world.argv(*CALM, options=())) as process:
        wait_until(lambda: agents(world), what="the agent")
        stopped = agents(world)
        for pid in stopped:
            os.kill(pid, signal.SIGSTOP)
        try:
            end_input(process)
            wait_until(lambda: b'"event":"exit"' in log_bytes(world), what="the exit event")
            process.terminate()
            assert process.wait(LONG) == 0
        finally:
            for pid in stopped:
                os.kill(pid, signal.SIGKILL)
        assert process.stderr and process.stderr.read() == b"", "it waited until its patience was over"
    settle(world)


def test_one_line_at_most_when_the_agent_is_killed(world: World) -> None:
    world.env[MARK] = str(world.cwd)
    with running(world, world.argv(*CALM, options=())) as process:
        wait_until(lambda: agents(world), what="the agent")
        for pid in agents(world):
            os.kill(pid, signal.SIGKILL)
        out, err = process.communicate(timeout=LONG)
    assert (process.returncode, out) == (0, b"")
    assert len(err.splitlines()) <= 1 and len(err.splitlines()) == err.count(b"hpcprov: ")
    settle(world)
