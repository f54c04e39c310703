"""The steps on a run's page."""

from __future__ import annotations

from typing import Any

from hpcprov.commands.screen import Screen
from hpcprov.commands.step_page import MOST, steps


def step(number: int, parent: int | None = None, **keys: Any) -> dict[str, Any]:
    told = {"name": f"s{number}", "count": 1, "failed": 0, "ranks": [[0, 0]], "duration_s": 0.5, "status": "completed"}
    return told | {"error": None, "parameters": {}, "generated": []} | {"id": number, "parent": parent} | keys


def lines(*found: dict[str, Any], width: int = 80) -> list[str]:
    return [text for label, text in steps({"steps": list(found)}, Screen(width=width, colour=False))]


def test_an_old_record_has_no_steps() -> None:
    assert list(steps({}, Screen(width=80, colour=False))) == []


def test_steps_stand_below_those_that_they_are_a_part_of() -> None:
    told = lines(step(1, name="main"), step(2, name="other"), step(3, 1, name="part", count=3))
    assert [line.rstrip() for line in told] == [
        "main         500 ms",
        "  part x 3   500 ms",
        "other        500 ms",
    ]


def test_what_went_wrong_what_it_took_and_what_it_made() -> None:
    (line,) = lines(
        step(
            1, status="failed", failed=1, error="ValueError", parameters={"k": 1, "m": {"type": "a.B"}}, ranks=[[0, 3]]
        ),
        width=200,
    )
    assert line.endswith("FAILED: ValueError  ranks 0-3  k=1, m=B")
    (line,) = lines(step(1, generated=["/data/a.nc", "memory:x#1"]), width=200)
    assert line.endswith("->  a.nc and 1 more")


def test_of_many_the_nearest_to_the_root_are_shown() -> None:
    found = [step(1), *(step(k, 1) for k in range(2, 40)), *(step(k, k - 1) for k in range(40, 200))]
    told = lines(*found)
    assert len(told) == MOST + 1
    assert told[-1] == f"... and {199 - MOST:,} more; 199 calls in all: --json has them"


def test_untrusted_text_is_made_safe() -> None:
    (line,) = lines(step(1, name="a\x1b[31m\nb\udcff", status="failed", error="E\x07", parameters={"\x1b": "\x1b"}))
    assert line.isprintable()
