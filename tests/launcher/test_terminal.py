"""A terminal: keys reach the application once, job control works, the size and the hang-up are told."""

from __future__ import annotations

import fcntl
import os
import pty
import signal
import struct
import subprocess
import termios
import time
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import pytest

from .observe import FAST, LONG, Word, World, has_logged, load_state, logged_signals, wait_ready, wait_until

LATE = 0.25
KINDS = {"bare": None, "wrapped": FAST, "captured": ("--no-agent", "--capture-output")}
WRAPPERS = pytest.mark.parametrize("options", KINDS.values(), ids=KINDS)


class Terminal:
    """A pseudo-terminal with a job-control shell that runs one command in the foreground."""

    def __init__(self, world: World, argv: list[Word]) -> None:
        self.master, slave = pty.openpty()
        self.reports, report_end = os.pipe()
        command_end, self.commands = os.pipe()
        shell = [str(world.probes / "jobshell"), str(report_end), str(command_end), "--", *argv]
        self.shell = subprocess.Popen(
            shell, stdin=slave, stdout=slave, stderr=slave, cwd=world.cwd, env=world.env,
            start_new_session=True, pass_fds=(report_end, command_end),
        )  # fmt: skip
        for fd in (slave, report_end, command_end):
            os.close(fd)
        self.unread = ""

    def report(self) -> str:
        """The shell's next line: what became of its job."""
        while "\n" not in self.unread:
            more = os.read(self.reports, 4096).decode()
            assert more, "the job-control shell ended"
            self.unread += more
        line, _, self.unread = self.unread.partition("\n")
        return line

    def press(self, keys: bytes) -> None:
        os.write(self.master, keys)

    def close(self) -> None:
        for fd in (self.master, self.reports, self.commands):
            try:
                os.close(fd)
            except OSError:
                pass
        self.shell.kill()
        self.shell.wait(LONG)


@contextmanager
def terminal(world: World, *command: Word, options: tuple[str, ...] | None) -> Iterator[Terminal]:
    found = Terminal(world, world.argv(*command, options=options))
    job = int(found.report().removeprefix("started "))
    try:
        yield found
    finally:
        try:
            os.killpg(job, signal.SIGKILL)
        except ProcessLookupError:
            pass
        found.close()


KEYS = [(b"\x03", signal.SIGINT), (b"\x1c", signal.SIGQUIT), (b"\x1a", signal.SIGTSTP)]


@WRAPPERS
@pytest.mark.parametrize(("key", "number"), KEYS, ids=["ctrl-c", "ctrl-backslash", "ctrl-z"])
def test_a_key_arrives_once(world: World, options: tuple[str, ...] | None, key: bytes, number: int) -> None:
    log = world.path("keys.log")
    with terminal(world, "act", "signals", log, options=options) as tty:
        wait_ready(log)
        for count in (1, 2):
            tty.press(key)
            wait_until(partial(has_logged, log, count), what="the key's signal")
        time.sleep(LATE)
        assert logged_signals(log) == [number, number]


@WRAPPERS
def test_a_new_size_is_told_once(world: World, options: tuple[str, ...] | None) -> None:
    log = world.path("size.log")
    with terminal(world, "act", "signals", log, options=options) as tty:
        wait_ready(log)
        fcntl.ioctl(tty.master, termios.TIOCSWINSZ, struct.pack("HHHH", 33, 99, 0, 0))
        wait_until(lambda: logged_signals(log), what="SIGWINCH")
        time.sleep(LATE)
        assert logged_signals(log) == [signal.SIGWINCH]


@WRAPPERS
@pytest.mark.parametrize(("key", "number"), KEYS[:2], ids=["ctrl-c", "ctrl-backslash"])
def test_a_key_kills_alike(world: World, options: tuple[str, ...] | None, key: bytes, number: int) -> None:
    with terminal(world, "sleep", "20", options=options) as tty:
        time.sleep(0.1)
        tty.press(key)
        assert tty.report() == f"killed {int(number)}"


@WRAPPERS
def test_stop_and_foreground_again(world: World, options: tuple[str, ...] | None) -> None:
    with terminal(world, "sleep", "20", options=options) as tty:
        time.sleep(0.1)
        for _ in range(2):
            tty.press(b"\x1a")
            assert tty.report() == f"stopped {int(signal.SIGTSTP)}"
            os.write(tty.commands, b"f")
            assert tty.report() == "continued 0"
        tty.press(b"\x03")
        assert tty.report() == f"killed {int(signal.SIGINT)}"


@WRAPPERS
def test_hang_up_of_a_shell_arrives_once(world: World, options: tuple[str, ...] | None) -> None:
    """The terminal goes away, its shell dies of SIGHUP, and the kernel tells the foreground group."""
    log = world.path("hangup.log")
    with terminal(world, "act", "signals", log, options=options) as tty:
        wait_ready(log)
        os.close(tty.master)
        wait_until(lambda: signal.SIGHUP in logged_signals(log), what="SIGHUP")
        time.sleep(LATE)
        assert logged_signals(log).count(signal.SIGHUP) == 1


@WRAPPERS
def test_hang_up_of_a_session_leader_arrives_once(world: World, options: tuple[str, ...] | None) -> None:
    """`ssh -t host hpcprov exec ...`: only the launcher, who leads the session, is told by the kernel."""
    log = world.path("leader.log")
    master, slave = pty.openpty()
    argv = ["/usr/bin/setsid", "--ctty", *world.argv("act", "signals", log, options=options)]
    process = subprocess.Popen(argv, stdin=slave, stdout=slave, stderr=slave, cwd=world.cwd, env=world.env)
    os.close(slave)
    try:
        pid = wait_ready(log)
        os.close(master)
        wait_until(lambda: signal.SIGHUP in logged_signals(log), what="SIGHUP")
        time.sleep(LATE)
        assert logged_signals(log).count(signal.SIGHUP) == 1
        assert pid > 0
    finally:
        process.kill()
        process.wait(LONG)


def test_terminal_state_is_the_same(world: World, tmp_path: Path) -> None:
    """stdin is the terminal, the group is its foreground group, and the settings are untouched."""
    seen = []
    for options in (None, FAST):
        file = tmp_path / "state.json"
        with terminal(world, "state", file, options=options) as tty:
            before = termios.tcgetattr(tty.master)
            assert tty.report() == "exited 0"
            assert termios.tcgetattr(tty.master) == before
        numbers = load_state(file.read_bytes())["numbers"]
        in_foreground = numbers["foreground0"] == numbers["pgid"] != numbers["sid"]
        seen.append((numbers["terminal0"], in_foreground))
    assert seen == [(1, True)] * 2
