"""Run one command bare and under `hpcprov exec --`, and compare what its parent can see.

Format: a `World` knows the programs, a working directory and an environment of its own; `Seen` is what came back. The
state that a program inherits comes as the JSON of `probe/state.c`.

    seen = world.wrapped("act", "exit", "3")
    assert seen.status == world.bare("act", "exit", "3").status == 3
"""

from __future__ import annotations

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, NamedTuple

PROBES = ("state", "setup", "act", "jobshell")
# Seconds within which anything happens, also on a machine that has much else to do.
LONG = 60
# Options of exec for most tests; tests/observe/test_transparency.py sets others.
FAST = tuple(os.environ.get("HPCPROV_EXEC_OPTIONS", "--no-agent").split())
NOTHING: Mapping[str, str] = {}
ENVIRONMENT = {"PATH": "/usr/bin:/bin:/usr/sbin:/sbin", "HOME": "/nonexistent", "LANG": "C.UTF-8"}
# What exec may add to the application's environment.
DOCUMENTED = (b"HPCPROV_RUN=",)
# What cannot be the same: the process itself, its parent, and counters.
DIFFERS_IN_STATUS = (
    *("Pid:", "Tgid:", "NStgid:", "NSpid:", "NSpgid:", "NSsid:", "Ngid:", "PPid:"),
    *("Vm", "Rss", "Hugetlb", "voluntary", "nonvoluntary", "FDSize:", "SigQ:"),
)

Word = str | bytes | os.PathLike[str]


class Seen(NamedTuple):
    """What a parent sees of a child: `status` as in `subprocess` (exit code, or minus the signal), and its streams."""

    status: int
    out: bytes
    err: bytes


class World(NamedTuple):
    """Programs, a working directory and an environment for one test."""

    hpcprov: str
    probes: Path
    cwd: Path
    env: dict[str, str]

    def argv(self, *command: Word, setup: Sequence[str] = (), options: Sequence[str] | None = None) -> list[Word]:
        """The command line: `setup`, then `hpcprov exec` unless `options` is None, then `command` with probes found."""
        start = [str(self.probes / "setup"), *setup, "--"] if setup else []
        wrapper = [] if options is None else [self.hpcprov, "exec", *options, "--"]
        known = [str(self.probes / str(command[0]))] if command[0] in PROBES else list(command[:1])
        return [*start, *wrapper, *known, *command[1:]]

    def bare(self, *command: Word, setup: Sequence[str] = (), **more: Any) -> Seen:
        """The command without hpcprov."""
        return self.run(self.argv(*command, setup=setup), **more)

    def wrapped(self, *command: Word, setup: Sequence[str] = (), options: Sequence[str] = FAST, **more: Any) -> Seen:
        """The command under `hpcprov exec`."""
        return self.run(self.argv(*command, setup=setup, options=options), **more)

    def run(
        self, argv: Sequence[Word], *, stdin: bytes = b"", env: Mapping[str, str] = NOTHING, timeout: float = LONG
    ) -> Seen:
        """Any command line, with `env` added to the environment; fails after `timeout` s."""
        environment = self.env | dict(env)
        done = subprocess.run(argv, input=stdin, capture_output=True, cwd=self.cwd, env=environment, timeout=timeout)
        return Seen(done.returncode, done.stdout, done.stderr)

    def start(self, argv: Sequence[Word], **more: Any) -> subprocess.Popen[bytes]:
        """The same, left running; stdin is a pipe that stays open."""
        streams: dict[str, Any] = dict.fromkeys(("stdin", "stdout", "stderr"), subprocess.PIPE)
        return subprocess.Popen(argv, cwd=self.cwd, env=self.env, text=False, **(streams | more))

    def path(self, name: str) -> Path:
        """A file beside the working directory, where it disturbs no store."""
        return self.cwd.parent / name


def rlimit(which: int, soft: int, hard: int) -> str:
    """The setup word that sets a resource limit."""
    return f"rlimit={which}:{soft}:{hard}"


def load_state(text: bytes) -> dict[str, Any]:
    """The state as `probe/state.c` wrote it, less what differs between any two processes; texts as bytes."""
    state = json.loads(text)
    for key in ("argv", "env"):
        state[key] = [item.encode("latin-1") for item in state[key]]
    state["env"] = [item for item in state["env"] if not item.startswith(DOCUMENTED)]
    state["files"]["status"] = comparable_status(state["files"]["status"])
    return dict(state)


def comparable_status(text: str) -> dict[str, str]:
    """`/proc/self/status` as a table, without the process's own numbers and counters."""
    lines = (line for line in text.splitlines() if not line.startswith(DIFFERS_IN_STATUS))
    return {key: value.strip() for key, _, value in (line.partition(":") for line in lines)}


@contextmanager
def running(world: World, argv: Sequence[Word], **more: Any) -> Iterator[subprocess.Popen[bytes]]:
    """A process that is ended, by its pid, when the block is left."""
    process = world.start(argv, **more)
    try:
        yield process
    finally:
        if process.poll() is None:
            process.kill()
        process.wait(LONG)
        for stream in (process.stdin, process.stdout, process.stderr):
            if stream:
                stream.close()


def wait_until(holds: Callable[[], object], *, what: str = "it") -> None:
    """Return when `holds()` does; fail with `what` when it does not for so long that no busy machine is the cause."""
    end = time.monotonic() + LONG
    while not holds():
        assert time.monotonic() < end, f"{what} did not happen within {LONG} s"
        time.sleep(0.002)


def read_lines(path: Path) -> list[list[int | str]]:
    """The words of each complete line that a probe logged; numbers as int."""
    if not path.exists():
        return []
    lines = path.read_text().split("\n")[:-1]
    return [[int(word) if word.lstrip("-").isdigit() else word for word in line.split()] for line in lines]


def wait_ready(path: Path) -> int:
    """The pid of the application, once it has said that it is ready."""
    wait_until(lambda: read_lines(path), what=f"the application's first line in {path.name}")
    word, pid = read_lines(path)[0]
    assert word == "ready"
    return int(pid)


def logged_signals(path: Path) -> list[int]:
    """The signal numbers in the order in which the application got them."""
    return [int(line[0]) for line in read_lines(path)[1:]]


def has_logged(path: Path, count: int) -> bool:
    """Whether the application has logged so many signals."""
    return len(logged_signals(path)) >= count


def is_gone(pid: int) -> bool:
    """Whether no process, or only a zombie, has the pid."""
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def children(pid: int) -> list[int]:
    """The pids of a process's children."""
    try:
        return [int(word) for word in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):
        return []


def names(signals: Iterable[int]) -> list[str]:
    """Signals by name, for messages."""
    known = {one.value: one.name for one in signal.Signals}
    return [known.get(number, str(number)) for number in signals]


def marked(mark: bytes) -> list[int]:
    """The pids of the processes whose environment holds the mark."""
    found = []
    for path in Path("/proc").glob("[0-9]*/environ"):
        try:
            if mark in path.read_bytes():
                found.append(int(path.parent.name))
        except (OSError, ValueError):
            continue
    return found


def own_lines(seen: Seen) -> list[bytes]:
    """What hpcprov itself said on stderr."""
    return [line for line in seen.err.splitlines() if line.startswith(b"hpcprov")]


def holding(fd: int) -> list[int]:
    """The pids of the processes that hold the same pipe."""
    pipe = os.readlink(f"/proc/self/fd/{fd}")
    found = set()
    for link in Path("/proc").glob("[0-9]*/fd/*"):
        try:
            if os.readlink(link) == pipe:
                found.add(int(link.parts[2]))
        except OSError:
            continue
    return sorted(found)
