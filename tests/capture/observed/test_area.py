"""Reading an event area that any process of the job can write anything into."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hpcprov.capture.observed import area
from tests.capture.observed.records import record

HEADER = Path(__file__).parents[3] / "hpcprov" / "launcher" / "area.h"
PATHS = st.binary(max_size=40).map(lambda path: b"/" + path.replace(b"\0", b""))
WHOLE = st.builds(record, st.integers(1, 8), PATHS, PATHS)
UNFINISHED = st.builds(record, st.just(area.ACCESS), PATHS, magic=st.just(area.RESERVED))
BLANK = st.integers(1, 40).map(lambda steps: bytes(16 * steps))
PADDING = st.sampled_from([b"\x43\x10\0\0" + bytes(12), b"\x43\x20\0\0" + bytes(28), b"\x43\x40\0\0" + bytes(60)])
GARBAGE = st.binary(min_size=16, max_size=160).map(lambda data: data[: len(data) & -16])
PIECES = st.lists(st.one_of(WHOLE, UNFINISHED, BLANK, PADDING, GARBAGE), max_size=12)


def read(data: bytes, settled: int = 0) -> tuple[list[area.Record], int]:
    scan = area.Scan(data, settled=settled)
    return list(scan), scan.end


@given(st.binary(max_size=400), st.integers(0, 500))
def test_any_bytes_are_read_to_an_end(data: bytes, settled: int) -> None:
    records, end = read(data, settled)
    assert 0 <= end <= len(data)
    assert len(records) <= len(data) // area.SMALLEST


@given(PIECES)
def test_what_nobody_writes_to_any_more_is_read_whole(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    assert read(data, len(data))[1] == len(data)


@given(st.lists(st.one_of(WHOLE, PADDING), max_size=12))
def test_all_whole_records_are_found(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    records, end = read(data)
    kept = [piece for piece in pieces if piece[4] != area.PAD]
    assert end == len(data)
    assert [fields[7] for fields in records] == [piece[40:] for piece in kept]


@given(st.lists(st.one_of(WHOLE, UNFINISHED, BLANK, PADDING), max_size=12))
def test_whole_records_are_found_between_unfinished_ones(pieces: list[bytes]) -> None:
    data = b"".join(pieces)
    scan = area.Scan(data, settled=len(data))
    found = [fields[7] for fields in scan]
    whole = [piece for piece in pieces if piece[0] == area.COMMITTED and piece[4] != area.PAD]
    assert found == [piece[40:] for piece in whole]


@settings(max_examples=50)
@given(PIECES, st.data())
def test_reading_on_where_it_ended_finds_the_same(pieces: list[bytes], more: st.DataObject) -> None:
    data = b"".join(pieces)
    cut = more.draw(st.integers(0, len(data) // 16)) * 16
    first, end = read(data[:cut])
    second, _ = read(data[end:], len(data) - end)
    whole, _ = read(data, len(data))
    assert first == whole[: len(first)]
    if not any(piece for piece in pieces if piece[0] not in (0, area.RESERVED, area.COMMITTED)):
        assert first + second == whole


def test_a_record_that_is_being_written_is_waited_for() -> None:
    begun, whole = record(area.ACCESS, b"/a", magic=area.RESERVED), record(area.ACCESS, b"/b")
    assert read(whole + begun + whole) == (read(whole)[0], len(whole))
    assert read(whole + bytes(64) + whole) == (read(whole)[0], len(whole))
    assert len(read(whole + begun + whole, len(whole + begun))[0]) == 2


@pytest.mark.parametrize("size", [0, 16, 32, 40, 49, area.LARGEST + 16 & -16, 0xFFFFF0])
def test_a_size_that_no_record_has_is_passed_over(size: int) -> None:
    wrong = (size << 8 | area.COMMITTED).to_bytes(4, "little").ljust(48, b"\x07")
    whole = record(area.ACCESS, b"/a")
    assert [fields[7][:2] for fields in read(wrong + whole)[0]] == [b"/a"]


def test_megabytes_of_nothing_are_passed_over_quickly() -> None:
    data = bytes(8 << 20) + b"\x07" * (1 << 20) + record(area.ACCESS, b"/a")
    assert len(read(data, len(data))[0]) == 1


def test_the_numbers_are_those_of_the_header() -> None:
    text = HEADER.read_text()
    kinds = re.search(r"enum area_kind \{([^}]*)\}", text)
    assert kinds is not None
    names = [name.strip().split("=")[0].strip() for name in re.sub(r"/\*.*?\*/", "", kinds[1], flags=re.S).split(",")]
    assert [getattr(area, name.removeprefix("AREA_")) for name in names] == list(range(len(names)))
    flags = dict(re.findall(r"(?:ACCESS|RENAME|LINK|UNLINK|STRINGS)_(\w+) = (\d+)", text))
    twins = {"DIRECTORY": "OF_DIRECTORY"}
    assert {name: getattr(area, twins.get(name, name)) for name in flags} == {k: int(v) for k, v in flags.items()}
    longest = re.search(r"AREA_TEXT_MAX (\d+)u", text)
    assert longest is not None
    assert int(longest[1]) + area.HEAD.size <= area.LARGEST
