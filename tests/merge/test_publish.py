"""From a run's directory to its record: one rename, two mergers, a kill at any moment, a full disk, late frames."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import pytest
from record_check import check_record, read_record

from hpcprov.merge import publish
from hpcprov.merge.find import find_record, record_directories, run_ids
from hpcprov.merge.publish import merge_run, refresh
from hpcprov.merge.seal import verify_seal
from hpcprov.merge.settle import settle_run, settle_stale
from hpcprov.record.errors import BadRecord, NoSuchRun, StillRunning
from hpcprov.record.layout import Store

from .build import BEGAN, SECOND, Launch, append

MERGE = (
    "import sys; from hpcprov.merge.publish import merge_run; from hpcprov.record.layout import Store; "
    "merge_run(Store(sys.argv[1]), 'r1')"
)


@pytest.fixture
def store(tmp_path: Path) -> Store:
    (tmp_path / "runs").mkdir()
    return Store(str(tmp_path))


def good(node: str = "n1", **common: Any) -> Launch:
    return Launch(node, **common).start().exit().agent().fact("user", {"name": "ada"}).ended(1)


def only(store: Store) -> str:
    (place,) = record_directories(store)
    return place


def columns(record: dict[str, Any]) -> dict[str, list[Any]]:
    table: dict[str, list[Any]] = record["ranks"]["columns"]
    return table


def test_a_run_becomes_a_record_and_nothing_else_is_left(store: Store) -> None:
    good().print(0, 1, "hello\n").write(store.run("r1"))
    os.makedirs(store.ticket("r1", 0))
    os.makedirs(store.claims("r1"))
    Path(store.claims("r1"), "0-abc").write_text("n1")
    Path(store.share("r1", "n1")).write_bytes(b"x")
    log = Path(store.log("r1", good().name)).read_bytes()
    assert merge_run(store, "r1") == [f"{store.records}/2026/11/18/r1"]
    place = only(store)
    assert sorted(os.listdir(place)) == ["n1.100-4999000.0.log", "n1.100-4999000.0.out", "record.json"]
    assert Path(place, good().name).read_bytes() == log
    assert os.listdir(store.runs) == []
    record = read_record(place)
    assert record["revision"] == 1 and record["run"]["status"] == "completed" and record["run"]["user"]["name"] == "ada"
    assert [file["name"] for file in record["output"]["files"]] == ["n1.100-4999000.0.out"]


def test_the_umask_holds(store: Store) -> None:
    good().write(store.run("r1"))
    before = os.umask(0o027)
    try:
        (place,) = merge_run(store, "r1")
    finally:
        os.umask(before)
    assert os.stat(os.path.join(place, "record.json")).st_mode & 0o777 == 0o640
    assert os.stat(os.path.dirname(place)).st_mode & 0o777 == 0o750


def test_what_is_merged_already_is_found(store: Store) -> None:
    good().write(store.run("r1"))
    assert merge_run(store, "r1") == merge_run(store, "r1")


def test_what_never_was_is_said(store: Store) -> None:
    with pytest.raises(NoSuchRun, match="'r9'"):
        merge_run(store, "r9")


def test_things_with_a_logs_name_that_are_no_files(store: Store) -> None:
    good().write(store.run("r1"))
    os.mkfifo(store.log("r1", "n2.1-1.0.log"))
    os.mkdir(store.log("r1", "n3.1-1.0.log"))
    os.symlink("/etc/passwd", store.log("r1", "n4.1-1.0.log"))
    (place,) = merge_run(store, "r1")
    assert [log["name"] for log in json.loads(Path(place, "record.json").read_bytes())["seal"]["logs"]] == [good().name]


def test_the_day_of_a_log_without_a_single_event_is_that_of_the_file(store: Store) -> None:
    Launch().write(store.run("r1"))
    os.utime(store.log("r1", Launch().name), (86400 * 3, 86400 * 3))
    (place,) = merge_run(store, "r1")
    assert place.endswith("1970/01/04/r1")
    assert read_record(place)["run"]["start"] is None


def test_two_launches_of_one_id_are_two_runs(store: Store) -> None:
    for minute, launch in enumerate(["100-1", "200-2", "300-3"]):
        began = {"launch_time": BEGAN + minute * 60 * SECOND}
        Launch("n1", launch, size=2).start(0, **began).exit(0).write(store.run("r1"))
        Launch("n2", launch, size=2).start(1, at=minute * 60, **began).exit(1, at=minute * 60 + 9, code=minute).write(
            store.run("r1")
        )
    places = merge_run(store, "r1")
    assert [os.path.basename(place) for place in places] == ["r1", "r1~2", "r1~3"]
    records = [read_record(place) for place in places]
    assert [record["run"]["id"] for record in records] == ["r1", "r1~2", "r1~3"]
    assert [record["run"]["given"] for record in records] == ["r1"] * 3
    assert [columns(record)["code"] for record in records] == [[0, 0], [0, 1], [0, 2]]
    assert os.listdir(store.runs) == []


def test_an_id_that_comes_round_again_later(store: Store) -> None:
    for number in range(3):
        Launch("n1", f"{number}-{number}").start(
            at=number * 86400, launch_time=BEGAN + number * 86400 * SECOND
        ).exit().write(store.run("r1"))
        merge_run(store, "r1")
    assert sorted(os.path.relpath(place, store.records) for place in record_directories(store)) == [
        "2026/11/18/r1",
        "2026/11/19/r1~2",
        "2026/11/20/r1~3",
    ]


def test_a_late_log_of_another_node_joins_its_record(store: Store) -> None:
    Launch("n1", size=2).start(0).exit(0).write(store.run("r1"))
    (place,) = merge_run(store, "r1")
    first = read_record(place)
    assert first["run"]["status"] == "incomplete" and first["ranks"]["missing"] == [[1, 1]]
    Launch("n2", "7-7", size=2).start(1).exit(1).write(store.run("r1"))
    assert merge_run(store, "r1") == [place]
    second = read_record(place)
    assert (second["revision"], second["run"]["status"], columns(second)["rank"]) == (2, "completed", [0, 1])
    assert second["seal"]["previous"] == first["seal"]["record"]
    assert check_record(json.loads(Path(place, "record.1.json").read_bytes())) == first
    assert os.listdir(store.runs) == []


def test_a_late_rank_of_the_same_node_joins_under_another_name(store: Store) -> None:
    for rank in range(3):
        Launch(size=3).start(rank).exit(rank).write(store.run("r1"))
        merge_run(store, "r1")
    place = only(store)
    assert sorted(os.listdir(place)) == [
        "n1.100-4999000.0.late1.log",
        "n1.100-4999000.0.late2.log",
        "n1.100-4999000.0.log",
        "record.1.json",
        "record.2.json",
        "record.json",
    ]
    assert columns(read_record(place))["rank"] == [0, 1, 2]


def test_late_frames_make_a_new_revision_when_the_record_is_next_read(store: Store) -> None:
    Launch().start().write(store.run("r1"))
    (place,) = merge_run(store, "r1")
    assert refresh(store, place)["revision"] == 1
    append(os.path.join(place, Launch().name), Launch().exit(code=3).data)
    record = refresh(store, place)
    assert record == read_record(place) == refresh(store, place)
    assert (record["revision"], record["run"]["status"]) == (2, "failed")
    assert sorted(name for name in os.listdir(place) if "record" in name) == ["record.1.json", "record.json"]


def test_frames_of_a_writer_that_still_lives_wait(store: Store) -> None:
    Launch().start().write(store.run("r1"))
    (place,) = merge_run(store, "r1")
    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    append(os.path.join(place, Launch().name), Launch().agent(pid=os.getpid(), ticks=ticks).data)
    assert refresh(store, place)["revision"] == 1


def test_a_record_directory_without_a_record_gets_one(store: Store) -> None:
    good().write(store.run("r1"))
    (place,) = merge_run(store, "r1")
    os.unlink(os.path.join(place, "record.json"))
    assert refresh(store, place)["revision"] == 1
    assert read_record(place)["run"]["status"] == "completed"


@pytest.mark.parametrize(
    "text", ["", "{", "[]", '{"format":"hpcprov-record","version":2}', '{"format":"x"}', "[" * 100_000]
)
def test_a_damaged_record_is_named(store: Store, text: str) -> None:
    good().write(store.run("r1"))
    (place,) = merge_run(store, "r1")
    Path(place, "record.json").write_text(text)
    with pytest.raises(BadRecord, match=r"record\.json"):
        refresh(store, place)


def test_a_changed_record_does_not_fit_its_seal(store: Store) -> None:
    good().write(store.run("r1"))
    record = read_record(merge_run(store, "r1")[0])
    assert verify_seal(record)
    assert not verify_seal(record | {"revision": 2})
    assert not verify_seal(record | {"seal": record["seal"] | {"previous": record["seal"]["record"]}})
    assert not verify_seal(record | {"seal": None})


class TestOwnLaunchOnly:
    """An agent knows that its own launch is over, and nothing of others in the same directory."""

    def living(self, launch: str = "200-2") -> Launch:
        ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
        return Launch("n1", launch).start(pid=os.getpid(), ticks=ticks, launch_time=BEGAN + 60 * SECOND)

    def test_a_living_launch_is_left_alone(self, store: Store) -> None:
        good().write(store.run("r1"))
        self.living().write(store.run("r1"))
        (place,) = merge_run(store, "r1", log=good().name)
        assert os.path.basename(place) == "r1~2"
        assert read_record(place)["run"]["status"] == "completed"
        assert os.listdir(store.run("r1")) == [self.living().name]

    def test_its_own_is_merged_although_its_agent_lives(self, store: Store) -> None:
        own = self.living().exit(pid=os.getpid()).write(store.run("r1"))
        with pytest.raises(StillRunning):
            settle_run(store, "r1")
        (place,) = merge_run(store, "r1", log=own.name)
        assert read_record(place)["run"]["id"] == "r1"

    def test_a_late_log_joins_a_launch_that_lives_without_ending_it(self, store: Store) -> None:
        self.living().write(store.run("r1"))
        good().write(store.run("r1~2"))
        late = Launch("n2", "7-7", size=2).start(1, launch_time=BEGAN).write(store.run("r1~2"))
        other = Launch("n2", "8-8", size=2).start(1, launch_time=BEGAN + 60 * SECOND).exit(1).write(store.run("r1~3"))
        assert merge_run(store, "r1~3") == []
        assert sorted(os.listdir(store.run("r1"))) == sorted([self.living().name, other.name])
        assert late.name in os.listdir(store.run("r1~2"))

    def test_another_one_that_is_over_is_merged_with_it(self, store: Store) -> None:
        good().write(store.run("r1"))
        own = self.living().exit(pid=os.getpid()).write(store.run("r1"))
        assert [os.path.basename(place) for place in merge_run(store, "r1", log=own.name)] == ["r1", "r1~2"]


def big(store: Store, ranks: int = 60) -> None:
    for node in range(3):
        launch = Launch(f"n{node}", size=3 * ranks)
        for rank in range(node * ranks, (node + 1) * ranks):
            launch.start(rank).env(rank, A="x" * 200, R=str(rank)).exit(rank)
        launch.write(store.run("r1"))


def start_merger(store: Store) -> subprocess.Popen[bytes]:
    return subprocess.Popen([sys.executable, "-c", MERGE, store.root], stderr=subprocess.PIPE)


@pytest.mark.parametrize("attempt", range(4))
def test_mergers_at_once_make_one_record_and_none_fails(store: Store, attempt: int) -> None:
    big(store)
    expected = check_record(publish.seal(_composed(store) | {"revision": 1}, _logs(store), previous=None))
    mergers = [start_merger(store) for _ in range(4)]
    answers = [(merger.communicate()[1], merger.returncode) for merger in mergers]
    assert answers == [(b"", 0)] * 4
    assert read_record(only(store)) == expected
    assert os.listdir(store.runs) == []


def _logs(store: Store) -> Any:
    return publish.read_run(store.run("r1"))


def _composed(store: Store) -> dict[str, Any]:
    return publish.compose(publish.Group(_logs(store)), run_id="r1")


def test_mergers_at_once_of_an_id_used_twice_keep_every_rank_once(store: Store) -> None:
    for launch, minute in (("100-1", 0), ("200-2", 1)):
        for node in range(4):
            began = {"launch_time": BEGAN + minute * 60 * SECOND}
            Launch(f"n{node}", launch, size=4).start(node, **began).exit(node, code=0).write(store.run("r1"))
    mergers = [start_merger(store) for _ in range(4)]
    assert [(merger.communicate()[1], merger.returncode) for merger in mergers] == [(b"", 0)] * 4
    settle_stale(store)
    assert run_ids(store) == []
    records = [refresh(store, place) for place in record_directories(store)]
    assert sorted(columns(record)["rank"] for record in records) == [[0, 1, 2, 3]] * 2
    assert sorted(record["run"]["id"] for record in records) == ["r1", "r1~2"]


@pytest.mark.parametrize("times", [10, pytest.param(150, marks=pytest.mark.slow)])
def test_a_merger_killed_at_any_moment_leaves_what_the_next_one_finishes(tmp_path: Path, times: int) -> None:
    dice = random.Random(times)
    for attempt in range(times):
        store = Store(str(tmp_path / str(attempt)))
        big(store)
        merger = start_merger(store)
        time.sleep(dice.uniform(0.04, 0.2))
        merger.kill()
        merger.communicate()
        settle_stale(store)
        assert run_ids(store) == []
        assert columns(read_record(only(store)))["rank"] == list(range(180))


def test_a_kill_before_any_step_of_publishing_can_be_finished(tmp_path: Path) -> None:
    """Every rename, open, mkdir and sync in turn is where the process ends; what is left must be settled whole."""
    for number in range(200):
        store = Store(str(tmp_path / str(number)))
        for launch in ("100-1", "200-2"):
            Launch("n1", launch, size=2).start(0, launch_time=BEGAN + int(launch[0]) * SECOND).exit(0).write(
                store.run("r1")
            )
        os.makedirs(store.ticket("r1", 0))
        pid = os.fork()
        if not pid:
            _die_at(number, store)
        died = os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1])
        assert died in (0, 9)
        outcomes = settle_stale(store)
        assert [outcome.reason for outcome in outcomes if outcome.reason] == []
        assert run_ids(store) == []
        records = [refresh(store, place) for place in record_directories(store)]
        assert sorted(record["run"]["id"] for record in records) == ["r1", "r1~2"]
        assert all(columns(record)["rank"] == [0] and verify_seal(record) for record in records)
        if died == 0:
            assert number > 10
            return
    raise AssertionError("publishing takes more steps than this test looks at")


def _die_at(number: int, store: Store) -> None:
    left = number

    def counted(name: str, *_: Any) -> None:
        nonlocal left
        if name in ("os.rename", "os.mkdir", "open", "os.remove", "os.rmdir", "os.link"):
            left -= 1
            if left < 0:
                os._exit(9)

    sys.addaudithook(counted)
    try:
        merge_run(store, "r1")
    except BaseException:
        os._exit(1)
    os._exit(0)


def test_no_room_for_the_record_leaves_the_logs_to_be_merged_later(store: Store) -> None:
    big(store)
    limited = (
        "import resource, signal; signal.signal(signal.SIGXFSZ, signal.SIG_IGN); "
        "resource.setrlimit(resource.RLIMIT_FSIZE, (4096, 4096)); "
    )
    failed = subprocess.run([sys.executable, "-c", limited + MERGE, store.root], capture_output=True, text=True)
    assert failed.returncode and "File too large" in failed.stderr
    assert run_ids(store) == ["r1"] and not [name for name in os.listdir(store.runs) if name != "r1"]
    assert "record.json" not in os.listdir(store.run("r1"))
    (place,) = merge_run(store, "r1")
    assert columns(read_record(place))["rank"] == list(range(180))


@pytest.mark.skipif(os.geteuid() != 0, reason="only root can mount a small file system")
def test_a_full_file_system(tmp_path: Path) -> None:
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(tmp_path)], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting is not allowed here")
    try:
        store = Store(str(tmp_path / "s"))
        big(store, ranks=20)
        filler = tmp_path / "filler"
        with open(filler, "wb") as file, pytest.raises(OSError, match="No space"):
            while True:
                os.write(file.fileno(), bytes(4096))
        (outcome,) = settle_stale(store)
        assert outcome.reason == "r1 cannot be settled: No space left on device"
        filler.unlink()
        (outcome,) = settle_stale(store)
        assert outcome.reason is None and read_record(outcome.records[0])["ranks"]["count"] == 60
    finally:
        subprocess.run(["umount", str(tmp_path)], check=True)


def test_find_record_does_not_follow_links(store: Store, tmp_path: Path) -> None:
    os.makedirs(os.path.join(store.records, "2026", "11", "18"))
    os.symlink("/etc", os.path.join(store.records, "2026", "11", "18", "r1"))
    assert find_record(store, "r1") is None and list(record_directories(store)) == []
