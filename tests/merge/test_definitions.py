"""Definitions that Python programs told -> the member of a record."""

from __future__ import annotations

import random
from typing import Any

import pytest

from hpcprov.merge.fold import fold
from hpcprov.record import event as border
from tests.merge.build import Launch, normal
from tests.record_check import check_folded


def told(launch: Launch, *entries: Any, rank: int = 0, at: float = 1) -> Launch:
    return launch.add("definition", at, rank=rank, pid=70 + rank, ticks=5, entries=list(entries))


def entry(field: str = "depth", **keys: Any) -> dict[str, Any]:
    return {"path": "/data/out.h5", "field": field, "expression": "h * 2", "language": "python"} | keys


def rows(*launches: Launch) -> list[dict[str, Any]]:
    record = fold(normal(*launches), run_id="r1", over=True)
    check_folded(record)
    found: list[dict[str, Any]] = record.get("definitions", [])
    return found


def test_a_run_that_defines_nothing_has_no_such_member() -> None:
    assert "definitions" not in fold(normal(Launch().start().exit()), run_id="r1")


def test_equal_words_of_all_ranks_are_one_entry() -> None:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1)
    for rank in (0, 1):
        told(launch, entry(inputs=[{"path": "/data/in.h5", "field": "h"}], step="solve"), rank=rank, at=1 + rank)
    (row,) = rows(launch)
    assert (row["ranks"], row["time"][:19]) == ([[0, 1]], "2026-11-18T11:06:42")
    assert (row["inputs"], row["step"]) == ([{"path": "/data/in.h5", "field": "h"}], "solve")


def test_the_last_word_counts_whatever_the_order() -> None:
    launch = Launch(size=2).start(0).start(1).exit(0).exit(1)
    told(launch, entry(expression="h"), entry("speed"), at=1)
    told(launch, entry(expression="h * 3", context="by id"), rank=1, at=2)
    expected = rows(launch)
    assert [(row["field"], row["expression"], row["ranks"]) for row in expected] == [
        ("depth", "h * 3", [[1, 1]]),
        ("speed", "h * 2", [[0, 0]]),
    ]
    for seed in range(5):
        random.Random(seed).shuffle(launch.events)
        assert rows(launch) == expected


HOSTILE: list[Any] = [
    7,
    None,
    {},
    {"path": "/data/out.h5"},
    {"path": "", "expression": "x"},
    {"path": 7, "expression": "x"},
    {"path": "/x", "expression": ""},
    {"path": "/x", "expression": "x" * 5000},
    {"path": "/x" * 10_000, "expression": "x"},
]


@pytest.mark.parametrize("one", HOSTILE, ids=str)
def test_what_is_no_definition_is_left_out(one: Any) -> None:
    launch = told(Launch().start().exit(), one, entry())
    assert [row["field"] for row in rows(launch)] == ["depth"]


@pytest.mark.parametrize(
    "keys",
    [
        {"inputs": "/data/in.h5"},
        {"inputs": [{"path": "", "field": ""}]},
        {"inputs": [{"path": "/a", "field": "b", "more": 1}]},
        {"inputs": [{"path": "/a", "field": ""}] * 257},
        {"language": "perl"},
        {"context": 3},
        {"step": "x" * 5000},
    ],
    ids=lambda keys: next(iter(keys)),
)
def test_what_is_wrong_in_one_is_not_said(keys: dict[str, Any]) -> None:
    (row,) = rows(told(Launch().start().exit(), entry(**keys)))
    assert (row["inputs"], row["context"], row["step"]) == ([], None, None)
    assert row["language"] in ("python", "text")


def test_surrogates_and_markup_come_through_as_they_are() -> None:
    name = "a\udcff<b>\x1b[31m\n=1+1"
    event = told(Launch().start().exit(), entry(name, expression=name)).events[-1]
    kept = border.normal(event)
    assert kept is not None
    assert kept["entries"][0]["expression"] == name
    (row,) = rows(told(Launch().start().exit(), entry(name, expression=name)))
    assert (row["field"], row["expression"]) == (name, name)
