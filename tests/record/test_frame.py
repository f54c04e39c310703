"""The codec: every event comes back, and no damage touches another frame or raises."""

from __future__ import annotations

import io
import json
import os
import resource
from hashlib import sha256
from pathlib import Path
from typing import Any
from zlib import crc32

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.record import frame
from hpcprov.record.errors import ShortWrite

# A high surrogate followed by a low one is one character in JSON: bytes that are not UTF-8 only give U+DC80..U+DCFF.
CHARACTERS = st.characters(exclude_categories=["Cs"]) | st.characters(
    min_codepoint=0xDC80, max_codepoint=0xDCFF, categories=["Cs"]
)
TEXT = st.text(CHARACTERS, max_size=40)
SCALARS = (
    st.none() | st.booleans() | st.integers(-(2**63), 2**63) | st.floats(allow_nan=False, allow_infinity=False) | TEXT
)
VALUES = st.recursive(
    SCALARS, lambda inner: st.lists(inner, max_size=4) | st.dictionaries(TEXT, inner, max_size=4), max_leaves=12
)
EVENTS = st.dictionaries(TEXT.filter(lambda key: key not in ("v", "blob")), VALUES, max_size=6)


def raw(body: bytes) -> bytes:
    return b"\n%08x %s\n" % (crc32(body), body)


def read(data: bytes) -> tuple[list[dict[str, Any]], frame.Skipped]:
    skipped = frame.Skipped()
    return list(frame.scan(data, skipped)), skipped


@given(EVENTS, st.integers(0, 3000))
def test_every_event_comes_back_from_bytes_and_from_a_file(event: dict[str, Any], padding: int) -> None:
    event = event | {"padding": '"\\é' * padding}
    frames = frame.encode(event)
    assert all(
        len(part) <= frame.FRAME_LIMIT and part[:1] == part[-1:] == b"\n" and part[1:-1].count(b"\n") == 0
        for part in frames
    )
    assert read(b"".join(frames))[0] == [{"v": 1} | event]
    assert list(frame.scan(io.BytesIO(b"".join(frames)))) == [{"v": 1} | event]


@pytest.mark.parametrize("length", [frame.JSON_LIMIT - 1, frame.JSON_LIMIT, frame.JSON_LIMIT + 1, 2 * frame.JSON_LIMIT])
def test_an_event_is_cut_only_when_it_must_be(length: int) -> None:
    empty = len(frame.encode({"text": ""})[0]) - len("\n01234567 \n")
    frames = frame.encode({"text": "x" * (length - empty)})
    assert (len(frames) == 1) == (length <= frame.JSON_LIMIT)
    assert max(map(len, frames)) <= frame.FRAME_LIMIT


def test_parts_may_come_in_any_order_twice_and_among_others() -> None:
    long, other = {"text": "y" * 9000}, {"text": "between"}
    parts = frame.encode(long)
    data = b"".join([*reversed(parts), *frame.encode(other), *parts])
    events, skipped = read(data)
    assert sorted(map(str, events)) == sorted(map(str, [{"v": 1} | long, {"v": 1} | other]))
    assert not skipped and skipped.frames == 2 * len(parts) + 1


def test_two_writers_cut_one_event_differently() -> None:
    text = json.dumps({"v": 1, "text": "z" * 5000})
    digest = sha256(text.encode()).hexdigest()
    pieces = [text[i : i + 700] for i in range(0, len(text), 700)]
    own = [
        raw(json.dumps({"v": 1, "blob": digest, "part": k, "parts": len(pieces), "text": piece}).encode())
        for k, piece in enumerate(pieces)
    ]
    events, skipped = read(b"".join([own[0], *frame.encode({"text": "z" * 5000}), *own[2:]]))
    assert [len(event["text"]) for event in events] == [5000] and skipped.blobs == 1
    assert len(read(b"".join(own))[0]) == 1


@pytest.mark.parametrize("missing", range(5))
def test_a_blob_without_a_part_is_reported(missing: int) -> None:
    parts = frame.encode({"text": "y" * 9000})
    assert len(parts) == 5
    events, skipped = read(b"".join(parts[:missing] + parts[missing + 1 :]))
    assert events == [] and skipped.blobs == 1 and skipped


FOREIGN = {
    "no frame": b"hello",
    "wrong checksum": b"\n00000000 {}\n",
    "upper-case checksum": raw(b'{"v":1}').upper(),
    "no version": raw(b"{}"),
    "version true": raw(b'{"v":true}'),
    "version 1.0": raw(b'{"v":1.0}'),
    "version 2": raw(b'{"v":2}'),
    "a list": raw(b'[{"v":1}]'),
    "NaN": raw(b'{"v":1,"x":NaN}'),
    "an infinity by overflow": raw(b'{"v":1,"x":1e999}'),
    "two objects": raw(b'{"v":1} {"v":1}'),
    "not ASCII": raw('{"v":1,"x":"é"}'.encode()),
    "too deep": raw(b'{"v":1,"x":' + b"[" * 2000 + b"]" * 2000 + b"}"),
    "longer than a frame": raw(b'{"v":1,"x":"' + b"x" * 5000 + b'"}'),
    "NUL bytes": bytes(5000),
    "a part outside": raw(b'{"v":1,"blob":"x","part":3,"parts":3,"text":""}'),
    "a part of a huge blob": raw(b'{"v":1,"blob":"x","part":0,"parts":1000000000000,"text":""}'),
    "an ill-typed part": raw(b'{"v":1,"blob":["x"],"part":0,"parts":1,"text":""}'),
    "a blob of another digest": raw(b'{"v":1,"blob":"00","part":0,"parts":1,"text":"{}"}'),
}


@pytest.mark.parametrize("name", FOREIGN)
def test_foreign_lines_are_skipped_and_cost_nothing_else(name: str) -> None:
    good = frame.encode({"event": "beat", "time": 1})
    events, skipped = read(good[0] + FOREIGN[name] + good[0])
    assert [event["event"] for event in events] == ["beat", "beat"]
    assert skipped and skipped.lines + skipped.blobs >= 1


def test_a_file_without_line_ends_is_counted_without_being_kept() -> None:
    size = 5 * frame.BLOCK + 17
    skipped = frame.Skipped()
    assert list(frame.scan(io.BytesIO(b"x" * size), skipped)) == []
    assert (skipped.lines, skipped.bytes) == (1, size)


@pytest.mark.parametrize("edge", [-2, -1, 0, 1, 2])
def test_frames_across_the_edge_of_a_block_are_whole(edge: int) -> None:
    good = frame.encode({"event": "beat", "time": 1})[0]
    filler = b"\n" * (frame.BLOCK - len(good) // 2 + edge)
    assert len(list(frame.scan(io.BytesIO(filler + good * 3)))) == 3


def test_append_is_one_write_for_each_frame(tmp_path: Path) -> None:
    path = tmp_path / "log"
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
    frame.append(fd, {"event": "a", "text": "x" * 6000})
    os.close(fd)
    assert path.read_bytes() == b"".join(frame.encode({"event": "a", "text": "x" * 6000}))


def test_a_short_write_is_not_acknowledged(tmp_path: Path) -> None:
    path = tmp_path / "log"
    pid = os.fork()
    if not pid:  # the limit holds for a process: a child of its own
        import signal

        signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
        resource.setrlimit(resource.RLIMIT_FSIZE, (100, 100))
        fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND)
        try:
            frame.append(fd, {"event": "a", "text": "x" * 300})
        except ShortWrite as error:
            os._exit(0 if isinstance(error, OSError) and "100 of" in str(error) else 2)
        os._exit(1)
    assert os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]) == 0
    assert path.stat().st_size == 100
    assert list(frame.scan(path.read_bytes() + frame.encode({"event": "next"})[0])) == [{"v": 1, "event": "next"}]


@pytest.mark.parametrize("value", [float("nan"), float("inf")])
def test_what_json_cannot_say_is_refused(value: float) -> None:
    with pytest.raises(ValueError, match="not JSON compliant"):
        frame.encode({"x": value})


def sample() -> list[bytes]:
    events = [{"event": "e", "k": k, "text": "é\udcff" * (3 * k)} for k in range(4)] + [
        {"event": "long", "text": "ab\n" * 900}
    ]
    return [part for event in events for part in frame.encode(event)]


def frames_of(data: bytes) -> list[bytes]:
    return [line for line in data.split(b"\n") if frame.decode(line) is not None]


def test_cutting_at_every_byte_loses_only_the_frame_that_was_cut() -> None:
    parts = sample()
    data = b"".join(parts)
    ends = [sum(map(len, parts[: k + 1])) for k in range(len(parts))]
    for cut in range(len(data) + 1):
        whole = sum(end - 1 <= cut for end in ends)  # without its last LF a frame is still intact
        assert len(frames_of(data[:cut])) == whole
        begun = sum(end <= cut for end in ends)
        assert len(frames_of(data[cut:])) >= len(parts) - begun - 1


def test_flipping_every_byte_loses_only_the_frame_that_was_hit() -> None:
    parts = sample()
    data = b"".join(parts)
    before = frames_of(data)
    owner = [k for k, part in enumerate(parts) for _ in part]
    for at in range(len(data)):
        for flip in (0x01, 0x80, 0xFF, data[at] ^ 0x0A):
            hurt = data[:at] + bytes([data[at] ^ flip]) + data[at + 1 :]
            left = frames_of(hurt)
            assert [line for k, line in enumerate(before) if k != owner[at]] == [
                line for line in left if line != before[owner[at]]
            ]


@given(st.binary(max_size=300), st.integers(0, 3))
def test_garbage_never_raises(garbage: bytes, where: int) -> None:
    parts = sample()[:3]
    events, _ = read(b"".join([*parts[:where], garbage, *parts[where:]]))
    assert len(events) >= 2
