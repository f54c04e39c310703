"""Reading anywhere in a deflated stream with bounded memory.

One pass from end to end checks the stream's length and CRC-32 and keeps a copy of the inflater, some 40 KiB, every few
MiB. Later reads begin at the copy before them. Threads may read at once.

    stream = Inflated(fd, start, packed, size, crc)
    stream.check()
    stream.cursor(offset).read_into(target, offset)
"""

from __future__ import annotations

import os
import zlib
from bisect import bisect_right
from threading import Lock
from typing import Any

from hpcprov.record.errors import UnreadableData

#: At least so many bytes between two points, and at most so many points.
STEP = 4 << 20
POINTS = 512
INPUT = 64 << 10
OUTPUT = 256 << 10


class Inflated:
    """`size` bytes that are stored as `packed` deflated bytes at the offset `start` of a file."""

    def __init__(self, fd: int, start: int, packed: int, size: int, checksum: int) -> None:
        self.fd, self.start, self.packed, self.size, self.checksum = fd, start, packed, size, checksum
        self.step = max(STEP, -(-size // POINTS))
        self.points: list[tuple[int, int, Any, bytes]] = []
        self.lock = Lock()

    def check(self) -> None:
        """Inflate everything once. Raises UnreadableData for a stream that is damaged or has another length."""
        with self.lock:
            if not self.points:
                self.points = self._pass()

    def _pass(self) -> list[tuple[int, int, Any, bytes]]:
        cursor = self.start_cursor()
        points, checksum = [cursor.point()], 0
        while part := cursor.inflate():
            checksum = zlib.crc32(part, checksum)
            if cursor.at > self.size:
                break
            if cursor.at >= points[-1][0] + self.step:
                points.append(cursor.point())
        if cursor.at != self.size or not cursor.inflater.eof:
            raise UnreadableData(f"does not inflate to the {self.size} bytes that it declares")
        if checksum != self.checksum:
            raise UnreadableData("its bytes do not match the CRC-32 in the archive")
        return points

    def start_cursor(self) -> Cursor:
        """A reader for the beginning, for which nothing need be checked yet."""
        return Cursor(self, 0, 0, zlib.decompressobj(-zlib.MAX_WBITS), b"")

    def cursor(self, offset: int) -> Cursor:
        """A reader for `offset` and what follows."""
        at, taken, inflater, rest = self.points[bisect_right(self.points, offset, key=lambda point: point[0]) - 1]
        return Cursor(self, at, taken, inflater.copy(), rest)


class Cursor:
    """Reads forward; `at` is how many bytes have come out, `taken` how many have gone in."""

    def __init__(self, source: Inflated, at: int, taken: int, inflater: Any, rest: bytes) -> None:
        self.source, self.at, self.taken, self.inflater, self.rest = source, at, taken, inflater, rest
        self.held = memoryview(b"")

    def point(self) -> tuple[int, int, Any, bytes]:
        return self.at, self.taken, self.inflater.copy(), self.rest

    def inflate(self) -> bytes:
        """The next bytes; empty at the end."""
        while not self.inflater.eof:
            if not self.rest:
                self.rest = self._next()
            try:
                part: bytes = self.inflater.decompress(self.rest, OUTPUT)
            except zlib.error as error:
                raise UnreadableData(f"cannot be inflated: {error}") from error
            ended = not self.rest
            self.rest = self.inflater.unconsumed_tail
            if part or ended:
                self.at += len(part)
                return part
        return b""

    def _next(self) -> bytes:
        source = self.source
        part = os.pread(source.fd, min(INPUT, source.packed - self.taken), source.start + self.taken)
        self.taken += len(part)
        return part

    def read_into(self, target: memoryview, offset: int) -> None:
        """Fill `target` from `offset` on, which is not before what was read last."""
        while target:
            begin = self.at - len(self.held)
            if offset >= self.at:
                part = self.inflate()
                if not part:
                    raise UnreadableData(f"ends at byte {self.at}")
                self.held = memoryview(part)
                continue
            found = self.held[offset - begin : offset - begin + len(target)]
            target[: len(found)] = found
            target, offset = target[len(found) :], offset + len(found)
