"""However much is written, little is kept, and nothing takes long."""

from __future__ import annotations

import json

import pytest

from hpcprov.capture.observed import area, index, kept
from tests.capture.observed.records import (
    CWD,
    READ,
    WRITE,
    Disk,
    access,
    latest,
    observed,
    program,
    rename,
    unlink,
)

MOST = 300


@pytest.fixture(autouse=True)
def small(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(kept, "MOST_ENTRIES", MOST)
    monkeypatch.setattr(kept, "FOR_WRITTEN", 30)
    monkeypatch.setattr(kept, "RESERVE", 20)


def test_beyond_the_limit_directories_are_counted() -> None:
    files = [access(b"d%d/f%d" % (number % 7, number), READ) for number in range(1000)]
    seen = observed(*files, *[access(b"d1/w%d" % number, WRITE) for number in range(50)])
    entries = latest(seen.events(True))
    value = seen.observation()
    assert len(entries) + 7 + CWD.count("/") == MOST + 30
    assert len(entries) + sum(row["read"] + row["written"] for row in value["directories"]) == 1050
    assert value["directories"][0]["path"] == f"{CWD}/d1"
    assert value["directories"][0]["written"] == 20
    assert value["classes"]["data"]["files"] == 1050


def test_directories_beyond_the_limit_too() -> None:
    seen = observed(*[access(b"d%d/e/f" % number, READ) for number in range(1000)])
    list(seen.events(True))
    assert sum(1 for _ in seen.index.top.walk()) <= MOST + 1
    (row, *_) = seen.observation()["directories"]
    assert row["path"] == CWD


def test_what_was_declared_and_stores_have_room_left() -> None:
    files = [access(b"f%d" % number, READ) for number in range(1000)]
    written = [access(b"w%d" % number, WRITE) for number in range(100)]
    late = [access(b"out/x.txt", WRITE), access(b"u.zarr/c/0", WRITE), access(b"late", WRITE)]
    entries = latest(observed(*files, *written, *late, declared=[f"{CWD}/out/x.txt"]).events(True))
    assert {f"{CWD}/out/x.txt", f"{CWD}/u.zarr"} <= entries.keys()
    assert f"{CWD}/late" not in entries


def test_what_is_written_has_room_left() -> None:
    files = [access(b"f%d" % number, READ) for number in range(1000)]
    before = [access(b"out/table.txt", READ), access(b"other/table.txt", READ)]
    late = [access(b"out/new/a", WRITE), access(b"total", WRITE), access(b"t", WRITE), rename(b"t", b"out/done")]
    entries = latest(observed(*files, *before, *late).events(True))
    assert {f"{CWD}/out/new/a", f"{CWD}/total", f"{CWD}/out/done"} <= entries.keys()
    assert not {f"{CWD}/out/table.txt", f"{CWD}/other/table.txt", f"{CWD}/t"} & entries.keys()


def test_many_that_are_written_leave_room_for_others(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index, "CROWDED", 200)
    tiles = [access(b"tiles/%d" % number, WRITE) for number in range(1000)]
    seen = observed(*tiles, access(b"summary", WRITE), access(b"d/e", WRITE))
    entries = latest(seen.events(True))
    assert {f"{CWD}/summary", f"{CWD}/d/e"} <= entries.keys()
    assert seen.observation()["classes"]["data"] == {"files": 1002}


def test_temporary_files_make_room() -> None:
    temporary = [access(b"/tmp/f%d" % number, WRITE) for number in range(1000)]
    seen = observed(*temporary, access(b"out.nc", WRITE))
    assert latest(seen.events(True)).keys() == {f"{CWD}/out.nc"}
    assert seen.observation()["classes"]["scratch"]["files"] == 1000


def test_what_is_removed_makes_room() -> None:
    stories = [access(b"t%d" % n, WRITE) + rename(b"t%d" % n, b"u%d" % n) + unlink(b"u%d" % n) for n in range(1000)]
    seen = observed(*stories, access(b"out.nc", WRITE))
    assert latest(seen.events(True)).keys() == {f"{CWD}/out.nc"}
    assert seen.index.left == MOST - 1 - CWD.count("/")


@pytest.mark.parametrize(
    "story",
    [
        [access(b"a", WRITE), rename(b"a", b"b"), rename(b"b", b"a"), unlink(b"a")],
        [access(b"d/a", WRITE), rename(b"d", b"e"), unlink(b"e/a"), unlink(b"e", flags=area.OF_DIRECTORY)],
        [access(b"d/e/a", WRITE), rename(b"d", b"/usr/x")],
        [access(b"d/a", WRITE), access(b"e/a", WRITE), rename(b"d", b"e"), rename(b"e", b"/usr/x")],
    ],
)
def test_no_room_is_lost(story: list[bytes]) -> None:
    seen = observed(*story)
    kept = sum(1 for _ in seen.index.top.walk()) - 1 + sum(1 for _ in seen.index.top.all_files())
    assert seen.index.left == MOST - kept


def test_a_store_costs_what_it_is() -> None:
    seen = observed(*[access(b"u/c/%d/%d" % (n, n), WRITE) for n in range(50)], access(b"u/zarr.json", WRITE))
    kept = sum(1 for _ in seen.index.top.walk()) - 1 + sum(1 for _ in seen.index.top.all_files())
    assert seen.index.left == MOST - kept
    assert kept == CWD.count("/") + 2


@pytest.mark.parametrize("path", [b"/x" * 8000, b"/" + b"x" * 16000, b"/.." * 5000, b"/" * 16000, b"/./a" * 3000])
def test_paths_that_nobody_has(path: bytes) -> None:
    seen = observed(*[access(path, READ), rename(path, b"a"), rename(b"a", path), unlink(path)] * 20)
    list(seen.events(True))
    assert seen.index.left > MOST - 20


def test_links_that_lead_on_and_on() -> None:
    links = {b"/l": b"/l/l", b"/l/l": b"/l", b"/m": b"../../m/m/m", b"/r": b"/"}
    seen = observed(
        *[access(b"/l/l/l/a", READ), access(b"/m/../m/a", READ), access(b"/r/r/r/b", READ)], disk=Disk(links=links)
    )
    assert len(latest(seen.events(True))) <= 3


def test_files_that_are_only_counted_are_told_apart_up_to_a_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.capture.observed.counts.MOST_FILES", 100)
    seen = observed(*[access(b"/usr/lib/f%d" % number, READ) for number in range(500)] * 2)
    assert seen.observation()["classes"]["system"]["files"] == 100
    assert seen.observation()["reasons"] == []
    assert seen.observation()["complete"] is True


def test_ranks_that_load_the_same_libraries_are_a_few_lines_of_the_log() -> None:
    """128 ranks of 2,000 libraries each: 256,000 records on the node, three events on the shared file system."""
    libraries = [b"/usr/lib/libc%d.so" % number for number in range(1000)]
    libraries += [b"/opt/model/lib/libm%d.so" % number for number in range(1000)]
    loads = [access(path, READ, 8, 8) for path in [*libraries, b"in.nml"]]
    ranks = [program(rank + 1, b"model", rank=rank, pid=100 + rank) for rank in range(128)]
    for rank in range(128):
        own = (rank + 1).to_bytes(4, "little")
        ranks += [load[:8] + own + load[12:] for load in loads]
    events = list(observed(*ranks).events(True))
    assert [event["event"] for event in events] == ["program", "access", "observation"]
    assert events[0]["entries"][0]["count"] == 128 and events[1]["entries"][0]["ranks"] == [[0, 127]]
    assert [events[2]["value"]["classes"][name]["files"] for name in ("system", "software")] == [1000, 1000]
    assert len(json.dumps(events)) < 4000


def test_what_is_only_read_again_is_not_told_again_before_the_end() -> None:
    """A training that reads all its files in every epoch would fill the log."""
    epoch = b"".join(access(b"f%d" % number, READ, 3, 5, moment=1) for number in range(200))
    later = b"".join(access(b"f%d" % number, READ, 3, 5, moment=9) for number in range(200))
    seen = observed(epoch)
    assert len(latest(seen.events())) == 200
    seen.feed(0, later + access(b"f7", WRITE, moment=9), 0)
    assert [path.rpartition("/")[2] for path in latest(seen.events())] == ["f7"]
    assert {entry["last"] - entry["first"] for entry in latest(seen.events(True)).values()} == {8}
