"""What was done to files: each row is a story of records and what is told in the end."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.capture.observed import area
from tests.capture.observed.records import (
    BEGIN,
    CWD,
    READ,
    UPDATE,
    WRITE,
    Disk,
    access,
    latest,
    link,
    observed,
    program,
    record,
    rename,
    summary,
    unlink,
)  # fmt: skip

ONLY = area.WRITE
MAKE = area.WRITE | area.CREATE
LINKS = {"latest": b"run7", "in.nc": b"/data/x.nc", "me": b"me", "root": b"/"}
LINKED = {f"{CWD}/{name}".encode(): target for name, target in LINKS.items()}

STORIES: list[tuple[str, list[bytes], dict[str, str]]] = [
    ("read", [access(b"a", READ, 5, 7)], {"a": "r"}),
    ("an empty file read", [access(b"a", READ)], {"a": "r"}),
    ("written anew", [access(b"a", WRITE)], {"a": "w"}),
    ("made", [access(b"a", MAKE)], {"a": "w"}),
    ("written, then read by the same job", [access(b"a", WRITE), access(b"a", READ, 5, 7)], {"a": "rw"}),
    ("read, then written anew", [access(b"a", READ, 5, 7), access(b"a", WRITE)], {"a": "rwo"}),
    ("updated", [access(b"a", UPDATE, 5, 7)], {"a": "rwo"}),
    ("made for reading and writing", [access(b"a", UPDATE | area.CREATE)], {"a": "rw"}),
    ("emptied for reading and writing", [access(b"a", UPDATE | area.TRUNCATE)], {"a": "rw"}),
    ("appended to", [access(b"a", MAKE, 5, 7)], {"a": "rwo"}),
    ("made by another node of the job, then updated", [access(b"a", UPDATE, 5, BEGIN + 1)], {"a": "rw"}),
    ("made by another node of the job, then read and removed", [access(b"a", READ, 5, BEGIN + 1), unlink(b"a")], {}),
    ("HDF5 looks before it empties", [access(b"a", UPDATE, 5, 7), access(b"a", UPDATE | area.TRUNCATE)], {"a": "rw"}),
    ("updated, read, emptied",
     [access(b"a", UPDATE, 5, 7), access(b"a", READ, 5, 7), access(b"a", WRITE)], {"a": "rwo"}),
    ("netCDF looks twice before it empties",
     [access(b"a", READ, 5, 7), access(b"a", UPDATE, 5, 7), access(b"a", UPDATE | area.TRUNCATE)], {"a": "rw"}),
    ("read, then made anew by HDF5",
     [access(b"a", READ, 5, 7), access(b"a", UPDATE, 5, 7, moment=10**9), access(b"a", WRITE, moment=10**9)],
     {"a": "rwo"}),
    ("written, then updated", [access(b"a", WRITE), access(b"a", UPDATE, 5, 7)], {"a": "rw"}),
    ("written and removed", [access(b"a", WRITE), unlink(b"a")], {}),
    ("read and removed", [access(b"a", READ, 5, 7), unlink(b"a")], {"a": "r"}),
    ("read, removed, made anew", [access(b"a", READ, 5, 7), unlink(b"a"), access(b"a", MAKE)], {"a": "rwo"}),
    ("written, removed, made anew", [access(b"a", WRITE), unlink(b"a"), access(b"a", MAKE)], {"a": "w"}),
    ("never seen and removed", [unlink(b"a")], {}),
    ("renamed into place", [access(b"t", MAKE), rename(b"t", b"a")], {"a": "w"}),
    ("a chain of names", [access(b"t", MAKE), rename(b"t", b"u"), rename(b"u", b"v")], {"v": "w"}),
    ("an input moved", [access(b"a", READ, 5, 7), rename(b"a", b"b")], {"a": "r", "b": "w"}),
    ("what nobody opened moved", [rename(b"a", b"b")], {"a": "r", "b": "w"}),
    ("over what was read", [access(b"a", READ, 5, 7), access(b"t", MAKE), rename(b"t", b"a")], {"a": "rwo"}),
    ("over what was written", [access(b"a", WRITE), access(b"t", MAKE), rename(b"t", b"a")], {"a": "w"}),
    ("sed -i", [access(b"a", READ, 5, 7), access(b"sedX", MAKE), rename(b"sedX", b"a")], {"a": "rwo"}),
    ("a backup", [access(b"a", READ, 5, 7), rename(b"a", b"a~"), access(b"a", MAKE)], {"a": "rwo", "a~": "w"}),
    ("exchanged", [access(b"a", WRITE), rename(b"a", b"b", flags=area.EXCHANGED)], {"a": "w", "b": "w"}),
    ("linked", [access(b"a", WRITE), link(b"a", b"b")], {"a": "rw", "b": "w"}),
    ("linked into place", [access(b"t", MAKE), link(b"t", b"b"), unlink(b"t")], {"b": "w"}),
    ("an input linked", [link(b"a", b"b")], {"a": "r", "b": "w"}),
    ("a symbolic link made", [link(b"run7", b"now", flags=area.SYMBOLIC)], {}),
    ("through a link", [access(b"in.nc", READ, 5, 7)], {"/data/x.nc": "r"}),
    ("through a link to itself", [access(b"me", READ, 5, 7)], {"me": "r"}),
    ("through a link to the root", [access(b"root", READ, 5, 7)], {}),
    ("below a link", [access(b"latest/a", WRITE), access(b"run7/a", READ, 5, 7)], {"run7/a": "rw"}),
    ("up from a link", [access(b"latest/../a", READ), access(b"./b", READ), access(b"c//d", READ)],
     {"a": "r", "b": "r", "c/d": "r"}),
    ("a directory moved",
     [access(b"d/a", MAKE), access(b"d/e/b", READ), rename(b"d", b"f")], {"f/a": "w", "f/e/b": "r"}),
    ("a directory moved, and its name taken", [access(b"d/a", MAKE), rename(b"d", b"f"), access(b"d/a", MAKE)],
     {"d/a": "w", "f/a": "w"}),
    ("directories exchanged",
     [access(b"d/a", MAKE), access(b"f/b", MAKE), rename(b"d", b"f", flags=area.EXCHANGED)], {"f/a": "w", "d/b": "w"}),
    ("a directory below itself", [access(b"d/a", MAKE), access(b"d/e/b", MAKE), rename(b"d", b"d/e/f")], {}),
    ("the root moved", [access(b"a", MAKE), rename(b"/", b"/x")], {"a": "w", "/x": "w"}),
    ("a tree removed", [access(b"d/a", MAKE), unlink(b"d/a"), unlink(b"d", flags=area.OF_DIRECTORY)], {}),
    ("out of a temporary directory", [access(b"/tmp/t", MAKE), rename(b"/tmp/t", b"a")], {"a": "w"}),
    ("into a temporary directory", [access(b"a", MAKE), rename(b"a", b"/tmp/t")], {}),
    ("into what is only counted", [access(b"a", MAKE), rename(b"a", b"/usr/lib/t")], {}),
    ("out of what is only counted", [rename(b"/usr/share/t", b"a")], {"a": "w"}),
    ("a path too long to be told", [record(area.ACCESS, b"/home/b", flags=READ | area.CUT)], {}),
    ("a name that is no path", [record(area.ACCESS, b"pipe:[1]", flags=READ)], {}),
    ("a file of the image", [record(area.ACCESS, b"image:/opt/x.csv", flags=READ)], {}),
]  # fmt: skip


@pytest.mark.parametrize(("records", "told"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES])
def test_a_story(records: list[bytes], told: dict[str, str]) -> None:
    assert summary(*records, disk=Disk(links=LINKED)) == told


ENDINGS: list[tuple[str, list[bytes], dict[str, tuple[int, int] | None], dict[str, str]]] = [
    ("opened for update, not changed", [access(b"a", UPDATE, 5, 7)], {"a": (5, 7)}, {"a": "r"}),
    ("opened to append, not changed", [access(b"a", ONLY, 5, 7)], {"a": (5, 7)}, {}),
    ("opened to append, grown", [access(b"a", ONLY, 5, 7)], {"a": (6, 8)}, {"a": "rwo"}),
    ("emptied and written the same", [access(b"a", WRITE, 5, 7)], {"a": (5, 7)}, {"a": "w"}),
    ("renamed over, the same",
     [access(b"a", READ, 5, 7), access(b"t", MAKE), rename(b"t", b"a")], {"a": (5, 7)}, {"a": "rwo"}),
    ("not there in the end",
     [access(b"a", WRITE), access(b"b", READ, 5, 7), access(b"c", UPDATE, 5, 7)], {}, {"b": "rg", "c": "rg"}),
    ("not confirmed, not there", [access(b"a", READ | area.UNCONFIRMED)], {}, {}),
    ("not confirmed, there", [access(b"a", READ | area.UNCONFIRMED)], {"a": (5, 7)}, {"a": "r"}),
    ("not confirmed, made", [access(b"a", MAKE | area.UNCONFIRMED)], {"a": (5, 7)}, {"a": "w"}),
    ("a directory", [access(b"a", READ | area.UNCONFIRMED), access(b"b", READ)], {"a": None, "b": None}, {}),
    ("a directory that nobody looked into, moved", [rename(b"a", b"b")], {"b": None}, {"a": "rg"}),
    ("a store that nobody looked into, moved",
     [rename(b"a.zarr", b"b.zarr")], {"b.zarr": None}, {"a.zarr": "rg", "b.zarr": "w"}),
    ("removed, and made by what cannot be seen", [access(b"a", READ, 5, 7), unlink(b"a")], {"a": (6, 9)}, {"a": "r"}),
]  # fmt: skip


@pytest.mark.parametrize(("records", "files", "told"), [row[1:] for row in ENDINGS], ids=[row[0] for row in ENDINGS])
def test_what_is_there_in_the_end_counts(
    records: list[bytes], files: dict[str, tuple[int, int] | None], told: dict[str, str]
) -> None:
    assert summary(*records, disk=Disk(files, all_there=False)) == told


def test_an_entry_says_who_when_and_from_where() -> None:
    records = [
        program(1, b"sh", rank=4), program(2, b"mv", parent=1, rank=4), program(3, b"cat", rank=5),
        access(b"t.nc", MAKE, moment=3), rename(b"t.nc", b"a.nc", instance=2, moment=8),
        access(b"a.nc", READ, 5, 7, instance=3, moment=20),
    ]  # fmt: skip
    found = latest(observed(*records, disk=Disk({"a.nc": (5, 7)})).events(final=True))
    assert found == {
        f"{CWD}/a.nc": {
            "path": f"{CWD}/a.nc", "read": True, "written": True, "first": BEGIN + 3, "last": BEGIN + 20,
            "ranks": [[4, 5]], "programs": [1, 2, 3], "from": f"{CWD}/t.nc", "began": None, "ended": [5, 7],
            "gone": False, "overwritten": False, "store": None, "files": 1,
        }
    }  # fmt: skip


def test_an_input_says_what_it_was_when_it_was_first_read() -> None:
    entries = latest(observed(access(b"a", READ, 5, 7), access(b"a", READ, 6, 8)).events(final=True))
    assert entries[f"{CWD}/a"]["began"] == [5, 7]
    assert entries[f"{CWD}/a"]["ended"] == [9, BEGIN + 99]


def test_a_directory_that_was_moved_tells_where_its_files_were() -> None:
    records = [access(b"d/e/a", MAKE), rename(b"d", b"f", moment=5), access(b"f/b", MAKE, moment=6)]
    entries = latest(observed(*records).events(final=True))
    assert entries[f"{CWD}/f/e/a"]["from"] == f"{CWD}/d/e/a"
    assert entries[f"{CWD}/f/b"]["from"] is None


def test_names_are_any_bytes() -> None:
    assert summary(access(b"a\xff\n\x1b[1m", READ)) == {"a\udcff\n\x1b[1m": "r"}


@pytest.mark.parametrize("number", [1, 7, 8, 30])
def test_at_most_eight_programs_are_named(number: int) -> None:
    records = [program(i, b"cat", b"%d" % i) + access(b"a", READ, instance=i) for i in range(1, number + 1)]
    entries: dict[str, Any] = latest(observed(*records).events(final=True))
    assert entries[f"{CWD}/a"]["programs"] == list(range(1, min(number, 8) + 1))


def test_a_name_may_become_a_link_to_another_directory() -> None:
    disk = Disk()
    removed = [unlink(b"d/a"), unlink(b"d", flags=area.OF_DIRECTORY), link(b"e", b"d", flags=area.SYMBOLIC)]
    seen = observed(access(b"d/a", MAKE), *removed, disk=disk)
    disk.links[f"{CWD}/d".encode()] = b"e"
    seen.feed(0, access(b"d/a", MAKE), 0)
    assert latest(seen.events(final=True)).keys() == {f"{CWD}/e/a"}


def test_a_file_that_is_made_to_be_locked_is_neither_read_nor_written() -> None:
    lock = access(b"lock", READ | area.CREATE)
    assert summary(lock) == {}
    assert summary(lock, access(b"lock", WRITE)) == {"lock": "w"}
    assert summary(access(b"config", READ | area.CREATE, 5, BEGIN - 9)) == {"config": "r"}


@pytest.mark.parametrize("made", [True, False])
def test_a_link_that_gets_a_new_name_is_no_file(made: bool) -> None:
    disk = Disk()
    disk.links[f"{CWD}/now".encode()] = b"in"
    make = [link(b"in", b"tmp", flags=area.SYMBOLIC)] if made else []
    seen = observed(*make, rename(b"tmp", b"now"), access(b"now", READ), disk=disk)
    entries = latest(seen.events(final=True))
    assert {path: entry["written"] for path, entry in entries.items()} == {f"{CWD}/in": False}
