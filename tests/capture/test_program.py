"""Asking programs: real ones that answer, fail, talk too much, or never end."""

from __future__ import annotations

import os
import sys
import time
from pathlib import Path

import pytest

from hpcprov.capture import program
from hpcprov.capture.program import ProgramFailed, ProgramTimeout

ENVIRON = {"PATH": os.environ["PATH"]}


def sh(script: str, timeout: float = 10) -> bytes:
    return program.ask(["sh", "-c", script], environ=ENVIRON, timeout=timeout)


def test_answer() -> None:
    assert sh("echo one; echo two >&2; printf '\\377'") == b"one\n\xff"


def test_a_large_answer_and_a_large_complaint_at_once() -> None:
    assert len(sh("head -c 1000000 /dev/zero; head -c 1000000 /dev/zero >&2; head -c 1000000 /dev/zero")) == 2_000_000


def test_environment_and_folder(tmp_path: Path) -> None:
    output = program.ask(["sh", "-c", "pwd; echo $A"], environ=ENVIRON | {"A": "1"}, timeout=10, cwd=str(tmp_path))
    assert output.decode() == f"{tmp_path}\n1\n"


def test_stdin_is_empty_and_there_is_no_terminal() -> None:
    assert sh("cat") == b""
    assert sh("(exec </dev/tty) 2>/dev/null && echo terminal; true") == b""


@pytest.mark.parametrize(
    ("script", "reason"),
    [
        ("exit 3", "sh: exit status 3"),
        ("kill -9 $$", "sh: ended by signal 9"),
        ("echo 'fatal: no' >&2; echo more >&2; exit 128", "sh: fatal: no"),
        ("printf '\\377' >&2; exit 1", "sh: \udcff"),
    ],
)
def test_failures(script: str, reason: str) -> None:
    with pytest.raises(ProgramFailed) as caught:
        sh(script)
    assert str(caught.value) == reason


@pytest.mark.parametrize("argv", [["/nonexistent/tool"], [os.path.dirname(__file__)], ["a\0b"]])
def test_what_can_not_be_started(argv: list[str]) -> None:
    with pytest.raises(ProgramFailed, match="could not be started"):
        program.ask(argv, environ=ENVIRON, timeout=5)


def test_too_much_is_refused() -> None:
    with pytest.raises(ProgramFailed, match=f"more than {program.OUTPUT_LIMIT} bytes"):
        sh("cat /dev/zero")


def alive(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def test_time_is_over_for_the_program_and_what_it_started(tmp_path: Path) -> None:
    for timeout in (0.3, 3, 30):  # on a busy machine it may begin late
        with pytest.raises(ProgramTimeout, match=f"sh did not answer within {timeout} s"):
            sh(f"sleep 300 & echo $! > {tmp_path}/draft; mv {tmp_path}/draft {tmp_path}/pid; wait", timeout=timeout)
        if (tmp_path / "pid").exists():
            break
    child, until = int((tmp_path / "pid").read_text()), time.monotonic() + 60
    while alive(child):
        assert time.monotonic() < until, "the program's child lives on"
        time.sleep(0.01)


def test_a_program_that_closes_its_output_and_stays() -> None:
    with pytest.raises(ProgramTimeout):
        sh("exec >&- 2>&-; sleep 300", timeout=0.2)


def test_a_consumer_that_fails_ends_the_program() -> None:
    def refuse(block: bytes) -> None:
        raise KeyError(block[:1])

    before = set(os.listdir("/proc/self/fd"))
    with pytest.raises(KeyError):
        program.stream(["cat", "/dev/zero"], refuse, environ=ENVIRON, timeout=60)
    assert set(os.listdir("/proc/self/fd")) == before


def test_find_program(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    (tmp_path / "first" / "tool").write_text("not executable")
    (tmp_path / "second" / "tool").write_text("#!/bin/sh\n")
    (tmp_path / "second" / "tool").chmod(0o755)
    (tmp_path / "first" / "sh").mkdir()
    environ = {"PATH": f"relative::{tmp_path}/first:{tmp_path}/second"}
    assert program.find_program("tool", environ) == f"{tmp_path}/second/tool"
    assert program.find_program("sh", environ) is None
    assert (
        program.find_program(os.path.basename(sys.executable), {"PATH": os.path.dirname(sys.executable)})
        == sys.executable
    )


def test_no_path_at_all_is_the_default_path() -> None:
    assert program.find_program("sh", {}) in ("/bin/sh", "/usr/bin/sh")
