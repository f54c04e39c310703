"""The agent's side of an event area: reading a ring that goes round, giving memory back, believing nothing in it."""

from __future__ import annotations

import fcntl
import os
import struct
import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from hpcprov.agent import reader, spools
from hpcprov.agent.area import HEAD, LOST, STOPPED, TAIL, Area
from hpcprov.agent.draining import Draining
from hpcprov.capture.observed import Observed
from hpcprov.record.errors import HpcprovError

CHUNK, HEADER = 65536, 4096
SMALL = 4 * CHUNK


def header(
    *, magic: bytes = b"hpcprov1", version: int = 1, head: int = HEADER, capacity: int = SMALL, chunk: int = CHUNK
) -> bytes:
    return struct.pack("=8sIIQQ", magic, head, version, capacity, chunk)


class Ring:
    """An area as a launcher makes it, and what a process writes into it."""

    def __init__(self, path: Path, first: bytes | None = None, size: int = HEADER + SMALL) -> None:
        self.path, self.tail = path, 0
        with path.open("wb") as file:
            file.truncate(size)
            file.write(header() if first is None else first)
        self.fd = os.open(path, os.O_RDWR)

    def area(self) -> Area:
        return Area(os.dup(self.fd))

    def set(self, offset: int, value: int) -> None:
        os.pwrite(self.fd, struct.pack("=Q", value), offset)

    def number(self, offset: int) -> int:
        return int(struct.unpack("=Q", os.pread(self.fd, 8, offset))[0])

    def write(self, data: bytes) -> None:
        """What does not cross the end of the ring."""
        os.pwrite(self.fd, data, HEADER + self.tail % SMALL)
        self.tail += len(data)
        self.set(TAIL, self.tail)


@pytest.fixture
def ring(tmp_path: Path) -> Iterator[Ring]:
    made = Ring(tmp_path / "area")
    yield made
    os.close(made.fd)


def test_a_ring_that_goes_round_many_times(ring: Ring) -> None:
    area = ring.area()
    for turn in range(40):
        data = bytes([turn + 1]) * (SMALL // 4)
        ring.write(data)
        read = b""
        while piece := area.read(10_000):
            read += piece
            area.advance(len(piece))
        assert read == data
    assert area.position == ring.tail == 10 * SMALL and not area.damaged
    assert ring.number(HEAD) == 10 * SMALL


def test_memory_is_given_back_by_whole_chunks(ring: Ring) -> None:
    area = ring.area()
    ring.write(b"x" * (2 * CHUNK + 100))
    area.advance(len(area.read(1 << 20)))
    assert ring.number(HEAD) == 2 * CHUNK
    assert os.pread(ring.fd, 2 * CHUNK, HEADER) == bytes(2 * CHUNK)
    assert os.pread(ring.fd, 100, HEADER + 2 * CHUNK) == b"x" * 100
    assert os.stat(ring.path).st_blocks * 512 <= HEADER + 2 * CHUNK


def test_what_a_file_system_without_holes_does(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("hpcprov.agent.area._known", [lambda *_: -1])
    area = ring.area()
    ring.write(b"x" * CHUNK)
    area.advance(len(area.read(CHUNK)))
    assert os.pread(ring.fd, CHUNK, HEADER) == bytes(CHUNK) and ring.number(HEAD) == CHUNK


@pytest.mark.parametrize("tail", [SMALL + 1, 1 << 63, (1 << 64) - 1])
def test_a_tail_that_cannot_be_is_not_believed(ring: Ring, tail: int) -> None:
    area = ring.area()
    ring.set(TAIL, tail)
    assert area.read(1 << 20) == b"" and area.damaged
    ring.set(TAIL, 16)
    assert area.read(1 << 20) == b""  # from then on nothing is


def test_a_tail_that_goes_back(ring: Ring) -> None:
    area = ring.area()
    ring.write(b"x" * 64)
    area.advance(64)
    ring.set(TAIL, 16)
    assert area.waiting() == 0 and area.damaged


@pytest.mark.parametrize(
    "first",
    [
        b"",
        b"hpcprov1",
        header(magic=b"hpcprov2"),
        header(version=2),
        header(capacity=0),
        header(capacity=1 << 40),
        header(capacity=2 * SMALL),  # more than the file has
        header(chunk=0),
        header(chunk=SMALL * 2),
        header(chunk=5000),
        header(head=16),
    ],
)
def test_what_is_no_area(tmp_path: Path, first: bytes) -> None:
    made = Ring(tmp_path / "area", first)
    count = len(os.listdir("/proc/self/fd"))
    with pytest.raises(HpcprovError):
        made.area()
    assert len(os.listdir("/proc/self/fd")) == count  # no descriptor stays open
    os.close(made.fd)


def test_a_file_that_shrinks(ring: Ring) -> None:
    area = ring.area()
    ring.write(b"x" * CHUNK)
    os.truncate(ring.path, 10)
    assert area.read(1 << 20) == b"" and area.lost == (0, 0)


def test_lost_and_stopped(ring: Ring) -> None:
    area = ring.area()
    ring.set(LOST, 7)
    ring.set(LOST + 8, 3)
    assert area.lost == (7, 3)
    area.stop()
    assert os.pread(ring.fd, 4, STOPPED) == b"\1\0\0\0"


def test_an_area_that_is_abandoned_holds_no_memory(ring: Ring) -> None:
    area = ring.area()
    ring.write(b"x" * (2 * CHUNK + 100))
    area.abandon()
    assert os.pread(ring.fd, 4, STOPPED) == b"\1\0\0\0"
    assert os.stat(ring.path).st_blocks * 512 <= HEADER
    assert os.stat(ring.path).st_size == HEADER + SMALL  # who has it mapped can still write


def test_the_last_user_is_told(ring: Ring) -> None:
    area = ring.area()
    fcntl.flock(ring.fd, fcntl.LOCK_SH)
    assert not area.is_last()
    fcntl.flock(ring.fd, fcntl.LOCK_UN)
    assert area.is_last()
    with pytest.raises(BlockingIOError):
        fcntl.flock(ring.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)  # and nobody else comes
    os.close(area.fd)


@pytest.mark.parametrize(
    ("data", "length"),
    [
        ((64 << 8 | 0x52).to_bytes(4, "little") + bytes(100), 64),
        (bytes(48) + (64 << 8 | 0x43).to_bytes(4, "little") + bytes(60), 48),
        (bytes(160), 160),
        ((1 << 20 << 8 & 0xFFFFFFFF | 0x52).to_bytes(4, "little") + bytes(60), 64),
    ],
    ids=["reserved", "zeros", "nothing", "larger than it can be"],
)
def test_what_a_killed_process_left(data: bytes, length: int) -> None:
    assert reader.unfinished(data) == length


def access(path: bytes, state: int) -> bytes:
    """A record of an opening for writing."""
    text = path.ljust(len(path) // 16 * 16 + 24, b"\0")
    size = 40 + len(text)
    return struct.pack("<IHHIIqQQ", size << 8 | state, 2, 2 | 4, 1, 7, 10**18, 0, 0) + text


def test_no_record_is_lost_between_two_pieces_of_what_is_left(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(reader, "BLOCK", 1000)
    written = [access(b"/w/%d" % number, reader.MAGIC[number % 100 != 50]) for number in range(1000)]
    ring.write(b"".join(written))
    seen, left = Observed(cwd="/w", environ={}), reader.Reader(ring.area(), 0)
    while left.feed(seen, final=True):
        pass
    assert left.area.position == ring.tail
    told = [entry for event in seen.events(False) if event["event"] == "access" for entry in event["entries"]]
    assert (len(told), seen.skipped) == (990, 10)


def test_a_writer_at_work_is_looked_at_now_and_then(ring: Ring, monkeypatch: pytest.MonkeyPatch) -> None:
    """Also where the area fills up meanwhile."""
    ring.write(access(b"/w/slow", reader.MAGIC[0]) + access(b"/w/%01000d" % 0, reader.MAGIC[1]) * 100)
    draining, looks = Draining.__new__(Draining), []
    draining.lock, draining.ended, draining.broken = threading.Lock(), threading.Event(), False
    draining.seen, draining.readers = Observed(cwd="/w", environ={}), [reader.Reader(ring.area(), 0)]
    monkeypatch.setattr(reader.Reader, "is_filling", lambda self: not looks.append(len(looks)))
    thread = threading.Thread(target=draining.keep_room)
    thread.start()
    time.sleep(0.5)
    draining.ended.set()
    thread.join()
    assert 0 < len(looks) < 20


def spool(place: Path, digit: str, uid: int | None = None) -> Path:
    path = place / f"hpcprov-{os.geteuid() if uid is None else uid}-{digit * 32}"
    path.mkdir(mode=0o700)
    return path


def test_spools_that_nobody_uses_are_swept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(spools, "places", lambda _: [str(tmp_path)])
    dead, used, other, empty, old, young = (spool(tmp_path, digit) for digit in "abcde0")
    for path in (dead, used, other, young):
        Ring(path / "area")
    (dead / "python.jsonl").write_text("x")
    (dead / ".77-1").write_text("half made")
    os.utime(old, (1, 1))
    foreign = spool(tmp_path, "a", uid=os.geteuid() + 1)
    Ring(foreign / "area")
    link = tmp_path / f"hpcprov-{os.geteuid()}-{'f' * 32}"
    link.symlink_to(foreign)
    holder = os.open(used / "area", os.O_RDWR)
    fcntl.flock(holder, fcntl.LOCK_SH)
    (other / "area").unlink()
    os.mkfifo(other / "area")
    for path in (dead, used, other):
        os.utime(path / "area", (1, 1))
    spools.sweep({})
    left = {path.name for path in tmp_path.iterdir()}
    # What is no file cannot be an area, but is locked like one: it goes as well.
    assert left == {used.name, empty.name, young.name, foreign.name, link.name}
    os.close(holder)


def test_the_spool_of_a_log_is_found_by_its_area(tmp_path: Path) -> None:
    place = tmp_path / spools.of("/data/.hpcprov/runs/x/n1.7-8.0.log")
    place.mkdir()
    made = Ring(place / "area")
    identity = made.area().identity
    assert spools.find("/data/.hpcprov/runs/x/n1.7-8.0.log", identity, {"TMPDIR": str(tmp_path)}) == str(place)
    assert spools.find("/data/.hpcprov/runs/x/n1.7-8.0.log", (0, 0), {"TMPDIR": str(tmp_path)}) is None
    os.close(made.fd)
