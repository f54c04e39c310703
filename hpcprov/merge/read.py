"""Logs -> events: one pass over each file of a run's directory, with its length, digest and what had to be skipped.

Only as many bytes are read as the file has when it is opened, so that what is sealed is what was folded, also while a
late process still appends.

    read_run("/scratch/ada/.hpcprov/runs/x")  ->  [Log("n1.8123-4711.0.log"), Log("n1.8123-4711.0.out")]
"""

from __future__ import annotations

import io
import os
import stat
from hashlib import sha256

from hpcprov.record import event as border
from hpcprov.record import frame, layout

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

# O_NONBLOCK: a FIFO with a log's name must not hold up whoever reads it.
OPEN_FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class Log:
    """One file of frames: its name's parts, `size`, `sha256`, `skipped`, `mtime` (s), and a log's checked `events`."""

    __slots__ = ("events", "kind", "launch", "mtime", "n", "name", "node", "sha256", "size", "skipped")

    def __init__(self, name: str) -> None:
        match = layout.LOG_NAME.fullmatch(name)
        assert match is not None, name
        self.name = name
        self.node, self.launch, self.kind = match["node"], match["launch"], match["kind"]
        self.n = int(match["n"])
        self.size = self.mtime = 0
        self.sha256 = ""
        self.skipped = frame.Skipped()
        self.events: list[dict[str, Any]] = []

    @property
    def unit(self) -> tuple[str, str, int]:
        """What a node's log, its late parts and its captured output have in common."""
        return self.node, self.launch, self.n


class _Counted(io.RawIOBase):
    """The first `size` bytes of a file, digested as they pass."""

    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.left, self.digest = fd, size, sha256()

    def readable(self) -> bool:
        return True

    def read(self, size: int = -1) -> bytes:
        block = os.read(self.fd, min(self.left, size if size > 0 else frame.BLOCK))
        self.left -= len(block)
        self.digest.update(block)
        return block


def log_names(directory: str) -> list[str]:
    """The names of a directory's logs and outputs, sorted. Raises OSError."""
    return sorted(name for name in os.listdir(directory) if layout.LOG_NAME.fullmatch(name))


def read_run(directory: str) -> list[Log]:
    """Every log of a run's directory; what is no regular file is left out. Raises OSError (ENOENT: it has moved)."""
    shared: dict[str, str] = {}
    logs = (read_log(directory, name, shared) for name in log_names(directory))
    return [log for log in logs if log is not None]


def read_log(directory: str, name: str, shared: dict[str, str]) -> Log | None:
    """One log. `shared` keeps one copy of each text in environments, which are nearly the same in every rank."""
    try:
        fd = os.open(os.path.join(directory, name), OPEN_FLAGS)
    except OSError as error:
        if _is_special(os.path.join(directory, name)):
            return None
        raise error
    try:
        facts = os.fstat(fd)
        return _read(name, fd, facts, shared) if stat.S_ISREG(facts.st_mode) else None
    finally:
        os.close(fd)


def _read(name: str, fd: int, facts: os.stat_result, shared: dict[str, str]) -> Log:
    log = Log(name)
    source = _Counted(fd, facts.st_size)
    stream = frame.scan(source, log.skipped)  # type: ignore[arg-type]
    log.events = _events(stream, shared) if log.kind == "log" else _count(stream)
    log.size, log.mtime = facts.st_size - source.left, int(facts.st_mtime)
    log.sha256 = source.digest.hexdigest()
    return log


def _events(stream: Any, shared: dict[str, str]) -> list[dict[str, Any]]:
    events = [kept for event in stream if (kept := border.normal(event)) is not None]
    for event in events:
        if event["event"] == "env":
            event["env"] = {shared.setdefault(k, k): shared.setdefault(v, v) for k, v in event["env"].items()}
    return events


def _count(stream: Any) -> list[dict[str, Any]]:
    for _ in stream:
        pass
    return []


def _is_special(path: str) -> bool:
    try:
        return not stat.S_ISREG(os.lstat(path).st_mode)
    except OSError:
        return False
