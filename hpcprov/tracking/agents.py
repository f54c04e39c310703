"""The node's agent beside a Python program that makes a run of itself: the same that `hpcprov exec` starts, reached in
the same way (docs/agent.md). It captures facts, samples, signs files and merges; if the program is killed, it says so.

    agent = join(root, run_id, log, place)       # None where there can be none
    agent.tell_exit(0, wait=60.0)        # and wait until the record has been made
"""

from __future__ import annotations

import fcntl
import os
import socket
import subprocess
import sys
import time
from contextlib import closing
from hashlib import sha256
from typing import TYPE_CHECKING

from hpcprov.agent import starts
from hpcprov.agent.node import peer_uid

if TYPE_CHECKING:
    from hpcprov.tracking.place import Place

TRIES, NAP = 20, 0.005  # s
ANSWER = 5.0  # s
# What is for the program only (as in launcher/agent.c).
HARMFUL = (
    *("LD_PRELOAD", "LD_AUDIT", "HPCPROV_RUN", "PYTHONWARNINGS", "PYTHONMALLOC", "PYTHONEXECUTABLE", "PYTHONINSPECT"),
    *("PYTHONPLATLIBDIR", "PYTHONDEVMODE", "PYTHONTRACEMALLOC", "PYTHONVERBOSE", "PYTHONPROFILEIMPORTTIME"),
)
# A process between, which ends at once: the agent is nobody's child, so that the program has no zombie and its `wait`
# no process that it does not know.
APART = '"$@" </dev/null >/dev/null 2>&1 &'


class Agent:
    """A connection to the node's agent."""

    def __init__(self, connection: socket.socket) -> None:
        self.connection = connection

    def tell_exit(self, code: int, signal: int, *, wait: float) -> None:
        """Say how this rank has ended. The node's last one, if all ended well, waits until the record has been made."""
        with closing(self.connection):
            try:
                self.connection.settimeout(ANSWER)
                self.connection.send(f"exit {code} {signal}".encode())
                if self.connection.recv(16) == b"wait":
                    self.connection.settimeout(wait)
                    self.connection.recv(16)
            except OSError:
                pass  # it has left, or takes longer: it finishes the record by itself


def join(root: str, run_id: str, log: str, place: Place) -> Agent | None:
    """The agent that serves this log, started where there is none."""
    address = f"\0hpcprov/{os.geteuid()}/{sha256(os.fsencode(log)).hexdigest()[:32]}"
    words = ["--root", root, "--run", run_id, "--log", log, "--node", place.node]
    for _ in range(TRIES):
        try:
            connection = bind_or_connect(address, words)
        except (OSError, subprocess.SubprocessError):
            return None
        if connection is not None:
            say_hello(connection, place)
            return Agent(connection)
        time.sleep(NAP)
    return None


def above_stdio(descriptor: int) -> int:
    """The same file under a number from 3 on: where a program's standard streams are closed, theirs would be the next
    ones that are free, and what it prints would go into our files."""
    if descriptor > 2:
        return descriptor
    other = fcntl.fcntl(descriptor, fcntl.F_DUPFD_CLOEXEC, 3)
    os.close(descriptor)
    return other


def new_socket() -> socket.socket:
    made = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    return socket.socket(fileno=above_stdio(made.detach()))


def bind_or_connect(address: str, words: list[str]) -> socket.socket | None:
    """One try at being first on this node, else at finding who was; None: again later. Raises OSError and
    SubprocessError where no agent can be started."""
    with new_socket() as listening:
        try:
            listening.bind(address)
        except OSError:
            pass  # another rank was first
        else:
            listening.listen(4096)
            start(listening.fileno(), words)
        connection = new_socket()
        try:
            connection.connect(address)
            if peer_uid(connection) == os.geteuid():
                return connection
        except OSError:
            pass
        connection.close()
        return None


def start(listening: int, words: list[str]) -> None:
    """Start the agent with a listening socket. Raises OSError."""
    if not sys.executable:
        raise OSError("this Python does not know its own program")
    environ = {name: value for name, value in os.environ.items() if name not in HARMFUL}
    agent = [sys.executable, "-P", "-m", "hpcprov.agent", *words, "--socket", str(listening)]
    subprocess.run(
        ["/bin/sh", "-c", APART, "hpcprov", *agent],
        env=environ,
        cwd="/",
        pass_fds=(listening,),
        start_new_session=True,
        check=True,
        stdin=subprocess.DEVNULL,
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    )


def say_hello(connection: socket.socket, place: Place) -> None:
    ticks = starts.own_ticks() or 0
    numbers = (place.rank, place.size, place.local_size, os.getpid(), ticks, os.getpid())
    try:
        connection.send(b"hello " + " ".join(map(str, numbers)).encode())
    except OSError:
        pass  # the agent then learns of this rank from the log
