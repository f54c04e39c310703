"""Stores: thousands of files that are one artifact, known from their names alone."""

from __future__ import annotations

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
    observed,
    program,
    rename,
    summary,
    unlink,
)  # fmt: skip

MAKE = area.WRITE | area.CREATE

STORIES: list[tuple[str, list[bytes], dict[str, str]]] = [
    ("by its own name", [access(b"u.zarr/0.0", MAKE), access(b"u.zarr/c/1", MAKE)], {"u.zarr": "w"}),
    ("by its metadata", [access(b"u/zarr.json", MAKE), access(b"u/c/0/1", MAKE)], {"u": "w"}),
    ("by metadata that comes later", [access(b"u/c/0", MAKE), access(b"u/zarr.json", MAKE)], {"u": "w"}),
    ("of version 2", [access(b"u/.zgroup", READ), access(b"u/a/.zarray", READ), access(b"u/a/0.0", READ)], {"u": "r"}),
    ("found from within", [access(b"u/a/.zarray", READ), access(b"u/.zgroup", READ)], {"u": "r"}),
    ("two below a directory", [access(b"u/a/.zarray", READ), access(b"u/b/.zarray", MAKE)], {"u/a": "r", "u/b": "w"}),
    ("read, then written", [access(b"u.zarr/zarr.json", READ, 5, 7), access(b"u.zarr/c/0", WRITE)], {"u.zarr": "rwo"}),
    ("written, then read",
     [access(b"u.zarr/zarr.json", WRITE), access(b"u.zarr/zarr.json", READ, 5, BEGIN)], {"u.zarr": "rw"}),
    ("an old part read after a new one was written",
     [access(b"u.zarr/c/0", WRITE), access(b"u.zarr/c/1", READ, 5, 7)], {"u.zarr": "rwo"}),
    ("made by another node",
     [access(b"u.zarr/zarr.json", READ, 5, BEGIN + 1), access(b"u.zarr/c/0", WRITE)], {"u.zarr": "rw"}),
    ("metadata renamed into place",
     [access(b"u/zarr.json.x", MAKE), rename(b"u/zarr.json.x", b"u/zarr.json")], {"u": "w"}),
    ("built aside and renamed",
     [access(b"u.tmp/zarr.json", MAKE), access(b"u.tmp/c/0", MAKE), rename(b"u.tmp", b"u.zarr")], {"u.zarr": "w"}),
    ("an input moved",
     [access(b"u.zarr/zarr.json", READ, 5, 7), rename(b"u.zarr", b"v.zarr")], {"u.zarr": "r", "v.zarr": "w"}),
    ("a part moved out", [access(b"u.zarr/c/0", MAKE), rename(b"u.zarr/c/0", b"a.bin")], {"u.zarr": "w", "a.bin": "w"}),
    ("a part removed", [access(b"u.zarr/c/0", READ, 5, 7), unlink(b"u.zarr/c/0")], {"u.zarr": "rwo"}),
    ("removed and made anew",
     [access(b"u.zarr/zarr.json", READ, 5, 7), unlink(b"u.zarr/zarr.json"), unlink(b"u.zarr", flags=area.OF_DIRECTORY),
      access(b"u.zarr/zarr.json", MAKE)], {"u.zarr": "rwo"}),
    ("an archive is a file", [access(b"u.zarr.zip", MAKE)], {"u.zarr.zip": "w"}),
    ("the working directory is none",
     [access(b"zarr.json", READ), access(b"in.csv", READ)], {"zarr.json": "r", "in.csv": "r"}),
    ("Hive partitions",
     [access(b"rain/y=1/m=2/x.parquet", MAKE), access(b"rain/y=2/m=1/y.parquet", MAKE)], {"rain": "w"}),
    ("parts of a dataset", [access(b"rain/part-0.parquet", MAKE), access(b"rain/_SUCCESS", MAKE)], {"rain": "w"}),
    ("parts of dask", [access(b"rain/_metadata", READ), access(b"rain/part.0.parquet", READ)], {"rain": "r"}),
    ("a directory that is called so", [access(b"x.parquet/a.parquet", READ)], {"x.parquet": "r"}),
    ("single tables",
     [access(b"t/a.parquet", READ), access(b"t/b.parquet", READ)], {"t/a.parquet": "r", "t/b.parquet": "r"}),
    ("parts in the working directory", [access(b"part-0.parquet", READ)], {"part-0.parquet": "r"}),
    ("an equals sign alone", [access(b"a=b/x.csv", READ)], {"a=b/x.csv": "r"}),
]  # fmt: skip


@pytest.mark.parametrize(("records", "told"), [row[1:] for row in STORIES], ids=[row[0] for row in STORIES])
def test_a_store(records: list[bytes], told: dict[str, str]) -> None:
    stores = dict.fromkeys(("u", "u/a", "u/b", "rain", "x.parquet", "u.zarr", "v.zarr"))
    files = {name: (9, BEGIN + 99) for name in told if name not in stores}
    disk = Disk(stores | files)
    assert summary(*records, disk=disk) == told


@pytest.mark.parametrize(("name", "form"), [(b"u.zarr/c/0", "zarr"), (b"rain/part-0.parquet", "parquet")])
def test_its_form_is_told(name: bytes, form: str) -> None:
    (entry,) = latest(observed(program(1), access(name, WRITE), access(name, WRITE)).events()).values()
    assert (entry["store"], entry["files"], entry["programs"], entry["ended"]) == (form, 2, [1], None)


def test_parts_that_were_told_are_taken_back() -> None:
    seen = observed(access(b"u/c/0", MAKE), access(b"u/c/1", UPDATE, 5, 7))
    before = list(seen.events())
    assert latest(before).keys() == {f"{CWD}/u/c/0", f"{CWD}/u/c/1"}
    seen.feed(0, access(b"u/zarr.json", MAKE), 0)
    assert latest(before, seen.events()).keys() == {f"{CWD}/u"}


def test_a_hundred_thousand_parts_cost_nothing() -> None:
    seen = observed(access(b"u.zarr/zarr.json", MAKE))
    left = seen.index.left
    for number in range(100):
        parts = b"".join(access(b"u.zarr/c/%d/%d" % (number, part), MAKE) for part in range(1000))
        seen.feed(0, parts, 0)
    assert seen.index.left == left
    (entry,) = latest(seen.events()).values()
    assert entry["files"] == 100_001
