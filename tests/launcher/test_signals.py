"""Signals: each reaches the application once, whoever it was sent to, and what was ignored or blocked stays so."""

from __future__ import annotations

import ctypes
import os
import signal
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path

import pytest

from .observe import (
    FAST,
    LONG,
    World,
    children,
    has_logged,
    is_gone,
    logged_signals,
    names,
    read_lines,
    running,
    wait_ready,
    wait_until,
)

FORWARDABLE = sorted(set(signal.valid_signals()) - {signal.SIGKILL, signal.SIGSTOP, signal.SIGCHLD})
# A wrapper that sends a signal on twice may do so late.
LATE = 0.25


@contextmanager
def listening(
    world: World, options: tuple[str, ...] | None = FAST, setup: tuple[str, ...] = ("group",)
) -> Iterator[tuple[subprocess.Popen[bytes], int, Path]]:
    """`act signals` running in a process group of its own: the process started, the application's pid, its log."""
    log = world.path("signals.log")
    log.unlink(missing_ok=True)
    with running(world, world.argv("act", "signals", log, setup=setup, options=options)) as process:
        yield process, wait_ready(log), log


def send_all(process: subprocess.Popen[bytes], log: Path, send: object) -> list[int]:
    """Send every forwardable signal with `send`, each when the one before has come; what the application then has."""
    assert callable(send)
    for count, number in enumerate(FORWARDABLE, start=1):
        send(process.pid, number)
        wait_until(partial(has_logged, log, count), what=f"signal {number}")
    time.sleep(LATE)
    return logged_signals(log)


@pytest.mark.parametrize("options", [None, FAST], ids=["bare", "wrapped"])
def test_each_signal_to_the_launcher_arrives_once(world: World, options: tuple[str, ...] | None) -> None:
    with listening(world, options) as (process, _, log):
        assert names(send_all(process, log, os.kill)) == names(FORWARDABLE)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONG) == 0


def test_each_signal_to_the_launcher_arrives_once_with_agent(world: World) -> None:
    with listening(world, ()) as (process, _, log):
        assert names(send_all(process, log, os.kill)) == names(FORWARDABLE)


@pytest.mark.parametrize("options", [None, FAST], ids=["bare", "wrapped"])
def test_each_signal_to_the_group_arrives_once(world: World, options: tuple[str, ...] | None) -> None:
    with listening(world, options) as (process, _, log):
        assert names(send_all(process, log, os.killpg)) == names(FORWARDABLE)


@pytest.mark.parametrize("step", [1, -1], ids=["launcher first", "launcher last"])
def test_signals_to_every_process_of_a_step_arrive_once(world: World, step: int) -> None:
    """Slurm with SignalChildrenProcesses=yes signals each process of a step by itself, in some order."""
    with listening(world) as (process, _, log):
        for number in (signal.SIGUSR1, signal.SIGTERM):
            # A process that the launcher has for a moment (it starts the agent) may be over before its turn comes.
            for pid in [process.pid, *children(process.pid)][::step]:
                with suppress(ProcessLookupError):
                    os.kill(pid, number)
            wait_until(lambda number=number: number in logged_signals(log), what=f"signal {number}")
            time.sleep(LATE)
        assert logged_signals(log) == [signal.SIGUSR1, signal.SIGTERM]


@pytest.mark.parametrize(("forward", "to_launcher", "to_group"), [("auto", 1, 1), ("always", 1, 2), ("never", 0, 1)])
def test_forward_option(world: World, forward: str, to_launcher: int, to_group: int) -> None:
    with listening(world, (*FAST, "--forward", forward)) as (process, _, log):
        os.kill(process.pid, signal.SIGUSR1)
        wait_until(partial(has_logged, log, to_launcher), what="SIGUSR1")
        time.sleep(LATE)
        assert len(logged_signals(log)) == to_launcher
        os.killpg(process.pid, signal.SIGUSR2)
        wait_until(lambda: signal.SIGUSR2 in logged_signals(log), what="SIGUSR2")
        time.sleep(LATE)
        # Two of a kind may become one while the first is still pending.
        assert logged_signals(log).count(signal.SIGUSR2) in {1, to_group}


def test_the_same_signal_to_the_group_many_times(world: World) -> None:
    """Each comes as soon as the application has logged the one before: before the launcher may have looked at it."""
    with listening(world) as (process, _, log):
        for count in range(1, 41):
            os.killpg(process.pid, signal.SIGUSR1)
            wait_until(partial(has_logged, log, count), what="SIGUSR1")
        time.sleep(LATE)
        assert logged_signals(log) == [signal.SIGUSR1] * 40


def test_the_same_signal_many_times(world: World) -> None:
    with listening(world) as (process, _, log):
        for count in range(1, 21):
            os.kill(process.pid, signal.SIGUSR1)
            wait_until(partial(has_logged, log, count), what="SIGUSR1")
        time.sleep(LATE)
        assert logged_signals(log) == [signal.SIGUSR1] * 20


def test_real_time_signals_queue_and_keep_their_values(world: World) -> None:
    queue = ctypes.CDLL(None, use_errno=True).sigqueue
    queue.argtypes = (ctypes.c_int, ctypes.c_int, ctypes.c_void_p)
    with listening(world) as (process, _, log):
        for value in range(5):
            assert queue(process.pid, signal.SIGRTMIN + 3, value) == 0
        wait_until(partial(has_logged, log, 5), what="five queued signals")
        expected = [(signal.SIGRTMIN + 3, value) for value in range(5)]
        assert [(line[0], line[3]) for line in read_lines(log)[1:]] == expected


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGQUIT, signal.SIGXCPU])
def test_parent_sees_death_by_a_forwarded_signal(world: World, number: int) -> None:
    for options in (None, FAST):
        with running(world, world.argv("sleep", "20", setup=["group", "rlimit=4:0:0"], options=options)) as process:
            wait_until(partial(runs, process.pid, options), what="the application's start")
            process.send_signal(number)
            assert process.wait(LONG) == -number


def runs(pid: int, options: tuple[str, ...] | None, name: str = "sleep") -> bool:
    """Whether a program runs as the process, or as its child when it is wrapped."""
    found = [pid] if options is None else children(pid)
    return any(is_named(one, name) for one in found)


def is_named(pid: int, name: str) -> bool:
    return not is_gone(pid) and Path(f"/proc/{pid}/comm").read_text() == f"{name}\n"


@pytest.mark.parametrize("delay", [0, 0.0003, 0.0006, 0.001, 0.0015, 0.002, 0.003, 0.005])
def test_a_signal_at_any_moment_of_the_start_kills(world: World, delay: float) -> None:
    for _ in range(4):
        with running(world, world.argv("sleep", "20", options=FAST)) as process:
            time.sleep(delay)
            process.send_signal(signal.SIGTERM)
            assert process.wait(LONG) == -signal.SIGTERM


def test_stop_and_continue_reach_the_application(world: World) -> None:
    with running(world, world.argv("sleep", "20", setup=["group"], options=FAST)) as process:
        wait_until(lambda: runs(process.pid, FAST), what="the application's start")
        pid = next(one for one in children(process.pid) if is_named(one, "sleep"))
        os.kill(process.pid, signal.SIGTSTP)
        wait_until(lambda: state(pid) == "T", what="the application's stop")
        _, status = os.waitpid(process.pid, os.WUNTRACED)
        assert os.WIFSTOPPED(status) and os.WSTOPSIG(status) == signal.SIGTSTP
        os.kill(process.pid, signal.SIGCONT)
        wait_until(lambda: state(pid) == "S" and state(process.pid) == "S", what="both continued")


@pytest.mark.parametrize("number", [signal.SIGCONT, signal.SIGKILL])
@pytest.mark.parametrize("stop", [signal.SIGSTOP, signal.SIGTSTP])
def test_who_continues_or_kills_only_the_application_wakes_the_launcher(world: World, stop: int, number: int) -> None:
    """By name, for example: `pkill -STOP solver; pkill -CONT solver`."""
    with running(world, world.argv("cat", setup=["group"], options=FAST)) as process:
        wait_until(lambda: runs(process.pid, FAST, "cat"), what="the application's start")
        pid = next(one for one in children(process.pid) if is_named(one, "cat"))
        os.kill(pid, stop)
        wait_until(lambda: state(pid) == state(process.pid) == "T", what="both stopped")
        os.kill(pid, number)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONG) == (0 if number == signal.SIGCONT else -number)


def test_the_application_is_continued_once(world: World) -> None:
    with listening(world) as (process, pid, log):
        os.kill(pid, signal.SIGSTOP)
        wait_until(lambda: state(pid) == state(process.pid) == "T", what="both stopped")
        os.kill(pid, signal.SIGCONT)
        wait_until(lambda: state(pid) == state(process.pid) == "S", what="both continued")
        time.sleep(LATE)
        assert logged_signals(log) == [signal.SIGCONT]


def state(pid: int) -> str:
    return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0]


@pytest.mark.parametrize("inherited", ["block=15", "ignore=15", "block=0"])
def test_a_signal_that_came_blocked_or_ignored_is_still_passed_on(world: World, inherited: str) -> None:
    for options in (None, FAST):
        log = world.path("wait.log")
        log.unlink(missing_ok=True)
        argv = world.argv("act", "wait", log, "15", setup=[inherited], options=options)
        # A blocked signal that is ignored is not kept: the probe must set it back to see it.
        if inherited == "ignore=15":
            argv = world.argv("act", "signals", log, setup=[inherited], options=options)
        with running(world, argv) as process:
            wait_ready(log)
            process.send_signal(signal.SIGTERM)
            wait_until(partial(has_logged, log, 1), what="SIGTERM")
        assert logged_signals(log) == [signal.SIGTERM]


def test_an_alarm_set_before_exec_rings(world: World) -> None:
    """alarm(2) outlives exec: a parent that limits a job's time so must not be disappointed."""
    for run in (world.bare, world.wrapped):
        assert run("sleep", "5", setup=["alarm=300"]).status == -signal.SIGALRM


def test_status_stands_when_children_are_ignored(world: World) -> None:
    for command in (("act", "exit", "7"), ("act", "die", "15")):
        setup = [f"ignore={int(signal.SIGCHLD)}"]
        assert world.wrapped(*command, setup=setup) == world.bare(*command, setup=setup)
