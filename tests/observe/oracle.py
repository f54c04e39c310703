"""What strace says a command did to files: the oracle that the observer library is compared with.

Format: strace writes one call per line, `PID NAME(ARGUMENTS) = RESULT`, strings as C literals; a call that another
process interrupts comes as two, `NAME(... <unfinished ...>` and `<... NAME resumed>...`. `-y` puts the path behind
every descriptor, `3</w/in>`. Only calls that succeeded count, and only paths below one directory.

    run(["strace", *OPTIONS, "-o", "trace", "cp", "in", "out"])
    told = read_trace(Path("trace").read_text("latin-1"), Path("/w"))
    assert told.read == {b"in"} and told.written == {b"out"}
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

CALLS = (
    *("open", "openat", "openat2", "creat", "truncate", "rename", "renameat", "renameat2", "link", "linkat", "symlink"),
    *("symlinkat", "unlink", "unlinkat", "rmdir", "chdir", "fchdir", "execve", "execveat", "fork", "vfork", "clone"),
    *("clone3", "unshare"),
)
OPTIONS = ("-f", "-qq", "-y", "-s", "8192", "--seccomp-bpf", "-e", "signal=none", "-e", "trace=" + ",".join(CALLS))
LINE = re.compile(r"(\d+) +(?:<\.\.\. (\w+) resumed>|(\w+)\()(.*)")
RESULT = re.compile(r"\) += (-?\d+)(<.*>)?(?:\(deleted\))?(?: |$)")
WORD = re.compile(r'"((?:[^"\\]|\\.)*)"(\.\.\.)?|([^,"<{\[(]+(?:<(?:[^>\\]|\\.)*>(?:\(deleted\))?)?)|([{\[(].*)')
ESCAPES = {"n": "\n", "t": "\t", "r": "\r", "v": "\v", "f": "\f", '"': '"', "\\": "\\", "a": "\a", "b": "\b"}
FORKS = ("fork", "vfork", "clone", "clone3")


class Told(NamedTuple):
    """Names below the directory, relative to it, and the programs that ran, as absolute paths, one for each time."""

    read: set[bytes]
    written: set[bytes]
    renamed: set[tuple[bytes, bytes]]
    linked: set[tuple[bytes, bytes]]  # old (empty: a symbolic link's, or no name below the directory), new
    removed: set[bytes]
    programs: list[bytes]


class Call(NamedTuple):
    """One call that succeeded; `path` is that of the descriptor that came back. `order`: the line it ended at, but of a
    fork the line it began at: its child may come before the call is back."""

    order: int
    pid: int
    name: str
    words: list[bytes]
    result: int
    path: bytes


class Directories:
    """The working directory of every process: threads share one, a child has a copy of its parent's."""

    def __init__(self, first: bytes) -> None:
        self.first = first
        self.of: dict[int, list[bytes]] = {}

    def get(self, pid: int) -> bytes:
        return self.box(pid)[0]

    def box(self, pid: int) -> list[bytes]:
        return self.of.setdefault(pid, [self.first])

    def fork(self, call: Call) -> None:
        shared = any(b"CLONE_FS" in word for word in call.words)
        self.of[call.result] = self.box(call.pid) if shared else list(self.box(call.pid))

    def unshare(self, pid: int) -> None:
        self.of[pid] = list(self.box(pid))

    def change(self, pid: int, path: bytes) -> None:
        self.box(pid)[0] = path


def read_trace(text: str, root: Path, start: Path | None = None) -> Told:
    """What the calls in `text` did below `root`; the first process began in `start`, else in `root`."""
    told = Told(set(), set(), set(), set(), set(), [])
    top = os.fsencode(os.path.realpath(root))
    directories = Directories(os.fsencode(os.path.realpath(start or root)))
    for call in sorted(successful_calls(text)):
        if call.name in FORKS:
            directories.fork(call)
        elif call.name == "unshare":
            directories.unshare(call.pid)
        elif call.name in ("chdir", "fchdir"):
            directories.change(call.pid, path_of(call.words[0], directories.get(call.pid)))
        else:
            tell(told, call, directories.get(call.pid), top)
    return told


def successful_calls(text: str) -> Iterator[Call]:
    """Every call with its two halves put together, less those that failed or never came back."""
    began: dict[tuple[int, str], tuple[int, str]] = {}
    for number, line in enumerate(text.split("\n")):
        found = LINE.match(line)
        if not found:
            continue
        pid, resumed, name, rest = int(found[1]), found[2], found[3], found[4]
        if rest.endswith(" <unfinished ...>"):
            began[pid, name] = number, rest.removesuffix(" <unfinished ...>")
            continue
        first, head = began.pop((pid, resumed), (number, "")) if resumed else (number, "")
        call = parse(pid, resumed or name, head + rest, first, number)
        if call:
            yield call


def parse(pid: int, name: str, rest: str, first: int, last: int) -> Call | None:
    """The call of one whole line; None when it failed."""
    ends = list(RESULT.finditer(rest))
    if not ends or int(ends[-1][1]) < 0:
        return None
    words = split_words(rest[: ends[-1].start()])
    path = unescape((ends[-1][2] or "<>")[1:-1])
    return Call(first if name in FORKS else last, pid, name, words, int(ends[-1][1]), path)


def split_words(text: str) -> list[bytes]:
    """The arguments: a string as its bytes with a leading `"`, anything else as strace prints it."""
    words, position = [], 0
    while position < len(text):
        found = WORD.match(text, position)
        if not found:
            position += 1
            continue
        words.append(
            b'"' + unescape(found[1]) if found[1] is not None else (found[3] or found[4]).strip().encode("latin-1")
        )
        position = found.end()
    return [word for word in words if word]


def unescape(text: str) -> bytes:
    r"""The bytes of a C literal: `\n`, `\377`."""
    plain = re.sub(r"\\([0-7]{1,3}|.)", lambda found: ESCAPES.get(found[1]) or chr(int(found[1], 8)), text)
    return plain.encode("latin-1")


def path_of(word: bytes, directory: bytes) -> bytes:
    """The absolute path that a string below `directory` names, or that a descriptor `3</w/in>` has."""
    if word.startswith(b'"'):
        return os.path.join(directory, word[1:]) if word[1:] else directory
    return unescape(word[word.index(b"<") + 1 : word.rindex(b">")].decode("latin-1")) if b"<" in word else directory


def tell(told: Told, call: Call, cwd: bytes, top: bytes) -> None:
    """Puts one call that is not about directories or forks into `told`."""
    paths = list(paths_of(call.words, cwd))
    inside = [below(path, top) for path in paths]
    flags = b" ".join(word for word in call.words if not word.startswith(b'"'))
    if call.name in ("execve", "execveat"):
        told.programs.append(executable(paths[0]))
    elif call.name.startswith("rename"):
        pairs = [inside[:2], inside[1::-1]] if b"RENAME_EXCHANGE" in flags else [inside[:2]]
        told.renamed.update((old, new) for old, new in pairs if old or new)
    elif "link" in call.name and not call.name.startswith("unlink"):
        told.linked.add((b"" if call.name.startswith("sym") else inside[0], inside[1]))
    elif call.name in ("unlink", "unlinkat", "rmdir"):
        told.removed.add(inside[0])
    else:
        opened = call.path if paths[0].startswith((b"/proc/", b"/dev/")) else os.path.realpath(paths[0])
        tell_access(told, call.name, flags, below(opened, top))


def tell_access(told: Told, name: str, flags: bytes, path: bytes) -> None:
    """An open, a creat or a truncate."""
    if not path or b"O_PATH" in flags or b"O_DIRECTORY" in flags or b"O_TMPFILE" in flags:
        return
    if name in ("creat", "truncate") or b"O_WRONLY" in flags or b"O_RDWR" in flags:
        told.written.add(path)
    if b"O_RDONLY" in flags or b"O_RDWR" in flags:
        told.read.add(path)


def paths_of(words: list[bytes], cwd: bytes) -> Iterator[bytes]:
    """The paths among the arguments, in their order; a descriptor before a string is the directory it begins at."""
    directory = cwd
    for word in words:
        if word.startswith(b'"'):
            yield path_of(word, directory)
            directory = cwd
        elif b"<" in word:
            directory = path_of(word, cwd)


def below(path: bytes, top: bytes) -> bytes:
    """The name relative to `top`, with links in its directories followed; empty when it is not below it."""
    head, tail = os.path.split(os.path.normpath(path))
    whole = os.path.join(os.path.realpath(head), tail)
    return whole[len(top) + 1 :] if whole.startswith(top + b"/") else b""


def executable(path: bytes) -> bytes:
    """The program that the kernel runs for `path`: the interpreter of a `#!` line, with links followed."""
    for _ in range(5):
        with open(path, "rb") as file:
            line = file.readline(256)
        if not line.startswith(b"#!"):
            break
        path = line[2:].split()[0]
    return os.path.realpath(path)
