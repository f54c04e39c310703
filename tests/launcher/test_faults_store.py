"""Whatever is wrong with the store: the job runs, its status and output stand, and one line says what is lost."""

from __future__ import annotations

import os
from collections.abc import Callable
from pathlib import Path

import pytest

from .log import events
from .observe import FAST, Seen, World, own_lines, rlimit

JOB = ("sh", "-c", "echo out; echo err >&2; exit 37")
OTHER_USER = 54321
AGENT_OR_NOT = pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
NEW_MOUNTS = ("/usr/bin/unshare", "--mount", "--", "/bin/sh", "-e", "-c")


def assert_job_stands(seen: Seen, lines: int = 1) -> None:
    """The status, the output, and so many lines of hpcprov's own beside the job's."""
    assert (seen.status, seen.out) == (37, b"out\n")
    assert b"err\n" in seen.err and len(seen.err.splitlines()) == 1 + lines, seen.err
    assert len(own_lines(seen)) == lines


def a_file(store: Path) -> None:
    store.write_text("not a directory")


def a_dangling_link(store: Path) -> None:
    store.symlink_to("nowhere/at/all")


def a_loop(store: Path) -> None:
    store.symlink_to(".hpcprov")


def a_device(store: Path) -> None:
    store.symlink_to("/dev/full")


def runs_is_a_file(store: Path) -> None:
    store.mkdir()
    (store / "runs").write_text("")


def runs_is_a_dangling_link(store: Path) -> None:
    store.mkdir()
    (store / "runs").symlink_to("/no/where")


def the_run_is_a_file(store: Path) -> None:
    (store / "runs").mkdir(parents=True)
    (store / "runs/r1").write_text("")


def the_run_is_a_link(store: Path) -> None:
    (store / "runs").mkdir(parents=True)
    (store / "runs/r1").symlink_to("/no/where")


def no_access(store: Path) -> None:
    store.symlink_to("/proc/1/fdinfo")


BAD = [a_file, a_dangling_link, a_loop, a_device, runs_is_a_file, runs_is_a_dangling_link, the_run_is_a_file]
BAD += [the_run_is_a_link, no_access]


@AGENT_OR_NOT
@pytest.mark.parametrize("make", BAD, ids=lambda make: make.__name__)
def test_a_store_that_is_none(world: World, make: Callable[[Path], None], options: tuple[str, ...]) -> None:
    (world.cwd / ".hpcprov").rmdir()
    make(world.cwd / ".hpcprov")
    assert_job_stands(world.wrapped(*JOB, options=(*options, "--run-id", "r1")))


DIRECTORIES = [
    "/dev/null",
    "/dev/null/x",
    "/proc/nowhere",
    "/proc/self/nowhere",
    "x" * 300,
    "y/" * 3000,
    "/sys/kernel/x",
]


@AGENT_OR_NOT
@pytest.mark.parametrize("directory", DIRECTORIES, ids=lambda text: text[:20])
def test_a_bogus_directory(world: World, directory: str, options: tuple[str, ...]) -> None:
    assert_job_stands(world.run(world.argv(*JOB, options=options), env={"HPCPROV_DIR": directory}))


def test_an_empty_directory_is_none_given(world: World) -> None:
    assert_job_stands(world.run(world.argv(*JOB, options=FAST), env={"HPCPROV_DIR": ""}), lines=0)
    assert len(events(world)) == 3


def test_quiet_is_quiet(world: World) -> None:
    seen = world.run(world.argv(*JOB, options=FAST), env={"HPCPROV_DIR": "/dev/null", "HPCPROV_QUIET": "1"})
    assert_job_stands(seen, lines=0)


def test_what_is_said_cannot_steer_a_terminal(world: World) -> None:
    seen = world.run(world.argv(*JOB, options=FAST), env={"HPCPROV_DIR": "/dev/null/\x1b[2J\n\x07"})
    assert_job_stands(seen)
    assert b"\x1b" not in seen.err and b"\x07" not in seen.err


@AGENT_OR_NOT
def test_a_store_of_another_user_is_not_used(world: World, as_root: None, options: tuple[str, ...]) -> None:
    os.chown(world.cwd / ".hpcprov", OTHER_USER, OTHER_USER)
    assert_job_stands(world.wrapped(*JOB, options=options))
    assert list((world.cwd / ".hpcprov").iterdir()) == []


def test_a_store_of_another_user_can_be_trusted(world: World, as_root: None) -> None:
    os.chown(world.cwd / ".hpcprov", OTHER_USER, OTHER_USER)
    seen = world.run(world.argv(*JOB, options=FAST), env={"HPCPROV_TRUST_STORE": "1"})
    assert_job_stands(seen, lines=0)
    assert len(events(world)) == 3


def test_a_log_that_is_a_link_is_not_followed(world: World) -> None:
    """Nothing is appended to a file that somebody has put in the log's place."""
    run = world.cwd / ".hpcprov/runs/r1"
    run.mkdir(parents=True)
    victim = world.path("victim")
    victim.write_text("precious")
    script = 'for f in .hpcprov/runs/r1/*.log; do ln -sf "$1" "$f"; done; exit 37'
    world.wrapped("sh", "-c", script, "sh", victim, options=(*FAST, "--run-id", "r1"))
    world.wrapped("true", options=(*FAST, "--run-id", "r1"))
    assert victim.read_text() == "precious"


def as_other_user(world: World) -> list[str]:
    """The setup words for a user who can reach the working directory; skips where the path is private."""
    for directory in (world.cwd, *world.cwd.parents[:3], world.probes, world.probes.parent):
        directory.chmod(0o755)
    if world.bare("true", setup=[f"user={OTHER_USER}"]).status or not os.access(world.hpcprov, os.X_OK):
        pytest.skip("another user cannot reach the test's directory")
    return [f"user={OTHER_USER}"]


@AGENT_OR_NOT
@pytest.mark.parametrize("mode", [0o755, 0o000, 0o555])
def test_a_directory_without_permission(world: World, as_root: None, mode: int, options: tuple[str, ...]) -> None:
    (world.cwd / ".hpcprov").rmdir()
    setup = as_other_user(world)
    world.cwd.chmod(mode)
    try:
        bare = world.bare(*JOB, setup=setup)
        seen = world.wrapped(*JOB, setup=setup, options=options)
        assert (seen.status, seen.out) == (bare.status, bare.out)
        assert_job_stands(seen)
    finally:
        world.cwd.chmod(0o755)


def mounted(world: World, commands: str, options: tuple[str, ...]) -> Seen:
    """The job after `commands` (as root, in mounts of its own), in the working directory as then mounted."""
    script = f'{commands}; cd "$0"; exec "$@"'
    return world.run([*NEW_MOUNTS, script, str(world.cwd), *world.argv(*JOB, options=options)])


@pytest.mark.parametrize("directory", ["/mnt/h", "/mnt/a/b/c", "/mnt/a-name-that-is-longer"])
def test_a_directory_is_made_however_short_its_name(world: World, as_root: None, directory: str) -> None:
    script = f'mount -t tmpfs none /mnt; export HPCPROV_DIR={directory}; "$@"; ls {directory}/runs/*/*.log'
    seen = world.run([*NEW_MOUNTS, script, "sh", *world.argv("true", options=FAST)])
    assert (seen.status, seen.err, seen.out.count(b"\n")) == (0, b"", 1)


READ_ONLY = 'mount --bind "$0" "$0"; mount -o remount,bind,ro "$0"'
FULL = 'mount -t tmpfs -o size=8k none "$0/.hpcprov"; head -c 8192 /dev/zero >"$0/.hpcprov/fill"'
NO_INODES = 'mount -t tmpfs -o nr_inodes=1 none "$0/.hpcprov"'
SMALL = 'mount -t tmpfs -o size=64k none "$0/.hpcprov"'
# Once the agent has told its facts the log is filled up to a whole page with empty lines, which mean nothing; then
# every other page is taken.
FILL = """
log=$(echo .hpcprov/runs/*/*.log); before=; size=$(stat -c %s "$log")
while [ "$size" != "$before" ]; do sleep 0.5; before=$size; size=$(stat -c %s "$log"); done
head -c $((4096 - size % 4096)) /dev/zero | tr '\\0' '\\n' >>"$log"
head -c 100000 /dev/zero >.hpcprov/more 2>/dev/null
echo out; echo err >&2; exit 37
"""


@AGENT_OR_NOT
@pytest.mark.parametrize("commands", [READ_ONLY, FULL, NO_INODES], ids=["read-only", "full", "no inodes"])
def test_a_file_system_that_takes_nothing(world: World, as_root: None, commands: str, options: tuple[str, ...]) -> None:
    assert_job_stands(mounted(world, commands, options))


@AGENT_OR_NOT
def test_a_read_only_working_directory_without_a_store(world: World, as_root: None, options: tuple[str, ...]) -> None:
    (world.cwd / ".hpcprov").rmdir()
    assert_job_stands(mounted(world, READ_ONLY, options))


@pytest.mark.parametrize("options", [(*FAST, "--capture-output"), ("--capture-output",), ()], ids=str)
def test_a_file_system_that_fills_while_the_job_runs(world: World, as_root: None, options: tuple[str, ...]) -> None:
    script = f'{SMALL}; cd "$0"; exec "$@"'
    seen = world.run([*NEW_MOUNTS, script, str(world.cwd), *world.argv("sh", "-c", FILL, options=options)])
    assert_job_stands(seen)


@AGENT_OR_NOT
@pytest.mark.parametrize("size", [0, 1, 300, 900, 2000])
def test_a_size_limit_at_any_point_of_the_log(world: World, size: int, options: tuple[str, ...]) -> None:
    seen = world.wrapped(*JOB, setup=[rlimit(1, size, size)], options=options)
    assert (seen.status, seen.out) == (37, b"out\n")
    assert len(own_lines(seen)) <= 1 and (size > 0 or len(own_lines(seen)) == 1)


PYTHONS = ["/nonexistent/python", "/bin/false", "/bin/true", "/usr/bin/yes", "/dev/null", ""]


@pytest.mark.parametrize("python", PYTHONS)
def test_without_an_agent_to_be_had(world: World, python: str) -> None:
    seen = world.run(world.argv(*JOB, options=()), env={"HPCPROV_PYTHON": python})
    assert (seen.status, seen.out) == (37, b"out\n")
    assert len(own_lines(seen)) <= 1
    assert [event["event"] for event in events(world)].count("exit") == 1
