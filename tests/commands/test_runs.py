"""`hpcprov runs`: what is listed, filtered, cut."""

from __future__ import annotations

import argparse
import json
import os
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from merge.build import Launch

from hpcprov.commands import runs as command
from hpcprov.commands.screen import Screen, duration, size
from hpcprov.merge.find import record_directories, run_ids
from hpcprov.record.layout import Store

from .conftest import Call, publish

ALL = ["lost-run", "slurm-alps-4711.1", "slurm-alps-4711.0", "first"]


def ids(call: Call, *words: str) -> list[str]:
    status, out, err = call("runs", "--json", *words)
    assert (status, err) == (0, "")
    return [run["id"] for run in json.loads(out)]


def test_newest_first_and_what_is_over_is_settled(call: Call, runs: Store) -> None:
    assert run_ids(runs) == ["lost-run"]
    assert ids(call) == ALL
    assert run_ids(runs) == []


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        (["--name", "ocean"], ["slurm-alps-4711.0"]),
        (["--name", "o*", "--name", "spin-*"], ["slurm-alps-4711.0", "first"]),
        (["--tag", "case"], ALL),
        (["--tag", "case=b"], ["slurm-alps-4711.0"]),
        (["--tag", "case=b", "--tag", "x=1"], ["slurm-alps-4711.0"]),
        (["--tag", "case=b", "--tag", "x=2"], []),
        (["--status", "failed"], ["slurm-alps-4711.0"]),
        (["--status", "failed", "--status", "incomplete"], ["lost-run", "slurm-alps-4711.0"]),
        (["--since", "2026-11-20"], ["lost-run", "slurm-alps-4711.1"]),
        (["--until", "2026-11-20"], ["slurm-alps-4711.0", "first"]),
        (["--since", "2026-11-19T11:06:40Z", "--until", "2026-11-19T11:06:41Z"], ["slurm-alps-4711.0"]),
        (["--since", "2026-11-19 11:06"], ALL[:3]),
        (["--limit", "2"], ALL[:2]),
        (["--name", "nothing"], []),
    ],
)
def test_filters(call: Call, runs: Store, words: list[str], expected: list[str]) -> None:
    assert ids(call, *words) == expected


@pytest.mark.parametrize(
    ("text", "seconds"), [("90s", 90), ("90min", 5400), ("6h", 21600), ("2d", 172800), ("1w", 604800)]
)
def test_ages(text: str, seconds: int) -> None:
    assert abs(time.time() - seconds - command.moment(text)) < 5


@pytest.mark.parametrize("text", ["", "d", "-1d", "1.5d", "2026", "2026-02-30", "tomorrow", "٣d"])
def test_what_is_no_time(text: str) -> None:
    with pytest.raises(argparse.ArgumentTypeError, match="is neither a date"):
        command.moment(text)


def test_the_table(call: Call, runs: Store) -> None:
    status, out, _ = call("runs")
    lines = out.splitlines()
    assert status == 0 and lines[0].split() == ["RUN", "NAME", "STATUS", "START", "TOOK", "RANKS", "COMMAND"]
    assert lines[3].split()[:3] == ["slurm-alps-4711.0", "ocean", "failed"] and lines[3].endswith("./model -v")
    assert "\x1b" not in out, "no colours where there is no terminal"


def test_no_runs(call: Call) -> None:
    assert call("runs") == (0, "no runs\n", "") and call("runs", "--json") == (0, "[]\n", "")


def test_an_empty_answer_says_what_was_searched(call: Call, runs: Store) -> None:
    status, out, err = call("runs", "--name", "nobody", "--kind", "job", "--since", "2026-11-21T00:00Z")
    assert (status, out) == (0, "no runs\n")
    assert err.startswith("hpcprov: nothing found among 4 runs in ")
    assert err.endswith(": name nobody; kind job; since 2026-11-21 00:00:00\n")


def test_commands_can_be_read_on_80_columns(call: Call, runs: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    wide = call("runs")[1].splitlines()[0].split()
    monkeypatch.setenv("COLUMNS", "80")
    narrow = call("runs")[1].splitlines()
    assert [name for name in wide if name not in narrow[0].split()] == ["TOOK", "RANKS"]
    assert narrow[3].endswith("./model -v") and max(map(len, narrow)) <= 80


@pytest.mark.parametrize("width", [40, 60, 80, 200])
def test_the_table_is_as_wide_as_the_screen(width: int) -> None:
    row = {
        "id": "x" * 80,
        "kind": "command",
        "name": "n" * 50,
        "status": "out of memory",
        "start": None,
        "duration_s": 5,
        "ranks": 3,
        "missing": 1,
        "argv": ["a" * 500],
    }
    lines = command.table([row] * 3, Screen(colour=False, width=width))
    assert max(map(len, lines)) <= max(width, 143)


def test_untrusted_text_does_not_act(call: Call, store: Store) -> None:
    publish(store, "r1", Launch().start(name="\x1b[31m\u202eev\n", argv=["\x1b]0;x\x07", "\udcff"]).exit())
    _, out, _ = call("runs")
    assert "\\x1b[31m\\u202eev\\n" in out and not {"\x1b", "\u202e", "\x07"} & set(out)
    _, out, _ = call("show", "r1")
    assert not {"\x1b", "\u202e", "\x07"} & set(out)


def test_damage_hides_one_run_and_no_other(call: Call, runs: Store) -> None:
    (place,) = (path for path in record_directories(runs) if path.endswith("first"))
    Path(place, "record.json").write_text("{")
    _, out, told = call("runs", "--json")
    assert [run["id"] for run in json.loads(out)] == ALL[:3]
    assert told.startswith("hpcprov: 1 record could not be read: ") and "move record.json away" in told
    status, _, err = call("show", "first")
    assert status == 2 and "record.json is not JSON" in err


def test_a_store_that_cannot_be_written_to_is_still_read(call: Call, runs: Store) -> None:
    os.rename(runs.runs, runs.runs + "-gone")
    assert ids(call) == ALL[1:]


@pytest.mark.parametrize(
    ("seconds", "text"),
    [
        (None, "?"),
        (0.0014, "1 ms"),
        (0.9994, "999 ms"),
        (1, "1.0 s"),
        (59.4, "59.4 s"),
        (60, "1 min 0 s"),
        (3599, "59 min 59 s"),
        (3725, "1 h 2 min"),
        (90000, "25 h 0 min"),
        (200000, "2 d 7 h"),
    ],
)
def test_durations(seconds: float | None, text: str) -> None:
    assert duration(seconds) == text


@pytest.mark.parametrize(
    ("number", "text"),
    [(0, "0 B"), (999, "999 B"), (1000, "1 kB"), (1_500_000, "1.5 MB"), (10**18, "1 EB"), (10**22, "1e+04 EB")],
)
def test_sizes(number: int, text: str) -> None:
    assert size(number) == text


def _no_argv(run: dict[str, object]) -> None:
    del run["argv"]


@pytest.mark.parametrize(
    "damage",
    [
        lambda record: record.pop("seal"),
        lambda record: record["run"].update(start=5),
        lambda record: _no_argv(record["run"]),
        lambda record: record["ranks"]["columns"]["state"].append("lost"),
        lambda record: record.update(nodes=[{"node": "n", "facts": {"host": "sha256:0"}}]),
    ],
)
def test_a_record_that_lacks_something_is_told_and_hides_no_other(
    call: Call, runs: Store, damage: Callable[[dict[str, Any]], None]
) -> None:
    (place,) = (path for path in record_directories(runs) if path.endswith("first"))
    record = json.loads(Path(place, "record.json").read_text())
    damage(record)
    Path(place, "record.json").write_text(json.dumps(record))
    status, out, err = call("runs", "--json")
    assert status == 0 and [run["id"] for run in json.loads(out)] == ALL[:3]
    assert "1 record could not be read" in err and "is damaged" in err


def test_odd_directories_end_no_command(call: Call, runs: Store) -> None:
    os.mkdir(os.path.join(runs.runs, "a..b"))
    (place,) = (path for path in record_directories(runs) if path.endswith("first"))
    for name in os.listdir(place):
        os.unlink(os.path.join(place, name))
    status, out, err = call("runs", "--json")
    assert status == 0 and len(json.loads(out)) == 3 and "no log is left" in err
    assert call("settle", "--all")[0] == 0


def test_why_a_run_that_is_over_was_not_settled(call: Call, store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    Launch().start().exit().write(store.run("r1"))
    monkeypatch.setattr("hpcprov.merge.disk.put", full)
    status, out, err = call("show", "r1")
    assert status == 0 and "No space left on device" in err
    assert "completed" in out and "over and could not be settled" in out


def test_a_record_that_was_changed_is_marked(call: Call, store: Store) -> None:
    place = Path(publish(store, "r1", Launch().start().exit()), "record.json")
    place.write_text(place.read_text().replace('"spin"', '"spun"'))
    _, out, err = call("runs")
    assert "! r1 " in out and "changed since they were sealed: r1" in err
