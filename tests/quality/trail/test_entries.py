"""Entries of a trail: what they say of a run, how long they get, and what is made of what anybody wrote."""

from __future__ import annotations

import json
from typing import Any

import pytest

from hpcprov.quality.trail.chain import CHANGED, FIRST, FOLLOWS, GAP, SAME, UNCHECKED, UNKNOWN, UNSIGNED, chain
from hpcprov.quality.trail.entries import (
    DROPPED,
    MOST_OCTETS,
    audit_with,
    before_of,
    entries_of,
    entry_of,
    has,
    history_with,
    is_list,
    line_of,
)

RUN: dict[str, Any] = {
    "id": "20261121T093000Z-1f2e3d4c", "start": "2026-11-21T09:30:00.123456789Z", "user": {"name": "ada", "uid": 1},
    "argv": ["/usr/bin/python", "solve.py", "a b"], "name": None, "note": None,
}  # fmt: skip
RECORD: dict[str, Any] = {"run": RUN, "nodes": [{"host": "n1"}, {"host": "n2"}], "artifacts": {"used": []}}


def entry(run: str = "r", before: str | None = None, after: str | None = "s", **more: Any) -> dict[str, Any]:
    return {**entry_of(RECORD, "/data/out.h5"), "run": run, "before": before, "after": after, **more}


def test_what_an_entry_says() -> None:
    assert entry_of(RECORD, "/data/out.h5") == {
        "run": "20261121T093000Z-1f2e3d4c",
        "time": "2026-11-21T09:30:00Z",
        "host": "n1 and 1 more",
        "user": "ada",
        "command": "/usr/bin/python solve.py 'a b'",
        "session": "2026/11/21/20261121T093000Z-1f2e3d4c",
        "line": 1,
        "did": "written by python solve.py",
    }


def test_a_run_of_which_little_is_known() -> None:
    run = {**RUN, "start": None, "user": None, "argv": None}
    found = entry_of({**RECORD, "run": run, "nodes": []}, "/data/out.h5")
    assert (found["time"], found["host"], found["user"], found["session"], found["command"]) == (*[None] * 4, "")


@pytest.mark.parametrize(
    ("more", "expected"),
    [
        ({"note": "with new albedo"}, "with new albedo"),
        ({"name": "spinup"}, "spinup"),
        ({"argv": ["./model", "-n"]}, "written by model"),
        ({"argv": []}, "written by a run"),
        ({"tags": {"rule": "process"}}, "rule process"),
        (
            {"argv": ["/bin/bash", "-c", "set -euo pipefail;  python /a/process.py x.csv"]},
            "written by python process.py",
        ),
        ({"argv": ["python", "-c", "import xarray as xr"]}, "written by python"),
        ({"argv": ["bash", "-c", ""]}, "written by bash"),
        ({"argv": ["bash", "-c"]}, "written by bash"),
    ],
)
def test_what_a_run_did(more: dict[str, Any], expected: str) -> None:
    assert entry_of({**RECORD, "run": {**RUN, **more}}, "/data/out.h5")["did"] == expected


def test_definitions_say_best_what_was_done() -> None:
    told = [
        {"path": "/data/out.h5", "real": "/data/out.h5", "field": "depth", "expression": "h * 2"},
        {"path": "/link/out.h5", "real": "/data/out.h5", "field": "u", "expression": "v"},
        {"path": "/data/other.h5", "real": "/data/other.h5", "field": "x", "expression": "y"},
    ]
    assert entry_of({**RECORD, "definitions": told}, "/data/out.h5")["did"] == "depth = h * 2; u = v"
    assert entry_of(RECORD, "/data/out.h5", did="mine")["did"] == "mine"


@pytest.mark.parametrize(
    ("run", "line"),
    [("20261121T093000Z-1f2e3d4c", 1), ("slurm-alps-4711.0-r1.2", 3), ("mpi-1.0", 1), ("mpi-1.4~2", 5), ("v1.x", 1)],
)
def test_the_line_of_a_session(run: str, line: int) -> None:
    assert line_of(run) == line


def test_what_the_run_found() -> None:
    used = [
        {"path": "/data/out.h5", "digest": "old", "mtime": 5},
        {"path": "/data/in.h5", "digest": "input", "mtime": 6},
        {"path": "/data/over.h5", "digest": None, "mtime": 7},
    ]
    assert before_of(used, "/data/out.h5", []) == "old"
    assert before_of(used, "/data/new.h5", []) is None
    assert before_of(used, "/data/new.h5", [entry(after="input")]) == "input"  # its attributes came along
    assert before_of(used, "/data/new.h5", [entry(after="another")]) is None
    assert before_of(used, "/data/over.h5", [entry(after="known", mtime=7)]) == "known"  # written over, then signed
    assert before_of(used, "/data/over.h5", [entry(after="known", mtime=8)]) is None
    assert before_of(used, "/data/over.h5", []) is None


def test_entries_come_back() -> None:
    text = audit_with(entries_of(audit_with([], entry("a"))), entry("b", "s", "t"))
    assert [(one["run"], one["before"], one["after"]) for one in entries_of(text)] == [
        ("a", None, "s"),
        ("b", "s", "t"),
    ]
    assert text.isascii()
    assert has(entries_of(text), entry("b", None, "t"))
    assert not has(entries_of(text), entry("b", None, "u"))


def test_a_long_trail_keeps_its_first_and_its_last_entries() -> None:
    text = "[]"
    for number in range(260):
        text = audit_with(entries_of(text), entry(f"run{number}"))
        assert len(text) <= MOST_OCTETS
    found = entries_of(text)
    kept = [one["run"] for one in found if DROPPED not in one]
    assert (kept[0], kept[-1], DROPPED in found[1]) == ("run0", "run259", True)
    assert found[1][DROPPED] + len(kept) == 260
    assert kept[1:] == [f"run{number}" for number in range(261 - len(kept), 260)]


@pytest.mark.parametrize("text", [None, "", "nonsense", "{}", "3", '[1, "x", null]', "[" * 5000])
def test_what_is_no_trail(text: str | None) -> None:
    assert entries_of(text) == []
    assert is_list(text) == (text in (None, "", '[1, "x", null]'))


def test_thousands_of_entries_are_dropped_at_once() -> None:
    """One by one, each with all that are left written anew, this took minutes."""
    many = entries_of(json.dumps([{} for _ in range(9_000)]))
    text = audit_with(many, entry("last"))
    found = entries_of(text)
    assert (len(many), found[1][DROPPED] + len(found) - 1, found[-1]["run"]) == (9_000, 9_001, "last")
    assert MOST_OCTETS - 1_000 < len(text) <= MOST_OCTETS


def test_hostile_entries() -> None:
    hostile = {"run": 5, "time": ["x"], "did": "x" * 100_000, "line": 1 << 70, "dropped": -1, "after": {"a": 1}}
    (found,) = entries_of(json.dumps([hostile, 7]))
    assert (found["run"], found["time"], found["line"], found["after"]) == (None, None, None, None)
    assert entry_of(RECORD, "x").keys() | {"before", "after", "mtime"} == found.keys()
    assert len(found["did"]) == 4000
    assert DROPPED not in found


def test_history_is_one_line_a_run_the_newest_first() -> None:
    line = "2026-11-21T09:30:00Z /usr/bin/python solve.py 'a b' (hpcprov r)"
    assert history_with(None, entry()) == line
    assert history_with("2020 born", entry()) == f"{line}\n2020 born"
    assert history_with("x" * MOST_OCTETS, entry()) is None
    found = history_with("old", entry(command="./model $'a\nb\x1b[31m'"))
    assert found is not None
    assert (found.count("\n"), "\x1b" in found) == (1, False)


@pytest.mark.parametrize(
    ("befores", "afters", "now", "links", "word"),
    [
        ([None], ["a"], "a", [FIRST], SAME),
        ([None, "a"], ["a", "b"], "b", [FIRST, FOLLOWS], SAME),
        ([None, "x"], ["a", "b"], "b", [FIRST, GAP], SAME),
        ([None, None], ["a", "b"], "c", [FIRST, UNSIGNED], CHANGED),
        ([None, None], ["a", "a"], "a", [FIRST, FOLLOWS], SAME),
        ([None, "a"], [None, "b"], "b", [FIRST, UNKNOWN], SAME),
        ([None], ["a"], None, [FIRST], UNCHECKED),
        ([], [], "a", [], UNCHECKED),
    ],
)
def test_chain(befores: list[Any], afters: list[Any], now: str | None, links: list[str], word: str) -> None:
    found = chain([entry("r", before, after) for before, after in zip(befores, afters, strict=True)], now)
    assert (found.links, found.now) == (links, word)
    assert found.is_whole == (GAP not in links and word != CHANGED)


def test_where_entries_were_dropped_nothing_is_known() -> None:
    entries = entries_of(json.dumps([entry("a"), {DROPPED: 3}, entry("e", "d", "e")]))
    assert chain(entries, "e").links == [FIRST, UNKNOWN, UNKNOWN]
