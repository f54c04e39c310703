"""Steps that Python programs told -> rows of a record."""

from __future__ import annotations

import json
import random
from typing import Any

import pytest
from record_check import check_folded

from hpcprov.merge import steps as folding
from hpcprov.merge.fold import fold
from hpcprov.record import event as border
from merge.build import Launch, normal


def told(launch: Launch, entries: list[dict[str, Any]], rank: int = 0, at: float = 1, pid: int = 70) -> Launch:
    return launch.add("step", at, rank=rank, pid=pid, ticks=5, entries=entries)


def entry(number: int, **keys: Any) -> dict[str, Any]:
    return {"id": number, "name": "smooth", "function": "solve:smooth", "began": 10**18 + number} | keys


def rows(*launches: Launch, over: bool = True) -> list[dict[str, Any]]:
    record = fold(normal(*launches), run_id="r1", over=over)
    check_folded(record)
    found: list[dict[str, Any]] = record.get("steps", [])
    return found


DONE = {"ended": 10**18 + 900, "duration": 5 * 10**8, "status": "completed"}


def test_a_run_without_steps_has_no_such_member() -> None:
    assert "steps" not in fold(normal(Launch().start().exit()), run_id="r1")


def test_a_step_has_its_parent_and_what_it_used_and_made() -> None:
    launch = Launch().start().exit()
    told(launch, [entry(1, name="main", **DONE)])
    told(launch, [entry(2, parent=1, parameters={"width": 3}, used=["/a"], generated=["memory:smooth()#1"], **DONE)])
    main, inner = rows(launch)
    assert (main["id"], main["parent"], inner["parent"]) == (1, None, 1)
    assert inner["parameters"] == {"width": 3}
    assert (inner["used"], inner["generated"]) == (["/a"], ["memory:smooth()#1"])
    assert (inner["status"], inner["duration_s"], inner["count"]) == ("completed", 0.5, 1)


def test_the_latest_entry_counts_whatever_the_order() -> None:
    launch = Launch().start().exit()
    told(launch, [entry(1, status="running")], at=1)
    told(launch, [entry(1, **DONE)], at=2)
    expected = rows(launch)
    assert expected[0]["status"] == "completed"
    for seed in range(5):
        random.Random(seed).shuffle(launch.events)
        assert rows(launch) == expected


def test_equal_steps_of_all_ranks_are_one_row() -> None:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1)
    for rank in (0, 1):
        told(launch, [entry(1, **DONE), entry(2, parent=1, name="inner", **DONE)], rank=rank, pid=70 + rank)
    assert [(row["name"], row["count"], row["ranks"], row["parent"]) for row in rows(launch)] == [
        ("smooth", 2, [[0, 1]], None),
        ("inner", 2, [[0, 1]], 1),
    ]


def test_one_rank_that_failed_is_a_row_of_its_own() -> None:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1)
    told(launch, [entry(1, **DONE)], rank=0)
    told(launch, [entry(1, **(DONE | {"status": "failed", "error": "ValueError"}))], rank=1)
    assert {(row["status"], row["error"]) for row in rows(launch)} == {("completed", None), ("failed", "ValueError")}


def test_a_step_without_an_end_is_unfinished_when_its_run_is_over() -> None:
    launch = Launch().start()
    told(launch, [entry(1, status="running")])
    assert rows(launch)[0]["status"] == "unfinished"
    assert rows(launch, over=False)[0]["status"] == "running"


def test_a_child_process_names_the_step_of_its_parent() -> None:
    launch = Launch().start().exit()
    told(launch, [entry(4, name="pool", **DONE)])
    told(launch, [entry(1, parent=4, of="5-70-0", **DONE)], pid=71)
    assert [(row["name"], row["parent"]) for row in rows(launch)] == [("pool", None), ("smooth", 1)]


@pytest.mark.parametrize("parents", [{1: 1}, {1: 2, 2: 1}, {1: 3, 2: 1, 3: 2}, {1: 99}])
def test_what_is_its_own_ancestor_is_told_all_the_same(parents: dict[int, int]) -> None:
    launch = Launch().start().exit()
    told(launch, [entry(number, name=f"s{number}", parent=parent, **DONE) for number, parent in parents.items()])
    found = rows(launch)
    assert {row["name"] for row in found} == {f"s{number}" for number in parents}
    assert all(row["parent"] is None or row["parent"] < row["id"] for row in found)


def test_many_rows_are_counted_by_function(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(folding, "MOST_ROWS", 10)
    monkeypatch.setattr(folding, "MOST_FUNCTIONS", 2)
    launch = Launch().start().exit()
    told(launch, [entry(k, name=f"f{k % 4}", function=f"f{k % 4}", parameters={"k": k}, **DONE) for k in range(1, 101)])
    found = rows(launch)
    assert len(found) == 13
    assert sum(row["count"] for row in found) == 100
    assert found[-1]["name"] == folding.OTHERS


HOSTILE: list[Any] = [
    7,
    {},
    {"id": -1, "name": "x"},
    {"id": "1", "name": "x"},
    {"id": 1},
    {"id": 1, "name": 7},
    {"id": 1, "name": "x" * 2000},
]


def test_entries_that_say_nothing_are_left_out() -> None:
    launch = Launch().start().exit()
    told(launch, HOSTILE)
    assert rows(launch) == []


def test_members_that_are_not_what_they_must_be_are_left_out() -> None:
    odd = {"parameters": {"x": "y" * 9000}, "used": [1], "tags": {"a": 1}, "code": "zz", "status": "?", "count": 1.5}
    event = border.normal({"event": "step", "time": 1, "rank": 0, "pid": 1, "entries": [{"id": 1, "name": "x"} | odd]})
    assert event is not None
    assert event["entries"] == [{"id": 1, "name": "x"}]


def test_deep_nesting_does_not_end_the_fold() -> None:
    launch = Launch().start().exit()
    for first in range(1, 5001, 50):
        told(launch, [entry(k, parent=k - 1, name=f"n{k}", **DONE) for k in range(first, first + 50)])
    found = rows(launch)
    assert len(found) == 5000
    assert json.dumps(found)
