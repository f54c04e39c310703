"""The agent's side of the socket, spoken to by real sockets in the place of launchers."""

from __future__ import annotations

import os
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcprov.agent import node as module
from hpcprov.agent import starts
from hpcprov.agent.journal import Journal
from hpcprov.agent.node import Node
from hpcprov.record import frame


@pytest.fixture
def node(tmp_path: Path) -> Iterator[Node]:
    listening = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
    listening.bind(f"\0hpcprov-test-{os.getpid()}-{tmp_path.name}")
    listening.listen()
    journal = Journal(str(tmp_path / "n.log"), "n")
    ranks = Node(listening, journal)
    yield ranks
    for rank in ranks.open.values():
        rank.connection.close()
    listening.close()
    os.close(journal.fd)


class Launcher:
    """Says what a launcher says."""

    def __init__(self, node: Node, rank: int, size: int, local_size: int) -> None:
        self.node = node
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
        self.socket.settimeout(5)
        self.socket.connect(node.listening.getsockname())
        self.say(f"hello {rank} {size} {local_size} {os.getpid()} 1 {os.getpid()}")
        node.turn(1)

    def say(self, text: str) -> None:
        self.socket.send(text.encode())
        self.node.turn(1)

    def hears(self) -> bytes:
        return self.socket.recv(64)

    def leave(self) -> None:
        self.socket.close()
        self.node.turn(1)


def lost(node: Node) -> list[int]:
    data = Path(node.journal.path).read_bytes()
    return [event["rank"] for event in frame.scan(data) if event["event"] == "lost"]


def test_only_the_last_launcher_waits(node: Node) -> None:
    one, two = (Launcher(node, rank, 2, 2) for rank in (0, 1))
    one.say("exit 0 0")
    assert one.hears() == b"go" and not node.over
    two.say("exit 0 0")
    assert two.hears() == b"wait" and node.over
    node.release()
    assert two.hears() == b"go"
    one.leave()
    two.leave()
    assert lost(node) == []


def test_nobody_waits_after_a_failure(node: Node) -> None:
    one, two = (Launcher(node, rank, 2, 2) for rank in (0, 1))
    one.say("exit 3 0")
    two.say("exit 0 0")
    assert (one.hears(), two.hears(), node.over, node.failed) == (b"go", b"go", True, True)
    one.leave()
    two.leave()


def test_a_rank_that_has_not_come_yet_keeps_nobody(node: Node) -> None:
    """The first of two has ended before the second has started."""
    one = Launcher(node, 0, 2, 2)
    one.say("exit 0 0")
    assert one.hears() == b"go" and not node.over
    one.leave()
    assert not node.over
    two = Launcher(node, 1, 2, 2)
    two.say("exit 0 0")
    assert two.hears() == b"wait"
    two.leave()


def test_a_launcher_that_dies_is_lost(node: Node) -> None:
    one, two = (Launcher(node, rank, 2, 2) for rank in (4, 5))
    one.leave()
    assert lost(node) == [4] and node.failed and not node.over
    two.say("exit 0 0")
    assert two.hears() == b"go" and node.over
    two.leave()


def test_ranks_that_never_come_are_given_up(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.0)
    one = Launcher(node, 0, 64, 64)
    assert not node.over
    one.say("exit 0 0")
    one.leave()
    node.turn(0)
    assert node.over


def test_without_a_local_size_the_end_is_silence(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    one = Launcher(node, 0, 8, -1)
    one.say("exit 0 0")
    assert one.hears() == b"go" and not node.over
    one.leave()
    monkeypatch.setattr(module, "LINGER", 0.0)
    node.turn(0)
    assert node.over


@pytest.mark.parametrize(
    "text", ["", "hello", "hello 1 2", "exit", "exit a b", "exit 1 2 3", "\xff\xfe", "x" * 400, "hello 1 2 3 4 5 x"]
)
def test_foreign_words_are_ignored(node: Node, text: str) -> None:
    one = Launcher(node, 0, 1, 1)
    if text:
        one.say(text)
    assert not node.over and node.seen == {0}
    one.leave()


def write(node: Node, event: str, rank: int, **keys: object) -> None:
    node.journal.write(event, rank=rank, **keys)


def own(node: Node, rank: int, ticks: int | None = None) -> None:
    """A start event of this process."""
    found = starts.own_ticks() if ticks is None else ticks
    write(node, "start", rank, pid=os.getpid(), ticks=found, pid_ns=starts.pid_namespace(), argv=["x" * 6000])


def test_a_rank_that_could_not_connect_is_followed_in_the_log(node: Node, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "LINGER", 0.0)
    one = Launcher(node, 0, 2, 2)
    own(node, 0)
    own(node, 1)
    node.look()
    node.look()
    one.say("exit 0 0")
    one.leave()
    node.look()
    assert node.seen == {0, 1} and not node.over
    write(node, "exit", 1, code=0, signal=None)
    node.look()
    assert node.done == {0, 1} and node.over and not node.failed
    assert lost(node) == []


@pytest.mark.parametrize(("exit_code", "expected"), [(None, [1]), (3, [])])
def test_a_rank_that_could_not_connect_may_fail(node: Node, exit_code: int | None, expected: list[int]) -> None:
    one = Launcher(node, 0, 2, 2)
    own(node, 1, ticks=1)  # no such process any more
    if exit_code is not None:
        write(node, "exit", 1, code=exit_code, signal=None)
    node.look()
    node.look()
    one.say("exit 0 0")
    assert node.failed and node.over and lost(node) == expected and one.hears() == b"go"
    one.leave()


def test_a_rank_of_another_pid_namespace_is_neither_lost_nor_waited_for(
    node: Node, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "LINGER", 0.0)
    one = Launcher(node, 0, 2, 2)
    write(node, "start", 1, pid=os.getpid(), ticks=1, pid_ns="pid:[1]")
    node.look()
    node.look()
    one.say("exit 0 0")
    one.leave()
    node.turn(0)
    assert node.over and lost(node) == []
