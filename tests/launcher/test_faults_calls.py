"""Failing system calls: the Nth call of the launcher fails, for every N; the job's status and output stand.

After SQLite's tests: each call fails once, and from then on (strace's `inject=...:when=N` and `when=N+`). Only the
launcher is traced, and no longer when it becomes the application because nothing can be recorded.
"""

from __future__ import annotations

import os
import re
import subprocess

import pytest

from .log import events, frames, log_paths
from .observe import FAST, LONG, Seen, World, holding, own_lines, running, wait_until

JOB = ("sh", "-c", "echo out; echo err >&2; exit 37")
CAPTURED = ("--no-agent", "--capture-output")
# Calls whose failure the kernel documents and a cluster shows. `clone` is what fork(2) becomes.
FAILURES = [
    *(("write", error) for error in ("ENOSPC", "EIO", "EDQUOT")),
    *(("openat", error) for error in ("EMFILE", "ESTALE", "EACCES")),
    *(("mkdir", "ENOSPC"), ("mkdir", "EROFS"), ("getcwd", "ENOENT"), ("getcwd", "EACCES"), ("newfstatat", "ESTALE")),
    *(("read", "EIO"), ("readlink", "EACCES"), ("uname", "EFAULT"), ("getrandom", "ENOSYS")),
    *(("pipe2", "EMFILE"), ("pipe2", "ENFILE"), ("clone", "EAGAIN"), ("clone", "ENOMEM"), ("signalfd4", "EMFILE")),
    *(("fcntl", "EMFILE"), ("fcntl", "EINVAL"), ("poll", "EINTR"), ("prctl", "EINVAL"), ("fstatfs", "ENOSYS")),
]
WITH_AGENT = [
    *(
        ("socket", "EMFILE"),
        ("socket", "EAFNOSUPPORT"),
        ("bind", "EADDRINUSE"),
        ("bind", "EPERM"),
        ("listen", "EINVAL"),
    ),
    *(
        ("connect", "ECONNREFUSED"),
        ("connect", "EAGAIN"),
        ("sendto", "EPIPE"),
        ("sendto", "EAGAIN"),
        ("clone", "EAGAIN"),
    ),
    *(("recvfrom", "ECONNRESET"), ("getsockopt", "ENOTCONN"), ("pipe2", "EMFILE"), ("openat", "EMFILE")),
]


def traced(world: World, strace: str, options: tuple[str, ...], *what: str) -> Seen:
    """The job under strace, which follows the launcher only."""
    tracer = [strace, "-D", "--detach-on=execve", "-o", str(world.path("trace"))]
    return world.run([*tracer, *what, *world.argv(*JOB, options=options)], timeout=LONG)


def count_calls(world: World, strace: str, options: tuple[str, ...], call: str) -> int:
    """How often the launcher makes the call when all goes well; 0 when this kernel has no such call."""
    known = subprocess.run([strace, "-e", f"trace={call}", "true"], capture_output=True).returncode == 0
    if known:
        traced(world, strace, options, "-e", f"trace={call}")
    return len(re.findall(rf"^{call}\(", world.path("trace").read_text(), re.MULTILINE)) if known else 0


def assert_job_stands(seen: Seen, at: str) -> None:
    assert (seen.status, seen.out) == (37, b"out\n"), f"{at}: {seen}"
    assert b"err\n" in seen.err and len(own_lines(seen)) <= 1, f"{at}: {seen}"
    assert len(seen.err.splitlines()) == 1 + len(own_lines(seen)), f"{at}: {seen}"


def fail_each(world: World, strace: str, options: tuple[str, ...], call: str, error: str) -> None:
    for number in range(1, count_calls(world, strace, options, call) + 1):
        # A call that is always interrupted never ends.
        for when in (str(number), f"{number}+")[: 1 if error == "EINTR" else 2]:
            inject = f"inject={call}:error={error}:when={when}"
            assert_job_stands(traced(world, strace, options, "-e", f"trace={call}", "-e", inject), inject)


@pytest.mark.parametrize(("call", "error"), FAILURES, ids=str)
def test_a_call_that_fails(world: World, strace: str, call: str, error: str) -> None:
    fail_each(world, strace, FAST, call, error)


@pytest.mark.parametrize(("call", "error"), WITH_AGENT, ids=str)
def test_a_call_that_fails_with_an_agent(world: World, strace: str, call: str, error: str) -> None:
    fail_each(world, strace, (), call, error)


@pytest.mark.parametrize(("call", "error"), [("write", "ENOSPC"), ("pipe2", "EMFILE")], ids=str)
def test_a_call_that_fails_while_output_is_captured(world: World, strace: str, call: str, error: str) -> None:
    """Output itself goes through the launcher's writes: those to descriptors 1 and 2 may fail as they may without."""
    for number in range(1, count_calls(world, strace, CAPTURED, call) + 1):
        inject = f"inject={call}:error={error}:when={number}"
        seen = traced(world, strace, CAPTURED, "-e", f"trace={call}", "-e", inject)
        hit = re.search(rf"^{call}\((\d+).*\(INJECTED\)", world.path("trace").read_text(), re.MULTILINE)
        if call != "write" or not hit or int(hit[1]) > 2:
            assert_job_stands(seen, inject)


def test_memory_that_runs_out(world: World, strace: str) -> None:
    """The C library's own start needs the first two calls, with or without hpcprov."""
    for call in ("brk", "mmap"):
        for number in range(5, count_calls(world, strace, FAST, call) + 1):
            inject = f"inject={call}:error=ENOMEM:when={number}+"
            assert_job_stands(traced(world, strace, FAST, "-e", f"trace={call}", "-e", inject), inject)


def test_what_was_acknowledged_before_a_failure_stays(world: World, strace: str) -> None:
    """A log whose Nth write failed holds the frames before it, whole."""
    for number in range(1, count_calls(world, strace, FAST, "write") + 1):
        for path in log_paths(world):
            path.unlink()
        traced(world, strace, FAST, "-e", "trace=write", "-e", f"inject=write:error=ENOSPC:when={number}+")
        trace = world.path("trace").read_text()
        acknowledged = len(re.findall(r'^write\(\d+, "\\n[0-9a-f]{8} .* = \d+$', trace, re.MULTILINE))
        found = sum(len(frames(path.read_bytes())) for path in log_paths(world) if path.stat().st_size)
        assert found == acknowledged


def test_a_short_write_is_a_failure(world: World, strace: str) -> None:
    """write(2) may store less than asked: the rest must not follow as if it were a frame."""
    seen = traced(world, strace, FAST, "-e", "trace=write", "-e", "inject=write:retval=7:when=2")
    assert_job_stands(seen, "short write")
    assert [event["event"] for event in events(world)][:1] == ["start"]


@pytest.mark.parametrize("delayed", ["clone", "execve", "wait4", "write", "openat"])
def test_a_slow_system_changes_nothing(world: World, strace: str, delayed: str) -> None:
    slow = f"inject={delayed}:delay_exit=20000"
    argv = [strace, "-f", "-o", str(world.path("trace")), "-e", f"trace={delayed}", "-e", slow]
    seen = world.run([*argv, *world.argv(*JOB, options=FAST)])
    assert_job_stands(seen, delayed)
    assert [event["event"] for event in events(world)] == ["start", "env", "exit"]


@pytest.mark.parametrize("options", [FAST, ()], ids=["alone", "agent"])
def test_a_kernel_without_close_range_holds_nothing_either(world: World, strace: str, options: tuple[str, ...]) -> None:
    """Linux before 5.9: what the application closes must be closed all the same, in every process of hpcprov."""
    reader, writer = os.pipe()
    old = ["-f", "-o", str(world.path("trace")), "-e", "trace=close_range", "-e", "inject=close_range:error=ENOSYS"]
    command = world.argv("bash", "-c", f"exec {writer}>&-; cat", options=options)
    with running(world, [strace, *old, *command], pass_fds=(writer,)) as process:
        os.close(writer)
        wait_until(lambda: not set(holding(reader)) - {os.getpid(), process.pid}, what="the end of the pipe")
        os.close(reader)
        assert process.stdin is not None
        process.stdin.close()
        assert process.wait(LONG) == 0
