"""Calls as strace prints them, put together and taken apart.

Format: one call per line, `PID NAME(ARGUMENTS) = RESULT`, strings as C literals; a call that another process interrupts
comes as two, `NAME(... <unfinished ...>` and `<... NAME resumed>...`. `-y` puts the path behind every descriptor:

    7 openat(AT_FDCWD</w>, "in", O_RDONLY) = 3</w/in>

    successful_calls(text)  ->  Call(7, "openat", [b"AT_FDCWD</w>", b'"in', b"O_RDONLY"], 3, b"/w/in"), ...
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import NamedTuple

CALLS = (
    *("open", "openat", "openat2", "creat", "truncate", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *(
        "symlinkat",
        "unlink",
        "unlinkat",
        "rmdir",
        "mkdir",
        "mkdirat",
        "chdir",
        "fchdir",
        "unshare",
        "execve",
        "execveat",
    ),
    *("fork", "vfork", "clone", "clone3"),
)
OPTIONS = ("-f", "-qq", "-y", "-s", "8192", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=" + ",".join(CALLS))
FORKS = ("fork", "vfork", "clone", "clone3")
LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")
RESULT = re.compile(r"\) += (-?\d+)(<.*>)?(?:\(deleted\))?(?: |$)")
CHANGED = re.compile(r" <pid changed to \d+ \.\.\.>$")  # a thread that called exec has become its process
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?|([^,"<{\[(]+(?:<(?:[^>\\]|\\.)*>(?:\(deleted\))?)?)|([{\[(].*)')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", '"': '"', "\\": "\\", "a": "\a", "b": "\b"}


class Call(NamedTuple):
    """One call that succeeded; `path` is that of the descriptor that came back."""

    pid: int
    name: str
    words: list[bytes]
    result: int
    path: bytes


def successful_calls(text: str) -> list[Call]:
    """Every call that came back well, in the order of their ends; a fork at its beginning, as its child may come before
    it is back.
    """
    return [call for _, call in sorted(numbered_calls(text))]


def numbered_calls(text: str) -> Iterator[tuple[int, Call]]:
    """The calls with the number of the line that orders them."""
    began: dict[tuple[int, str], tuple[int, str]] = {}
    for number, line in enumerate(text.split("\n")):
        found = LINE.match(line)
        if not found:
            continue
        pid, resumed, name, rest = int(found[1]), found[2], found[3], CHANGED.sub(") = 0", found[4])
        if rest.endswith(" <unfinished ...>"):
            began[pid, name] = number, rest.removesuffix(" <unfinished ...>")
            continue
        if resumed and (pid, resumed) not in began:
            continue  # it was told with the thread that called it
        first, head = began.pop((pid, resumed)) if resumed else (number, "")
        call = parse(pid, resumed or name, head + rest)
        if call:
            yield first if call.name in FORKS else number, call


def parse(pid: int, name: str, rest: str) -> Call | None:
    """The call of one whole line; None when it failed."""
    ends = list(RESULT.finditer(rest))
    if not ends or int(ends[-1][1]) < 0:
        return None
    path = unescape((ends[-1][2] or "<>")[1:-1])
    return Call(pid, name, split_words(rest[: ends[-1].start()]), int(ends[-1][1]), path)


def split_words(text: str) -> list[bytes]:
    """The arguments: a string as its bytes with a leading `"`, anything else as strace prints it."""
    words, position = [], 0
    while position < len(text):
        found = WORD.match(text, position)
        if not found:
            position += 1
            continue
        plain = (found[3] or found[4] or "").strip().encode("latin-1")
        words.append(plain if found[1] is None else b'"' + unescape(found[1]))
        position = found.end()
    return [word for word in words if word]


def unescape(text: str) -> bytes:
    r"""The bytes of a C literal: `\n`, `\377`."""
    plain = re.sub(r"\\([0-7]{1,3}|.)", lambda found: ESCAPES.get(found[1]) or chr(int(found[1], 8)), text)
    return plain.encode("latin-1")
