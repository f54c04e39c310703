"""What strace says a command did to files: the oracle that the observer library is compared with. Only paths below one
directory count.

    run(["strace", *OPTIONS, "-o", "trace", "cp", "in", "out"])
    told = read_trace(Path("trace").read_text("latin-1"), Path("/w"))
    assert told.read == {b"in"} and told.written == {b"out"}
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

from .strace import FORKS, Call, successful_calls, unescape


class Told(NamedTuple):
    """Names below the directory, relative to it, and the programs that ran, as absolute paths, one for each time."""

    read: set[bytes]
    written: set[bytes]
    renamed: set[tuple[bytes, bytes]]
    linked: set[tuple[bytes, bytes]]  # old (empty: a symbolic link's, or no name below the directory), new
    removed: set[bytes]
    programs: list[bytes]
    directories: set[bytes]  # that were made or removed

    @classmethod
    def nothing(cls) -> Told:
        return cls(set(), set(), set(), set(), set(), [], set())


class WorkingDirectories:
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


def read_trace(text: str, root: Path) -> Told:
    """What the calls in `text` did below `root`, where the first process began."""
    told = Told.nothing()
    top = os.fsencode(os.path.realpath(root))
    working = WorkingDirectories(top)
    for call in successful_calls(text):
        if call.name in FORKS:
            working.fork(call)
        elif call.name == "unshare":
            working.unshare(call.pid)
        elif call.name in ("chdir", "fchdir"):
            working.change(call.pid, path_of(call.words[0], working.get(call.pid)))
        else:
            tell(told, call, working.get(call.pid), top)
    return told


def tell(told: Told, call: Call, cwd: bytes, top: bytes) -> None:
    """Puts one call that is not about working directories or forks into `told`."""
    paths = list(paths_of(call.words, cwd))
    inside = [below(path, top) for path in paths]
    flags = b" ".join(word for word in call.words if not word.startswith(b'"'))
    if call.name in ("execve", "execveat"):
        told.programs.append(executable(paths[0]))
    elif call.name.startswith("rename"):
        pairs = {(inside[0], inside[1])} | ({(inside[1], inside[0])} if b"RENAME_EXCHANGE" in flags else set())
        told.renamed.update(pair for pair in pairs if any(pair))
    elif call.name.startswith(("link", "symlink")):
        pair = (b"" if call.name.startswith("sym") else inside[0], inside[1])
        told.linked.update({pair} if any(pair) else ())
    elif call.name in ("unlink", "unlinkat", "rmdir"):
        told.removed.update(filter(None, inside))
        told.directories.update(inside if call.name == "rmdir" or b"AT_REMOVEDIR" in flags else ())
    elif call.name.startswith("mkdir"):
        told.directories.update(inside)
    else:
        opened = call.path if paths[0].startswith((b"/proc/", b"/dev/fd/", b"/dev/std")) else os.path.realpath(paths[0])
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


def path_of(word: bytes, directory: bytes) -> bytes:
    """The absolute path that a string below `directory` names, or that a descriptor `3</w/in>` has."""
    if word.startswith(b'"'):
        return os.path.join(directory, word[1:]) if word[1:] else directory
    return unescape(word[word.index(b"<") + 1 : word.rindex(b">")].decode("latin-1")) if b"<" in word else directory


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
