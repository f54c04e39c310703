"""What must hold whatever is written, in whatever pieces it comes, and however often it is told."""

from __future__ import annotations

from itertools import permutations
from typing import Any

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from hpcprov.capture.observed import Observed, area
from tests.capture.observed.records import (
    BEGIN,
    CWD,
    ENVIRON,
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
    unlink,
)  # fmt: skip

NAMES = st.sampled_from(
    [b"a", b"b.nc", b"d/a", b"d/e/b", b"d", b"u.zarr/zarr.json", b"u.zarr/c/0", b"v/.zgroup", b"v/0", b"v", b"u.zarr",
     b"/tmp/t", b"rain/y=1/p.parquet", b"rain/part-0.parquet", b"run.log", b"m.py", b"/usr/lib/x", b"../x", b"d/../a"]
)  # fmt: skip
MOMENTS = st.integers(0, 50)
FLAGS = st.sampled_from([READ, WRITE, UPDATE, UPDATE | area.CREATE, area.WRITE, READ | area.UNCONFIRMED])
SIZES = st.integers(0, 9)
ONE = st.integers(1, 5)
RECORDS = st.lists(
    st.one_of(
        st.builds(access, NAMES, FLAGS, SIZES, SIZES, instance=ONE, moment=MOMENTS),
        st.builds(rename, NAMES, NAMES, flags=st.sampled_from([0, 0, area.EXCHANGED]), instance=ONE, moment=MOMENTS),
        st.builds(link, NAMES, NAMES, flags=st.sampled_from([0, area.SYMBOLIC]), instance=ONE, moment=MOMENTS),
        st.builds(unlink, NAMES, flags=st.sampled_from([0, area.OF_DIRECTORY]), instance=ONE, moment=MOMENTS),
        st.builds(program, ONE, st.sampled_from([b"cp", b"mv"]), rank=st.integers(0, 3), parent=ONE, moment=MOMENTS),
        st.builds(record, st.just(area.END), instance=ONE, a=st.integers(0, 1 << 63), moment=MOMENTS),
    ),
    max_size=30,
)


# Directories are made without a word.
A_FILE_BECOMES_A_DIRECTORY = [
    rename(b"a", b"v"), rename(b"a", b"v/0"), access(b"a", READ), rename(b"b.nc", b"v"), rename(b"a", b"v")
]  # fmt: skip
THAT_IS_REMOVED = [
    access(b"a", READ), rename(b"a", b"d"), access(b"a", READ), rename(b"a", b"d/a"), access(b"a", READ), unlink(b"d")
]  # fmt: skip


def told(*batches: Any) -> tuple[dict[str, Any], dict[int, Any]]:
    """All accesses and programs that these events tell together."""
    everything = [list(batch) for batch in batches]
    programs = [event for batch in everything for event in batch if event["event"] == "program"]
    return latest(*everything), {entry["id"]: entry for event in programs for entry in event["entries"]}


# A store that is given the name of a part takes the directory above for a store, and what comes back is a part too.
EXCHANGED_INTO_A_STORE = [
    access(b"u.zarr/zarr.json", READ), rename(b"u.zarr", b"rain/part-0.parquet"),
    rename(b"rain/y=1/p.parquet", b"rain/part-0.parquet", flags=area.EXCHANGED),
]  # fmt: skip


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.lists(st.integers(0, 4000), max_size=3))
def test_the_pieces_in_which_it_comes_do_not_matter(records: list[bytes], cuts: list[int]) -> None:
    data = b"".join(records)
    whole = observed(*records)
    seen, position = Observed(cwd=CWD, environ=ENVIRON, questions=Disk(), begin=BEGIN), 0
    for cut in sorted(cuts):
        if cut > position:
            position += seen.feed(0, data[position : cut & -16], position)
    seen.feed(0, data[position:], position)
    assert told(seen.events(True)) == told(whole.events(True))
    assert seen.observation() == whole.observation()


@settings(max_examples=150, deadline=None)
@given(RECORDS, st.lists(st.integers(0, 29), max_size=3), st.booleans())
@example(records=A_FILE_BECOMES_A_DIRECTORY, stops=[0], there=True)
@example(records=THAT_IS_REMOVED, stops=[3], there=True)
@example(records=EXCHANGED_INTO_A_STORE, stops=[2], there=False)
def test_telling_in_between_changes_nothing_in_the_end(records: list[bytes], stops: list[int], there: bool) -> None:
    seen = Observed(cwd=CWD, environ=ENVIRON, questions=Disk(all_there=there), begin=BEGIN)
    batches = []
    for number, one in enumerate(records):
        seen.feed(0, one, 0)
        if number in stops:
            batches.append(list(seen.events()))
    batches.append(list(seen.events(True)))
    once = observed(*records, disk=Disk(all_there=there))
    assert told(*batches) == told(once.events(True))


@settings(max_examples=60, deadline=None)
@given(RECORDS)
def test_nothing_is_told_twice(records: list[bytes]) -> None:
    seen = observed(*records)
    list(seen.events())
    assert list(seen.events()) == []


@settings(max_examples=200, deadline=None)
@given(st.lists(st.one_of(st.binary(max_size=200), RECORDS.map(b"".join)), max_size=4).map(b"".join), st.booleans())
def test_any_bytes_can_be_told(data: bytes, final: bool) -> None:
    seen = Observed(cwd=CWD, environ=ENVIRON, questions=Disk(), begin=BEGIN)
    assert 0 <= seen.feed(0, data, 0, final=final) <= len(data)
    for event in [*seen.events(), *seen.events(True)]:
        assert event["event"] in ("access", "program", "observation")


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 9), st.integers(0, 0xFFFF), st.integers(0, (1 << 64) - 1), st.integers(0, (1 << 64) - 1),
       st.lists(st.binary(max_size=60), max_size=3), st.integers(-BEGIN, BEGIN))  # fmt: skip
def test_any_record_can_be_told(kind: int, flags: int, a: int, b: int, strings: list[bytes], moment: int) -> None:
    one = record(kind, *[b"/" + text for text in strings], flags=flags, a=a, b=b, moment=moment)
    list(observed(one, access(b"a", READ), one, rename(b"a", b"d"), one).events(True))


@pytest.mark.parametrize("order", list(permutations(range(3))))
def test_the_order_of_ranks_that_only_read_does_not_matter(order: tuple[int, ...]) -> None:
    begun = [program(rank + 1, b"app", rank=rank) for rank in range(3)]
    reads = [access(b"in.nc", READ, 5, 7, instance=rank + 1, moment=rank) for rank in range(3)]
    own = [access(b"out.%d" % rank, WRITE, instance=rank + 1, moment=rank) for rank in range(3)]
    mixed = [piece for rank in order for piece in (reads[rank], own[rank])]
    entries = latest(observed(*begun, *mixed).events(True))
    assert entries == latest(observed(*begun, *reads, *own).events(True))
    assert entries[f"{CWD}/in.nc"]["ranks"] == [[0, 2]]
    assert entries[f"{CWD}/in.nc"]["programs"] == [1]  # equal programs of many ranks are one row


@pytest.mark.parametrize("size", [16, 32, 48, 64, 16000])
def test_the_end_of_the_ring_is_nothing_odd(size: int) -> None:
    seen = observed(access(b"a", READ), (size << 8 | area.COMMITTED).to_bytes(size, "little"), access(b"b", READ))
    assert len(latest(seen.events(True))) == 2 and seen.observation()["complete"]


def test_areas_are_kept_apart() -> None:
    seen = observed(program(1, b"cp", rank=0), access(b"a", READ))
    data = program(1, b"mv", rank=7) + access(b"a", WRITE)
    assert seen.feed(3, data, 0) == len(data)
    accesses, programs = told(seen.events(True))
    assert accesses[f"{CWD}/a"]["ranks"] == [[0, 0], [7, 7]]
    assert accesses[f"{CWD}/a"]["programs"] == [1, (3 << 32) + 1] == sorted(programs)


def test_an_observation_is_complete_only_when_nothing_is_amiss() -> None:
    seen = observed(program(1, b"app"))
    assert (seen.observation()["complete"], seen.observation()["reasons"]) == (True, [])
    seen.lose(0, lost=3, cut=0)
    seen.lose(1, lost=4, cut=1)
    assert (seen.observation()["complete"], seen.observation()["lost"], seen.observation()["cut"]) == (False, 7, 1)
    for number in range(100):
        seen.doubt(f"reason {number % 30}")
    assert len(seen.observation()["reasons"]) == 20


def test_a_program_that_is_blind_makes_it_incomplete_unless_the_kernel_told() -> None:
    static = program(1, b"go", blind=1)
    assert observed(static).observation()["complete"] is False
    assert observed(static, how="notify").observation()["complete"] is True
    own = program(1, b"hpcprov", blind=6)
    assert observed(own).observation()["complete"] is True


def test_garbage_is_said() -> None:
    seen = Observed(cwd=CWD, environ=ENVIRON, questions=Disk())
    seen.feed(0, b"\x07" * 64 + access(b"a", READ), 0)
    assert latest(seen.events(True)).keys() == {f"{CWD}/a"}
    assert seen.observation()["reasons"] == ["1 pieces of the event area held no whole record"]


INSIDE = b"44 66 254:0 /images/step / ro - ext4 /dev/vda rw\n45 44 8:1 /ada/in /data rw - xfs /dev/sda1 rw\n"
OUTSIDE = b"20 1 254:0 / / rw - ext4 /dev/vda rw\n21 20 8:1 / /scratch rw - xfs /dev/sda1 rw\n"


def test_files_in_a_container_have_the_names_that_they_have_outside() -> None:
    records = [
        program(1, b"apptainer"), program(2, b"app", parent=1), record(area.MOUNTS, INSIDE, instance=2),
        program(3, b"cp", parent=2), access(b"/data/a.csv", READ, instance=2), access(b"/opt/x.csv", READ, instance=3),
        access(b"/data/t", WRITE, instance=3), rename(b"/data/t", b"/data/b.csv", instance=3),
        access(b"/data/c.csv", READ, instance=1),
    ]  # fmt: skip
    seen = observed(*records, mountinfo=OUTSIDE)
    assert latest(seen.events(True)).keys() == {"/scratch/ada/in/a.csv", "/scratch/ada/in/b.csv", "/data/c.csv"}
    assert seen.observation()["classes"]["software"] == {"files": 1}


def test_mounts_of_any_number_of_programs_keep_little() -> None:
    seen = observed(*[record(area.MOUNTS, INSIDE + b"%d" % number, instance=number) for number in range(1000)])
    assert len(seen.views) <= 256
    assert "too many mount namespaces" in seen.observation()["reasons"][0]


def test_a_rank_is_started_with_files_that_no_program_opened() -> None:
    """The standard streams: records without a program, of which `pid` is the rank."""
    mine = access(b"in.nml", READ, 3, 5, instance=0, pid=3)
    nobodys = access(b"other", READ, 3, 5, instance=0, pid=0xFFFFFFFF)
    seen = observed(mine, nobodys, program(1, b"cp", rank=3))
    found = latest(seen.events(final=True))
    told = {path.removeprefix(CWD + "/"): (entry["ranks"], entry["programs"]) for path, entry in found.items()}
    assert told == {"in.nml": ([[3, 3]], []), "other": ([], [])}
