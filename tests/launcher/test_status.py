"""A perfect wrapper, first rows: the exit status, death by a signal, and the meaning of execvp."""

from __future__ import annotations

import os
import signal
import subprocess
from pathlib import Path

import pytest

from .observe import FAST, World

EVERY_CODE = range(256)
SOME_CODES = (0, 1, 2, 77, 127, 128, 130, 255)
NOT_DEADLY = {signal.SIGCHLD, signal.SIGCONT, signal.SIGURG, signal.SIGWINCH}
STOPPING = {signal.SIGSTOP, signal.SIGTSTP, signal.SIGTTIN, signal.SIGTTOU}
DEADLY = sorted(set(signal.valid_signals()) - NOT_DEADLY - STOPPING)
NO_CORE = f"rlimit={4}:0:0"


def exit_statuses(world: World, options: tuple[str, ...] | None) -> list[int]:
    """The wait status of `act exit N` for every N, as the kernel gives it."""
    os.chdir(world.cwd)
    found = []
    for code in EVERY_CODE:
        argv = [str(word) for word in world.argv("act", "exit", str(code), options=options)]
        found.append(os.waitpid(os.posix_spawn(argv[0], argv, world.env), 0)[1])
    return found


def test_every_exit_code_comes_through(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(world.cwd)
    assert exit_statuses(world, FAST) == [code << 8 for code in EVERY_CODE]


@pytest.mark.parametrize("code", SOME_CODES)
def test_exit_code_with_agent(world: World, code: int) -> None:
    assert world.wrapped("act", "exit", str(code), options=()).status == code


@pytest.mark.parametrize("number", DEADLY)
def test_parent_sees_the_signal_that_killed(world: World, number: int) -> None:
    setup = [NO_CORE]
    seen = world.wrapped("act", "die", str(number), setup=setup)
    assert seen.status == world.bare("act", "die", str(number), setup=setup).status == -number
    assert seen.out == seen.err == b""


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGKILL, signal.SIGSEGV])
def test_parent_sees_the_signal_that_killed_with_agent(world: World, number: int) -> None:
    assert world.wrapped("act", "die", str(int(number)), setup=[NO_CORE], options=()).status == -number


def test_only_the_application_dumps_core(world: World) -> None:
    pattern = Path("/proc/sys/kernel/core_pattern").read_text()
    if pattern.startswith(("|", "/")):
        pytest.skip(f"cores do not go to the working directory here: {pattern!r}")
    elsewhere = world.path("elsewhere")
    elsewhere.mkdir()
    setup = ["rlimit=4:10000000:10000000"]
    assert world.wrapped("act", "core", str(elsewhere), setup=setup).status == -signal.SIGABRT
    assert len(list(elsewhere.iterdir())) == 1
    assert [path.name for path in world.cwd.iterdir()] == [".hpcprov"]


def test_aborts_alike_when_every_signal_is_blocked(world: World) -> None:
    for number in (signal.SIGTERM, signal.SIGKILL):
        assert world.wrapped("act", "die", str(int(number)), setup=["block=0"]).status == -number


# ---- execvp: which file is executed, and what is said when none is. The reference is env(1), which calls execvp.


def make(path: Path, text: str, mode: int = 0o755) -> None:
    path.parent.mkdir(exist_ok=True)
    path.write_text(text)
    path.chmod(mode)


@pytest.fixture
def crowd(world: World) -> World:
    """Directories `a` and `b` on the PATH, with files of many kinds."""
    make(world.cwd / "a/denied", "#!/bin/sh\necho a\n", 0o644)
    make(world.cwd / "b/denied", "#!/bin/sh\necho b\n")
    make(world.cwd / "a/only-denied", "#!/bin/sh\n", 0o644)
    make(world.cwd / "a/plain", 'echo plain "$0" "$@"; exit 9\n')
    make(world.cwd / "a/empty", "")
    make(world.cwd / "a/script", '#!/bin/sh\necho script "$0" "$@"\n')
    make(world.cwd / "a/lost", "#!/no/such/interpreter\n")
    make(world.cwd / "here", "#!/bin/sh\necho here\n")
    (world.cwd / "a/folder").mkdir()
    (world.cwd / "a/loop").symlink_to("loop")
    (world.cwd / "a/dangling").symlink_to("nothing")
    world.env["PATH"] = f"{world.cwd}/a:{world.cwd}/b:/usr/bin:/bin"
    return world


FOUND = [["plain", "x y", ""], ["script", "1"], ["denied"], ["empty"], ["./a/plain"], ["a/script"], ["./here"]]
# env says 126 for anything but ENOENT, as execvp's errno tells it.
NOT_FOUND = ["nothing-like-this", "./nothing", "a/lost", "lost", "", "dangling", "./a/dangling"]
NOT_EXECUTABLE = [
    *("only-denied", "./a/only-denied", "folder", "./a/folder", "./here/x", "./a/loop"),
    *("x" * 300, "./" + "y" * 5000),
]


@pytest.mark.parametrize("command", FOUND, ids=" ".join)
def test_execvp_finds_what_it_always_found(crowd: World, command: list[str]) -> None:
    assert crowd.wrapped(*command) == crowd.bare("/usr/bin/env", *command)


@pytest.mark.parametrize("path", ["", ":/usr/bin", "/usr/bin:", "a", "/nowhere:/usr/bin::"])
def test_execvp_searches_odd_paths(crowd: World, path: str) -> None:
    wrapped = crowd.run([crowd.hpcprov, "exec", *FAST, "--", "here"], env={"PATH": path})
    assert wrapped.status == crowd.run(["/usr/bin/env", "here"], env={"PATH": path}).status


def test_execvp_without_path(crowd: World) -> None:
    del crowd.env["PATH"]
    assert crowd.wrapped("true").status == crowd.bare("/usr/bin/env", "true").status == 0


ALONE: list[tuple[str, tuple[str, ...]]] = [(command, FAST) for command in NOT_FOUND + NOT_EXECUTABLE]
WITH_AGENT: list[tuple[str, tuple[str, ...]]] = [("nothing-like-this", ()), ("only-denied", ())]


@pytest.mark.parametrize(("command", "options"), ALONE + WITH_AGENT, ids=lambda value: str(value)[:20] or "empty")
def test_status_when_it_cannot_be_executed(crowd: World, command: str, options: tuple[str, ...]) -> None:
    seen = crowd.wrapped(command, options=options)
    assert seen.status == crowd.bare("/usr/bin/env", command).status
    assert seen.status == (127 if command in NOT_FOUND else 126)
    assert seen.out == b"" and len(seen.err.splitlines()) == 1
    assert seen.err.startswith(b"hpcprov") and command[:100].encode() in seen.err


def test_off_fails_with_the_same_status(crowd: World) -> None:
    for command, status in (("nothing-like-this", 127), ("only-denied", 126)):
        argv = [crowd.hpcprov, "exec", "--", command]
        assert subprocess.run(argv, env=crowd.env | {"HPCPROV": "off"}, capture_output=True).returncode == status
