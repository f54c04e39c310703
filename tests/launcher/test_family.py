"""Parents, children and orphans: nobody is adopted, nobody is left behind, and process 1 reaps."""

from __future__ import annotations

import os
import signal
import subprocess

import pytest

from .log import log_paths
from .observe import (
    FAST,
    LONG,
    World,
    children,
    holding,
    is_gone,
    logged_signals,
    marked,
    read_lines,
    running,
    wait_ready,
    wait_until,
)

AGENT_OR_NOT = pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
NEW_PIDS = ("/usr/bin/unshare", "--pid", "--fork", "--mount-proc", "--")


def orphan_parent(world: World, options: tuple[str, ...] | None) -> list[list[int | str]]:
    """The log of `act orphan`: which process its orphan was given to."""
    log, go = world.path("orphan.log"), world.path("go")
    log.unlink(missing_ok=True)
    go.unlink(missing_ok=True)
    # The orphan waits for longer than this does: nobody waits for the orphan.
    argv = world.argv("act", "orphan", log, go, options=options)
    done = subprocess.run(argv, cwd=world.cwd, env=world.env, timeout=LONG)
    assert done.returncode == 5 and read_lines(log) == []
    go.touch()
    wait_until(lambda: read_lines(log), what="the orphan's line")
    return read_lines(log)


@AGENT_OR_NOT
def test_orphans_go_where_they_went(world: World, options: tuple[str, ...]) -> None:
    assert orphan_parent(world, options) == orphan_parent(world, None)


def test_process_one_reaps_orphans(world: World, as_root: None) -> None:
    log = world.path("inside.log")
    done = subprocess.run([*NEW_PIDS, *world.argv("act", "inside", log, options=FAST)], cwd=world.cwd, timeout=LONG)
    assert done.returncode == 0
    assert read_lines(log) == [["orphan", 1], ["reaped"]]


@pytest.mark.parametrize(("what", "number", "status"), [("exit", "7", 7), ("die", "15", 143), ("die", "9", 137)])
def test_process_one_gives_the_status(world: World, as_root: None, what: str, number: str, status: int) -> None:
    """Process 1 cannot be killed by a signal of its own: it then says 128 + N, as shells do."""
    done = subprocess.run([*NEW_PIDS, *world.argv("act", what, number, options=FAST)], cwd=world.cwd, timeout=LONG)
    assert done.returncode == status


def test_process_one_passes_signals_on(world: World, as_root: None) -> None:
    log = world.path("one.log")
    with running(world, [*NEW_PIDS, *world.argv("act", "signals", log, options=FAST)]) as process:
        wait_ready(log)
        (one,) = children(process.pid)
        for number in (signal.SIGTERM, signal.SIGINT, signal.SIGUSR1):
            os.kill(one, number)
            wait_until(lambda number=number: number in logged_signals(log), what=f"signal {number}")
        assert [line[0] for line in read_lines(log)[1:]] == [15, 2, 10]


@AGENT_OR_NOT
def test_survives_its_parents_death(world: World, options: tuple[str, ...]) -> None:
    target = world.path("after")
    inner = world.argv("sh", "-c", 'sleep 0.5; echo "$PPID" >"$0"', target, options=options)
    assert world.run(world.argv("act", "abandon", *inner)).status == 0
    wait_until(target.exists, what="the application's file")


@AGENT_OR_NOT
def test_killing_the_launcher_ends_the_application(world: World, options: tuple[str, ...]) -> None:
    log = world.path("kill.log")
    with running(world, world.argv("act", "signals", log, options=options)) as process:
        pid = wait_ready(log)
        process.kill()
        assert process.wait(LONG) == -signal.SIGKILL
        wait_until(lambda: is_gone(pid), what="the application's end")


@AGENT_OR_NOT
def test_killing_the_application_ends_the_launcher_alike(world: World, options: tuple[str, ...]) -> None:
    log = world.path("kill.log")
    with running(world, world.argv("act", "signals", log, options=options)) as process:
        os.kill(wait_ready(log), signal.SIGKILL)
        assert process.wait(LONG) == -signal.SIGKILL


def test_no_process_is_left_behind(world: World) -> None:
    mark = f"HPCPROV_TEST_MARK={world.cwd}".encode()
    for options in (FAST, ()):
        world.run(world.argv("true", options=options), env={"HPCPROV_TEST_MARK": str(world.cwd)})
    wait_until(lambda: not marked(mark), what="the end of every process of the run")


def test_the_agent_holds_nothing_of_the_jobs(world: World) -> None:
    """Its descriptors are its own: a pipe to the parent closes with the last process of the application."""
    reader, writer = os.pipe()
    process = subprocess.Popen(
        world.argv("cat", options=()), cwd=world.cwd, env=world.env, pass_fds=(writer,),
        stdin=subprocess.PIPE, stdout=writer, stderr=writer,
    )  # fmt: skip
    os.close(writer)
    wait_until(lambda: any(b'"event":"agent"' in path.read_bytes() for path in log_paths(world)), what="the agent")
    holders = [pid for pid in holding(reader) if pid not in {process.pid, os.getpid(), *children(process.pid)}]
    assert holders == []
    assert process.stdin is not None
    process.stdin.close()
    assert process.wait(LONG) == 0
    assert os.read(reader, 1) == b""
    os.close(reader)
