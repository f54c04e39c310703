"""Settling: what is over gets its record, whatever was killed when; what may live is left alone."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from record_check import read_record

from hpcprov.merge.find import record_directories, run_ids
from hpcprov.merge.settle import settle_run, settle_stale
from hpcprov.record.errors import HpcprovError, NoSuchRun, StillRunning
from hpcprov.record.layout import Store

from .build import BEGAN, SECOND, Launch


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs").mkdir()
    return Store(str(tmp_path))


def living(launch: str = "200-2") -> Launch:
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    return Launch("n1", launch).start(pid=os.getpid(), ticks=ticks, launch_time=BEGAN + 60 * SECOND)


def test_what_is_over_is_settled_and_what_lives_is_not(store: Store) -> None:
    Launch().start().write(store.run("killed"))
    Launch().start().exit().write(store.run("ended"))
    living().write(store.run("living"))
    outcomes = {outcome.run_id: outcome for outcome in settle_stale(store)}
    assert run_ids(store) == ["living"]
    assert outcomes["living"].records == [] and "still running" in (outcomes["living"].reason or "")
    status = {os.path.basename(place): read_record(place)["run"]["status"] for place in record_directories(store)}
    assert status == {"killed": "incomplete", "ended": "completed"}
    assert [outcome.run_id for outcome in settle_stale(store)] == ["living"]


def test_nothing_to_settle(store: Store) -> None:
    assert settle_stale(store) == [] == settle_stale(Store("/no/where"))


def test_one_that_lives_is_refused_by_name_and_reason(store: Store) -> None:
    living().write(store.run("r1"))
    with pytest.raises(StillRunning, match=f"r1 may still be running: process {os.getpid()}"):
        settle_run(store, "r1")


def test_only_the_launch_that_is_over(store: Store) -> None:
    Launch().start().exit().write(store.run("r1"))
    living().write(store.run("r1"))
    (place,) = settle_run(store, "r1")
    assert os.path.basename(place) == "r1~2" and read_record(place)["run"]["given"] == "r1"
    assert os.listdir(store.run("r1")) == [living().name]


def test_an_empty_directory_goes(store: Store) -> None:
    os.makedirs(store.ticket("r1", 0))
    assert settle_run(store, "r1") == [] and run_ids(store) == []


def test_a_directory_with_foreign_files_is_named(store: Store) -> None:
    os.makedirs(store.run("r1"))
    Path(store.run("r1"), "notes.txt").write_text("mine")
    with pytest.raises(HpcprovError, match="r1 holds no log"):
        settle_run(store, "r1")
    assert settle_stale(store)[0].reason == "r1 holds no log"
    assert Path(store.run("r1"), "notes.txt").read_text() == "mine"


@pytest.mark.parametrize("name", ["a b", ".draft-x", "..x", "~2"])
def test_names_that_are_no_run_are_left_alone(store: Store, name: str) -> None:
    os.mkdir(os.path.join(store.runs, name))
    assert settle_stale(store) == [] and os.listdir(store.runs) == [name]


def test_links_and_files_in_the_place_of_runs_are_left_alone(store: Store, tmp_path: Path) -> None:
    (tmp_path / "elsewhere").mkdir()
    Launch().start().write(tmp_path / "elsewhere")
    os.symlink(tmp_path / "elsewhere", store.run("link"))
    Path(store.run("file")).write_text("")
    assert settle_stale(store) == []
    assert [path.name for path in (tmp_path / "elsewhere").iterdir()] == [Launch().name]


def test_a_run_that_never_was(store: Store) -> None:
    with pytest.raises(NoSuchRun, match="'r7'"):
        settle_run(store, "r7")


def test_old_drafts_are_swept_and_new_ones_are_not(store: Store) -> None:
    old, new = (os.path.join(store.runs, f".draft-{k}") for k in "ab")
    for path in (old, new):
        Path(path).write_text("")
    os.utime(old, (0, 0))
    settle_stale(store)
    assert os.listdir(store.runs) == [".draft-b"]


def test_who_settles_and_when_leaves_no_trace(store: Store, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other"))
    for place in (store, other):
        Launch().start().write(place.run("r1"))
    first, second = settle_run(store, "r1"), settle_run(other, "r1")
    assert Path(first[0], "record.json").read_bytes() == Path(second[0], "record.json").read_bytes()
