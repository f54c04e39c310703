"""The oracle itself: lines of strace as it prints them, and what they say."""

from __future__ import annotations

from pathlib import Path

import pytest

from .oracle import Told, read_trace
from .strace import successful_calls

W = "/nowhere"


def read(*lines: str, pid: int = 7) -> Told:
    return read_trace("\n".join(f"{pid} {line}" for line in lines), Path(W))


@pytest.mark.parametrize(
    ("line", "reads", "writes"),
    [
        ('openat(AT_FDCWD</nowhere>, "in", O_RDONLY|O_CLOEXEC) = 3</nowhere/in>', {b"in"}, set()),
        ('openat(AT_FDCWD</nowhere>, "out", O_WRONLY|O_CREAT|O_TRUNC, 0666) = 3</nowhere/out>', set(), {b"out"}),
        ('openat(5</nowhere/d>, "../x", O_RDWR) = 3</nowhere/x>', {b"x"}, {b"x"}),
        (r'open("a\n\377\"b", O_RDONLY) = 3</nowhere/a>', {b'a\n\xff"b'}, set()),
        ('creat("out", 0644)                = 3</nowhere/out>', set(), {b"out"}),
        ('truncate("out", 5) = 0', set(), {b"out"}),
        ('openat(AT_FDCWD</nowhere>, "no", O_RDONLY) = -1 ENOENT (No such file or directory)', set(), set()),
        ('openat(AT_FDCWD</nowhere>, "/etc/passwd", O_RDONLY) = 3</etc/passwd>', set(), set()),
        ('openat(AT_FDCWD</nowhere>, "d", O_RDONLY|O_DIRECTORY) = 3</nowhere/d>', set(), set()),
        ('openat(AT_FDCWD</nowhere>, "in", O_RDONLY|O_PATH) = 3</nowhere/in>', set(), set()),
        ('openat2(AT_FDCWD</nowhere>, "in", {flags=O_RDONLY, resolve=0}, 24) = 3</nowhere/in>', {b"in"}, set()),
    ],
)
def test_tells_what_one_open_did(line: str, reads: set[bytes], writes: set[bytes]) -> None:
    told = read(line)
    assert (told.read, told.written) == (reads, writes)


def test_tells_names_that_moved_and_went() -> None:
    told = read(
        'rename("a", "b") = 0',
        'renameat2(AT_FDCWD</nowhere>, "c", 4</nowhere/d>, "e", RENAME_EXCHANGE) = 0',
        'linkat(AT_FDCWD</nowhere>, "/proc/self/fd/4", AT_FDCWD</nowhere>, "f", AT_SYMLINK_FOLLOW) = 0',
        'symlink("target", "soft") = 0',
        'unlinkat(4</nowhere/d>, "g", 0) = 0',
    )
    assert told.renamed == {(b"a", b"b"), (b"c", b"d/e"), (b"d/e", b"c")}
    assert told.linked == {(b"", b"f"), (b"", b"soft")}
    assert told.removed == {b"d/g"}


def test_puts_the_two_halves_of_a_call_together() -> None:
    first, other, second = (
        '1 open("a", O_RDONLY <unfinished ...>',
        '2 open("b", O_RDONLY) = 4',
        "1 <... open resumed>) = 3",
    )
    text = "\n".join((first, other, second))
    assert [(call.pid, call.words[0]) for call in successful_calls(text)] == [(2, b'"b'), (1, b'"a')]


def test_follows_the_working_directory_of_each_process() -> None:
    told = read_trace(
        "\n".join(
            (
                "1 clone(child_stack=NULL, flags=CLONE_CHILD_SETTID|SIGCHLD <unfinished ...>",
                '2 chdir("d") = 0',
                "1 <... clone resumed>) = 2",
                '2 rename("a", "b") = 0',
                '1 rename("a", "b") = 0',
                "1 clone3({flags=CLONE_VM|CLONE_FS|CLONE_THREAD}, 88) = 3",
                "3 fchdir(4</nowhere/e>) = 0",
                '1 unlink("x") = 0',
                "3 unshare(CLONE_FS) = 0",
                '3 chdir("/") = 0',
                '1 unlink("y") = 0',
            )
        ),
        Path(W),
    )
    assert told.renamed == {(b"d/a", b"d/b"), (b"a", b"b")}
    assert told.removed == {b"e/x", b"e/y"}


def test_tells_the_interpreter_of_a_script(tmp_path: Path) -> None:
    script = tmp_path / "script"
    script.write_text("#!/bin/cat\n")
    told = read(f'execve("{script}", ["script"], 0x7ffc /* 3 vars */) = 0')
    assert told.programs == [b"/usr/bin/cat"] or told.programs == [b"/bin/cat"]
