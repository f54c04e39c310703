"""The programs of a node: a tree of rows, bounded whatever is started."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.capture.observed import area
from hpcprov.capture.observed.programs import MOST_COUNTED, MOST_INSTANCES, MOST_RANKS, MOST_ROWS, exit_code
from tests.capture.observed.records import BEGIN, CWD, READ, access, latest, observed, program, record


def rows(*records: bytes, **more: Any) -> list[dict[str, Any]]:
    events = observed(*records, **more).events(True)
    return [entry for event in events if event["event"] == "program" for entry in event["entries"]]


def end(child: int, status: int = 0, **more: Any) -> bytes:
    return record(area.END, a=status | child << 32, **more)


def test_one_program() -> None:
    assert rows(program(1, b"cp", b"a", b"b", rank=3, moment=5), end(101, 256, moment=9)) == [
        {
            "id": 1, "parent": 0, "path": "/usr/bin/cp", "argv": ["cp", "a", "b"], "cwd": CWD, "count": 1,
            "ranks": [[3, 3]], "began": BEGIN + 5, "ended": None, "exits": {}, "sha256": "digest of /usr/bin/cp",
            "blind": None,
        }
    ]  # fmt: skip


def test_its_end_is_that_of_its_process() -> None:
    (row,) = rows(program(1, b"cp", rank=3, pid=7, moment=5), end(7, 256, moment=9))
    assert (row["ended"], row["exits"]) == (BEGIN + 9, {"1": 1})


@pytest.mark.parametrize(("status", "code"), [(0, 0), (256, 1), (0xFF00, 255), (9, -9), (0x8B, -11), (15, -15)])
def test_the_status_of_wait(status: int, code: int) -> None:
    assert exit_code(status) == code


def test_equal_programs_of_many_ranks_are_one_row() -> None:
    begun = [program(10 + rank, b"app", b"x", rank=rank, pid=50 + rank, moment=rank) for rank in range(4)]
    children = [program(20 + rank, b"cp", parent=10 + rank, rank=rank, pid=60 + rank) for rank in range(4)]
    ends = [end(50 + rank, 0 if rank else 9, instance=10 + rank, moment=90 + rank) for rank in range(4)]
    app, copy = rows(*begun, *children, *ends)
    assert (app["id"], app["count"], app["ranks"], app["exits"]) == (10, 4, [[0, 3]], {"-9": 1, "0": 3})
    assert (app["began"], app["ended"]) == (BEGIN, BEGIN + 93)
    assert (copy["parent"], copy["count"], copy["ended"]) == (10, 4, None)


def test_a_program_that_executes_another_one_has_ended() -> None:
    first, second = rows(program(1, b"env", pid=7), program(2, b"app", parent=1, pid=7, moment=3), end(7, moment=9))
    assert (first["ended"], first["exits"]) == (BEGIN + 3, {"0": 1})
    assert (second["ended"], second["exits"], second["parent"]) == (BEGIN + 9, {"0": 1}, 1)


def test_a_process_whose_number_another_had_before_ends_alone() -> None:
    first, second = rows(program(1, b"orphan", pid=7), program(2, b"app", parent=9, pid=7, moment=3), end(7, moment=9))
    assert (first["exits"], second["exits"]) == ({}, {"0": 1})


def test_a_process_may_execute_one_program_after_the_other() -> None:
    chain = [program(number, b"again", b"%d" % number, parent=number - 1, pid=7) for number in range(1, 100)]
    found = rows(*chain, end(7, 256))
    assert [row["exits"] for row in found] == [{}] * 82 + [{"1": 1}] * 17


def test_a_launcher_tells_the_end_of_its_application() -> None:
    (row,) = rows(program(1, b"app", rank=3, pid=7), end(7, 256, instance=0, pid=3))
    assert row["exits"] == {"1": 1}


def test_a_process_that_executed_nothing_ends_no_program() -> None:
    (row,) = rows(program(1, b"sh", pid=7), end(8), end(7, moment=9), end(7, 256, moment=20))
    assert (row["ended"], row["exits"]) == (BEGIN + 9, {"0": 1})


def test_numbers_of_processes_are_kept_apart_by_rank() -> None:
    first, second = rows(program(1, b"a", rank=0, pid=7), program(2, b"b", rank=1, pid=7), end(7, 256, instance=2))
    assert (first["exits"], second["exits"]) == ({}, {"1": 1})


def test_what_could_not_be_executed_did_not_run() -> None:
    announced = program(2, b"go", parent=1, pid=7, blind=5)
    seen = observed(program(1, b"sh", pid=7), announced, record(area.NOT_RUN, instance=2, pid=7))
    seen.feed(0, access(b"a", READ) + end(7, 256, moment=9), 0)
    (event, *more) = seen.events(True)
    (row,) = event["entries"]
    assert (row["path"], row["exits"]) == ("/usr/bin/sh", {"1": 1})
    assert [entry["programs"] for entry in latest(more).values()] == [[1]]
    assert seen.observation()["complete"] is True


@pytest.mark.parametrize(
    ("number", "word"),
    [(0, None), (1, "static"), (2, "set-id"), (3, "other abi"), (4, "sanitizer"), (5, "go"), (6, "launcher"),
     (7, "unreadable"), (8, "off"), (9, "container"), (10, "unreadable"), (0xFFFFFFFF, "unreadable")],
)  # fmt: skip
def test_why_a_program_is_blind(number: int, word: str | None) -> None:
    assert [row["blind"] for row in rows(program(1, blind=number))] == [word]


def test_secrets_are_not_told() -> None:
    (row,) = rows(program(1, b"curl", b"--token", b"s3cr3t", b"https://ada:pw@host/"))
    assert row["argv"] == ["curl", "--token", "***", "https://***@host/"]


def test_a_long_command_line_is_cut() -> None:
    (row,) = rows(program(1, b"cat", *[b"x" * 100] * 100))
    assert len(row["argv"]) < 50
    assert row["argv"][-1] == "..."
    assert len(rows(program(1, b"cat", *[b""] * 900))[0]["argv"]) <= 200


def test_above_the_limit_programs_are_counted() -> None:
    storm = [program(number, b"cp", b"%d" % number, parent=1, pid=number) for number in range(2, MOST_ROWS + 502)]
    other = [program(7000 + number, b"x%d" % number) for number in range(MOST_COUNTED + 5)]
    seen = observed(program(1, b"sh"), *storm, access(b"a", READ, instance=MOST_ROWS + 300), *other)
    told = [entry for event in seen.events(True) if event["event"] == "program" for entry in event["entries"]]
    counted = seen.observation()["counted"]
    assert len(told) == MOST_ROWS
    assert counted[0] == {"path": "/usr/bin/cp", "blind": None, "count": 501}
    assert len(counted) == MOST_COUNTED
    assert seen.observation()["reasons"] == ["6 programs more ran that are not told of"]


def test_a_storm_of_forks_keeps_little() -> None:
    seen = observed(program(1, b"sh"))
    for start in range(0, 3 * MOST_INSTANCES, 1000):
        seen.feed(0, b"".join(program(start + n + 2, b"cp", parent=1, pid=start + n + 2) for n in range(1000)), 0)
    assert len(seen.programs.seats) <= MOST_INSTANCES
    assert len(seen.programs.running) <= MOST_INSTANCES
    assert len(seen.programs.rows) == 2
    assert seen.programs.seat(1) == (1, 1)


def test_more_ranks_than_are_told_apart() -> None:
    records = [program(rank + 1, b"app", rank=rank, pid=rank) for rank in range(MOST_RANKS + 10)]
    (row,) = rows(*records)
    assert (row["count"], row["ranks"]) == (MOST_RANKS + 10, [[0, MOST_RANKS - 1]])


@pytest.mark.parametrize("rank", [1 << 31, (1 << 32) - 1])
def test_a_rank_that_cannot_be(rank: int) -> None:
    assert rows(program(1, rank=rank)) == []


def test_an_unknown_program_s_files_are_told_without_it() -> None:
    (entry,) = latest(observed(access(b"a", READ, instance=9)).events(True)).values()
    assert (entry["programs"], entry["ranks"]) == ([], [])


def test_a_program_that_cannot_look_at_itself_is_told() -> None:
    blank = record(area.PROGRAM, b"", b"/", b"app", b=1 << 32, a=3 << 32)
    (event, *more) = observed(blank, access(b"a", READ)).events(True)
    assert [(row["path"], row["ranks"]) for row in event["entries"]] == [("app", [[3, 3]])]
    assert [entry["ranks"] for entry in latest(more).values()] == [[[3, 3]]]
    assert rows(record(area.PROGRAM, b"", b""))[0]["path"] == "unknown"
