"""A log that is cut or flipped anywhere: the merge goes on, and every other frame's fact is in the record."""

from __future__ import annotations

import json
import os
from pathlib import Path
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st
from record_check import check_record

from hpcprov.merge.publish import merge_run
from hpcprov.merge.read import read_run
from hpcprov.record.layout import Store

from .build import Launch, sealed

SAMPLE = Launch(size=2).start(0).start(1).env(0, A="1").exit(1, code=2).fact("host", {"long": "x" * 4000})


def record_of(directory: Path, data: bytes) -> dict[str, Any]:
    directory.mkdir()
    (directory / SAMPLE.name).write_bytes(data)
    return sealed(str(directory))


def spans() -> list[tuple[int, int, dict[str, Any]]]:
    """Where in the sample each event lies."""
    found, at = [], 0
    for event in SAMPLE.events:
        one = Launch()
        one.events = [event]
        found.append((at, at + len(one.data), event))
        at += len(one.data)
    return found


def told(record: dict[str, Any], event: dict[str, Any]) -> bool:
    """Is this event's fact in the record?"""
    columns = record["ranks"]["columns"]
    if event["event"] == "fact":
        return any(entry["kind"] == "host" for entry in record["facts"].values())
    if event["event"] == "env":
        return bool(record["environment"]["common"] or record["environment"]["varying"] or 0 not in columns["rank"])
    if event["rank"] not in columns["rank"]:
        return event["event"] == "exit"  # an end without its start has no row
    return event["event"] == "start" or columns["code"][columns["rank"].index(event["rank"])] == event["code"]


def test_the_sample_is_told_whole(tmp_path: Path) -> None:
    record = check_record(record_of(tmp_path / "whole", SAMPLE.data))
    assert all(told(record, event) for _, _, event in spans())
    assert record["seal"]["logs"][0]["skipped"] == {"lines": 0, "bytes": 0, "blobs": 0}


def test_cut_at_every_byte(tmp_path: Path) -> None:
    for cut in range(len(SAMPLE.data)):
        record = record_of(tmp_path / str(cut), SAMPLE.data[:cut])
        assert all(told(record, event) for _, end, event in spans() if end - 1 <= cut), cut
        os.unlink(tmp_path / str(cut) / SAMPLE.name)


def test_flipped_at_every_byte(tmp_path: Path) -> None:
    for at in range(len(SAMPLE.data)):
        hurt = bytearray(SAMPLE.data)
        hurt[at] ^= 1 << (at % 8)
        record = record_of(tmp_path / str(at), bytes(hurt))
        assert all(told(record, event) for begin, end, event in spans() if not begin <= at < end), at
        os.unlink(tmp_path / str(at) / SAMPLE.name)


@settings(max_examples=60)
@given(st.lists(st.tuples(st.integers(0, len(SAMPLE.data)), st.binary(max_size=60)), max_size=5))
def test_any_garbage_in_between_gives_a_valid_record(tmp_path_factory: Any, garbage: list[tuple[int, bytes]]) -> None:
    data = SAMPLE.data
    for at, piece in garbage:
        data = data[:at] + piece + data[at:]
    store = Store(str(tmp_path_factory.mktemp("store")))
    os.makedirs(store.run("r1"))
    Path(store.run("r1"), SAMPLE.name).write_bytes(data)
    (place,) = merge_run(store, "r1")
    check_record(json.loads(Path(place, "record.json").read_bytes()), place)
    assert [log.size for log in read_run(place)] == [len(data)]
