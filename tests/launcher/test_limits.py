"""Closed standard streams and tight limits: the application runs as it would without, and at most one line is said."""

from __future__ import annotations

import itertools
import json
import resource

import pytest

from .observe import FAST, World, rlimit

TINY = 3  # descriptors: 0, 1 and 2 only
CLOSED = [combination for count in (1, 2, 3) for combination in itertools.combinations((0, 1, 2), count)]


@pytest.mark.parametrize("options", [FAST, (), ("--no-agent", "--capture-output")], ids=["alone", "agent", "captured"])
@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_closed_standard_streams_stay_closed(world: World, closed: tuple[int, ...], options: tuple[str, ...]) -> None:
    if options == () and closed not in ((0,), (0, 1, 2)):
        options = FAST
    setup = [f"close={fd}" for fd in closed]
    file = world.path("state.json")
    seen = world.wrapped("state", file, setup=setup, options=options)
    assert (seen.status, seen.out, seen.err) == (0, b"", b"")
    found = {fd["fd"] for fd in json.loads(file.read_bytes())["fds"]}
    expected = {0, 1, 2} - set(closed)
    # Captured streams are pipes of hpcprov's own, where there were none too.
    assert found == expected or ("--capture-output" in options and found >= expected and found <= {0, 1, 2})


@pytest.mark.parametrize("closed", CLOSED, ids=str)
def test_nothing_is_said_into_a_file_in_the_place_of_stderr(world: World, closed: tuple[int, ...]) -> None:
    seen = world.wrapped("no-such-command", setup=[f"close={fd}" for fd in closed])
    assert seen.status == 127
    logs = list(world.cwd.glob(".hpcprov/**/*.log"))
    assert len(logs) == 1
    assert b"hpcprov: " not in logs[0].read_bytes()
    assert all(line == b"" or line[8:10] == b" {" for line in logs[0].read_bytes().split(b"\n"))


@pytest.mark.parametrize("soft", [TINY, 4, 5, 6, 8])
@pytest.mark.parametrize("options", [FAST, (), ("--no-agent", "--capture-output")], ids=["alone", "agent", "captured"])
def test_hardly_any_descriptors(world: World, soft: int, options: tuple[str, ...]) -> None:
    """The dynamic loader needs one descriptor to start the probe at all."""
    if options == () and soft not in (TINY, 6):
        soft = 4
    setup = [rlimit(resource.RLIMIT_NOFILE, soft, soft)]
    if world.bare("act", "exit", "9", setup=setup).status != 9:
        soft += 1
        setup = [rlimit(resource.RLIMIT_NOFILE, soft, soft)]
    assert world.bare("act", "exit", "9", setup=setup).status == 9
    seen = world.wrapped("act", "exit", "9", setup=setup, options=options)
    assert seen.status == 9 and len(seen.err.splitlines()) <= 1


@pytest.mark.parametrize("size", [0, 1, 100, 5000])
@pytest.mark.parametrize("options", [FAST, (), ("--no-agent", "--capture-output")], ids=["alone", "agent", "captured"])
def test_a_limit_on_file_sizes_kills_nobody(world: World, size: int, options: tuple[str, ...]) -> None:
    setup = [rlimit(resource.RLIMIT_FSIZE, size, size)]
    seen = world.wrapped("act", "spew", "2000", setup=setup, options=options)
    bare = world.bare("act", "spew", "2000", setup=setup)
    assert (seen.status, seen.out) == (bare.status, bare.out)
    assert seen.err.startswith(bare.err) or seen.err.endswith(bare.err)
    assert len(seen.err.replace(bare.err, b"").splitlines()) <= 1


@pytest.mark.parametrize("what", ["AS", "DATA", "STACK", "NPROC", "MEMLOCK", "CPU"])
def test_tight_limits(world: World, what: str) -> None:
    soft = {"AS": 20 << 20, "DATA": 1 << 20, "STACK": 64 << 10, "NPROC": 1, "MEMLOCK": 0, "CPU": 2}[what]
    setup = [rlimit(getattr(resource, f"RLIMIT_{what}"), soft, soft)]
    assert [run("act", "exit", "4", setup=setup).status for run in (world.bare, world.wrapped)] == [4, 4]


def test_a_user_without_processes_left_still_runs(world: World, as_root: None) -> None:
    """No fork is possible: the application is then executed without being watched."""
    for directory in (world.cwd, *world.cwd.parents[:3], world.probes, world.probes.parent):
        directory.chmod(0o755)
    (world.cwd / ".hpcprov").chmod(0o777)
    setup = [rlimit(resource.RLIMIT_NPROC, 0, 0), "user=54321"]
    bare = world.bare("act", "exit", "4", setup=setup)
    if bare.status != 4:
        pytest.skip("another user cannot reach the test's directory")
    seen = world.wrapped("act", "exit", "4", setup=setup)
    if b"Permission denied" in seen.err and seen.status == 126:
        pytest.skip("another user cannot reach the launcher")
    assert seen.status == 4 and len(seen.err.splitlines()) <= 1
