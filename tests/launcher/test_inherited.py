"""What a program inherits is the same with and without: descriptors, signals, limits, environment, arguments, cwd."""

from __future__ import annotations

import json
import os
import resource
import signal
from typing import Any

import pytest

from .observe import DOCUMENTED, FAST, LONG, World, load_state, rlimit

RLIMIT_SIGPENDING = 11  # not in the resource module


SETUPS = {
    "nothing": [],
    "umask": ["umask=0027"],
    "umask-all": ["umask=0777"],
    "nice": ["nice=7"],
    "affinity": ["cpu=0"],
    "oom": ["oom=321"],
    "group": ["group"],
    "session": ["session"],
    "subreaper": ["subreaper"],
    "no-new-privileges": ["no-new-privileges"],
    "timer-slack": ["slack=12345"],
    "ignored": [f"ignore={number}" for number in (1, 2, 3, 13, 15, 17, 20, 21, 22, 25, 28, 40)],
    "sigchld-ignored": ["ignore=17"],
    "sigpipe-ignored": ["ignore=13"],
    "blocked": [f"block={number}" for number in (2, 10, 15, 17, 18, 36, 64)],
    "all-blocked": ["block=0"],
    "ignored-and-blocked": ["ignore=15", "block=15"],
    "pmi-like-pipe": ["pipe=37"],
    "many-descriptors": ["pipe=3", "pipe=4", "pipe=5", "pipe=37", "pipe=200", "pipe=1023"],
    "every-low-descriptor": [f"pipe={number}" for number in range(3, 64)],
    "core-limit": [rlimit(resource.RLIMIT_CORE, 0, 4096)],
    "nofile": [rlimit(resource.RLIMIT_NOFILE, 16, 64)],
    "many-limits": [
        *(rlimit(which, 1 << 33, 1 << 34) for which in (resource.RLIMIT_AS, resource.RLIMIT_CPU, resource.RLIMIT_DATA)),
        *(rlimit(which, 1 << 10, 1 << 11) for which in (resource.RLIMIT_MEMLOCK, RLIMIT_SIGPENDING)),
    ],
    "stack": [rlimit(resource.RLIMIT_STACK, 1 << 20, 1 << 21)],
    "fsize": [rlimit(resource.RLIMIT_FSIZE, 1 << 20, 1 << 20)],
    "odd-environment": ["odd-environment"],
}


def compare(world: World, setup: list[str], **more: Any) -> tuple[dict[str, Any], dict[str, Any]]:
    """The states bare and wrapped under one setup, less what must differ."""
    own = ("pid", "ppid", *(("pgid", "sid") if {"group", "session"} & set(setup) else ()))
    states = []
    for run in (world.bare, world.wrapped):
        seen = run("state", setup=setup or ["umask=0022"], **more)
        assert (seen.status, seen.err) == (0, b"")
        state = load_state(seen.out)
        state["numbers"] = {key: value for key, value in state["numbers"].items() if key not in own}
        for fd in state["fds"]:
            fd["path"] = fd["path"].partition(":[")[0]
        states.append(state)
    return states[0], states[1]


@pytest.mark.parametrize("name", SETUPS)
def test_state_is_the_same(world: World, name: str) -> None:
    bare, wrapped = compare(world, SETUPS[name])
    assert wrapped == bare


@pytest.mark.parametrize("setup", [["group"], ["session"], []], ids=["group", "session", "as it was"])
def test_group_session_and_parent(world: World, setup: list[str]) -> None:
    argv = world.argv("state", setup=setup or ["umask=0022"], options=FAST)
    process = world.start(argv)
    out, _ = process.communicate(timeout=LONG)
    numbers = json.loads(out)["numbers"]
    assert numbers["ppid"] == process.pid
    assert numbers["pgid"] == (process.pid if setup else os.getpgid(0))
    assert numbers["sid"] == (process.pid if setup == ["session"] else os.getsid(0))


def test_a_file_keeps_its_number_offset_and_flags(world: World) -> None:
    for name in ("bare", "wrapped"):
        setup = [f"open=41:{world.path('file')}"]
        state = load_state(getattr(world, name)("state", setup=setup).out)
        (found,) = [fd for fd in state["fds"] if fd["fd"] == 41]
        assert (found["offset"], found["flags"] & os.O_APPEND, found["fdflags"]) == (3, os.O_APPEND, 0)


ARGUMENTS = {
    "empty": [b"", b"", b""],
    "not UTF-8": [b"\xff\xfe", b"caf\xe9", b"\x80"],
    "newline and controls": [b"a\nb", b"\x1b[31m", b"\x01\x7f\t"],
    "like options": [b"--", b"--help", b"-x", b"--run-id=../.."],
    "spaces and quotes": [b"a b", b"'", b'"', b"$HOME", b"`id`", b"\\"],
    "a long one": [b"x" * 131_000],
    "many": [b"y"] * 20_000,
    "two megabytes": [bytes([65 + i]) * 118_000 for i in range(16)],
}


@pytest.mark.parametrize("name", ARGUMENTS)
def test_arguments_are_bytes(world: World, name: str) -> None:
    state = load_state(world.wrapped("state", *ARGUMENTS[name]).out)
    assert state["argv"] == [os.fsencode(world.probes / "state"), *ARGUMENTS[name]]


def test_environment_gains_only_what_is_documented(world: World) -> None:
    states = [json.loads(run("state").out)["env"] for run in (world.bare, world.wrapped)]
    added = [item.encode() for item in states[1] if item not in states[0]]
    assert [item for item in states[1] if item in states[0]] == states[0]
    assert len(added) == 1 and added[0].startswith(DOCUMENTED)


@pytest.mark.parametrize("setup", ["deep-cwd=80", "delete-cwd=gone"])
@pytest.mark.parametrize("directory", [None, "elsewhere"])
def test_odd_working_directories(world: World, setup: str, directory: str | None) -> None:
    env = {} if directory is None else {"HPCPROV_DIR": str(world.path(directory))}
    bare = json.loads(world.bare("state", setup=[setup]).out)["cwd"]
    seen = world.wrapped("state", setup=[setup], env=env)
    assert seen.status == 0 and len(seen.err.splitlines()) <= 1
    assert json.loads(seen.out)["cwd"] == bare


def test_off_becomes_the_command(world: World) -> None:
    argv = world.argv("act", "pid", options=("--name", "x", "--tag", "a=b", "--input", "y", "--capture-output"))
    world.env["HPCPROV"] = "off"
    process = world.start(argv)
    out, err = process.communicate(timeout=LONG)
    assert (int(out), err, process.returncode) == (process.pid, b"", 0)
    assert list((world.cwd / ".hpcprov").iterdir()) == []


def test_off_adds_nothing_to_the_state(world: World) -> None:
    world.env["HPCPROV"] = "off"
    bare, wrapped = compare(world, ["umask=0022", f"ignore={int(signal.SIGCHLD)}", "block=15", "pipe=37"])
    assert bare == wrapped
