"""Tickets, parts and the time for hashing."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from pathlib import Path

import pytest

from hpcprov.agent import finish
from hpcprov.agent.signing import ALONE, HELPER, LAST
from hpcprov.record import frame
from hpcprov.record.layout import Store

TAKE = """
import sys
from hpcprov.agent.finish import take_ticket
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


def test_one_node_does_it_all(store: Store) -> None:
    assert finish.part_of(store, "r", [{"nodes": 1}], wait=True) == ALONE
    assert finish.tickets(store, "r") == []


def test_the_last_of_three_nodes_merges(store: Store) -> None:
    starts = [{"nodes": 3}]
    assert [finish.part_of(store, "r", starts, wait=False) for _ in range(3)] == [None, None, LAST]


def test_a_node_that_waits_helps_the_last(store: Store) -> None:
    os.makedirs(store.ticket("r", 1))
    assert finish.part_of(store, "r", [{"nodes": 2}], wait=True) == HELPER


def test_a_run_that_is_merged_already_needs_nobody(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(finish, "merged", lambda *_: True)
    began = time.monotonic()
    assert finish.part_of(store, "r", [{"nodes": 2}], wait=True) is None
    assert time.monotonic() - began < 5


def tell(store: Store, name: str, *events: dict[str, object]) -> None:
    Path(store.log("r", name)).write_bytes(b"".join(f for event in events for f in frame.encode(event)))


def test_without_a_scheduler_the_logs_tell_who_is_last(store: Store) -> None:
    start = {"event": "start", "time": 1, "boot": 1, "rank": 0, "size": 2, "nodes": None}
    tell(store, "a.1-1.0.log", start, {"event": "exit", "time": 2, "boot": 2, "rank": 0})
    starts = finish.starts_of(store.run("r"))
    assert finish.part_of(store, "r", starts, wait=False) is None
    tell(store, "b.1-1.0.log", start | {"rank": 1}, {"event": "lost", "time": 2, "boot": 2, "rank": 1})
    assert finish.part_of(store, "r", starts, wait=False) == LAST
    assert finish.part_of(store, "r", starts, wait=False) == HELPER


@pytest.mark.parametrize(
    ("ran", "left", "seconds"),
    [(0, None, 60), (1000, None, 160), (1000, 100, 40), (1000, 30, -30), (0, 10_000, 60)],
)
def test_time_for_hashing(ran: float, left: float | None, seconds: float) -> None:
    now = time.time()
    environ = {} if left is None else {"SLURM_JOB_END_TIME": str(int(now + left))}
    assert finish.allowance([{"time": int((now - ran) * 1e9)}], environ) == pytest.approx(seconds, abs=2)
