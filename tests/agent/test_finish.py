"""Tickets, parts and the time for hashing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent import finish
from hpcprov.agent.meeting import Meeting, take_ticket, tickets
from hpcprov.agent.signing import ALONE, HELPER, LAST
from hpcprov.record import frame
from hpcprov.record.layout import Store

TAKE = """
import sys
from hpcprov.agent.meeting import take_ticket
from hpcprov.record.layout import Store
print(take_ticket(Store(sys.argv[1]), 'r'))
"""


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs" / "r").mkdir(parents=True)
    return Store(str(tmp_path))


def test_every_process_gets_a_ticket_of_its_own(store: Store) -> None:
    takers = [
        subprocess.Popen([sys.executable, "-c", TAKE, store.root], stdout=subprocess.PIPE, text=True) for _ in range(8)
    ]
    assert sorted(int(taker.communicate()[0]) for taker in takers) == list(range(8))


def part(store: Store, nodes: int, ticket: int | None = None, patience: float = 10.0) -> str | None:
    return Meeting(store, "r", log="a.1-1.0.log", nodes=nodes, ticket=ticket).part(patience)


def tell(store: Store, name: str, *events: dict[str, object]) -> None:
    Path(store.log("r", name)).write_bytes(b"".join(f for event in events for f in frame.encode(event)))


def start(rank: int, node: str, size: int = 2) -> dict[str, object]:
    return {"event": "start", "time": 1, "boot": 1, "rank": rank, "node": node, "size": size}


def exit_of(rank: int, code: int = 0) -> dict[str, object]:
    return {"event": "exit", "time": 2, "boot": 2, "rank": rank, "code": code, "signal": None}


def test_one_node_does_it_all(store: Store) -> None:
    assert part(store, 1) == ALONE
    assert tickets(store, "r") == []


def test_the_last_of_three_nodes_merges(store: Store) -> None:
    assert [part(store, 3, take_ticket(store, "r"), patience=0) for _ in range(3)] == [None, None, LAST]


def test_a_node_that_waits_helps_the_last(store: Store) -> None:
    take_ticket(store, "r"), take_ticket(store, "r")
    assert part(store, 2, 0) == HELPER


def test_a_run_that_is_merged_already_needs_nobody(store: Store) -> None:
    os.rmdir(store.run("r"))
    began = time.monotonic()
    assert part(store, 2, 0) is None
    assert time.monotonic() - began < 5


def test_without_a_scheduler_the_logs_tell_who_is_last(store: Store) -> None:
    tell(store, "a.1-1.0.log", start(0, "a"), exit_of(0))
    assert part(store, 0, patience=0) is None
    tell(store, "b.1-1.0.log", start(1, "b"), {"event": "lost", "time": 2, "boot": 2, "rank": 1})
    assert part(store, 0, patience=0) == LAST
    assert part(store, 0, patience=0) == HELPER


def test_nodes_that_have_no_part_in_a_run_are_not_waited_for(store: Store) -> None:
    """`mpiexec -n 1` in an allocation of three nodes."""
    tell(store, "a.1-1.0.log", start(0, "a", size=1), exit_of(0), {"event": "ended", "time": 3, "boot": 3, "node": "a"})
    began = time.monotonic()
    assert part(store, 3, 0) == LAST
    assert time.monotonic() - began < 3
    assert part(store, 3, 2) == HELPER, "only one node takes over"


def test_a_node_whose_agent_died_is_not_waited_for(store: Store) -> None:
    tell(store, "a.1-1.0.log", start(0, "a"), exit_of(0))
    tell(store, "b.1-1.0.log", start(1, "b"), exit_of(1))
    began = time.monotonic()
    assert part(store, 2, 0) == LAST
    assert time.monotonic() - began < 3


def test_nobody_waits_where_no_other_node_has_a_log(store: Store) -> None:
    tell(store, "a.1-1.0.log", start(0, "a"), exit_of(0))
    tell(store, "b.1-1.1.log", start(1, "b"))  # of another start
    began = time.monotonic()
    assert part(store, 2, 0) is None
    assert time.monotonic() - began < 3


@pytest.mark.parametrize(
    ("event", "seconds"),
    [
        (exit_of(1), finish.OTHER_NODES),
        (exit_of(1, code=3), 0.0),
        ({"event": "lost", "time": 1, "boot": 1, "rank": 1}, 0.0),
        (start(1, "b") | {"parent": {"run": "x", "rank": 0}}, 0.0),
    ],
)
def test_a_failure_and_a_nested_run_keep_nobody_waiting(store: Store, event: dict[str, object], seconds: float) -> None:
    tell(store, "b.1-1.0.log", event)
    assert finish.patience(store.run("r"), failed=False) == seconds
    assert finish.patience(store.run("r"), failed=True) == 0.0


@pytest.mark.parametrize(
    ("ran", "left", "seconds"),
    [(0, None, 60), (1000, None, 160), (1000, 100, 40), (1000, 30, -30), (0, 10_000, 60)],
)
def test_time_for_hashing(ran: float, left: float | None, seconds: float) -> None:
    now = time.time()
    end = None if left is None else int(now + left)
    assert finish.allowance([{"time": int((now - ran) * 1e9)}], end) == pytest.approx(seconds, abs=2)


@pytest.mark.parametrize(
    ("name", "code"),
    [
        ("b.1-1.0.log", "from hpcprov.agent.meeting import events_of; print(len(events_of(run)))"),
        ("share-b.bin", "from hpcprov.signature.share import read_all; print(len(read_all(run)) + 1)"),
        (".plan", "from hpcprov.merge.family import agree; print(len(agree(store, 'r', {'a': 'r'})))"),
    ],
)
@pytest.mark.parametrize("special", [os.mkfifo, os.mkdir, lambda path: os.symlink("a.1-1.0.log", path)])
def test_nothing_in_a_run_holds_anybody_up(store: Store, name: str, code: str, special: Any) -> None:
    """Members of a group may share a store."""
    tell(store, "a.1-1.0.log", start(0, "a"))
    special(f"{store.run('r')}/{name}")
    given = f"from hpcprov.record.layout import Store; store, run = Store({store.root!r}), {store.run('r')!r}; {code}"
    done = subprocess.run([sys.executable, "-c", given], capture_output=True, text=True, timeout=100)
    assert (done.stdout, done.stderr) == ("1\n", "")
