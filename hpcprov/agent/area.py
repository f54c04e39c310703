"""The agent's side of an event area (launcher/area.h): read what observed processes wrote, give its memory back.

The application can write into an area as it likes. So it is read with `pread`, never by a map, and nothing in its
header is believed that does not fit the file.

    area = Area(descriptor)          # as a launcher handed it over
    data = area.read(1 << 20)        # from area.position on; b"" when there is nothing new
    area.advance(len(data))          # read; whole chunks before it are holes again
"""

from __future__ import annotations

import fcntl
import os
import struct

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

MAGIC = b"hpcprov1"
FIXED = struct.Struct("=8sIIQQ")  # magic, header, version, capacity, chunk
TAIL, HEAD, LOST, STOPPED = 64, 128, 256, 324  # offsets in the header
HEADER = 512  # bytes of the header page that hold something
WORD = struct.Struct("=Q")
LARGEST = 1 << 30  # bytes of ring that are believed
KEEP_SIZE_PUNCH_HOLE = 3  # fallocate(2)


class Area:
    """One area, under a shared lock of the agent's own for as long as it is open."""

    def __init__(self, descriptor: int) -> None:
        """Takes the descriptor over. Raises OSError, and HpcprovError when it is not an area's."""
        try:
            # A lock belongs to an open file, and a descriptor that was handed over is the launcher's.
            self.fd = os.open(f"/proc/self/fd/{descriptor}", os.O_RDWR | os.O_CLOEXEC | os.O_NONBLOCK)
        finally:
            os.close(descriptor)
        try:
            fcntl.flock(self.fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
            status = os.fstat(self.fd)
            self.identity = (status.st_dev, status.st_ino)
            self.header, self.capacity, self.chunk = fixed(os.pread(self.fd, HEADER, 0), status.st_size)
        except (OSError, HpcprovError):
            os.close(self.fd)
            raise
        self.position = self.freed = 0
        self.damaged = False

    def number(self, offset: int) -> int:
        """One of the header's 64-bit numbers."""
        data = os.pread(self.fd, WORD.size, offset)
        return int(WORD.unpack(data)[0]) if len(data) == WORD.size else 0

    def waiting(self) -> int:
        """Bytes that have been written and not yet read."""
        waiting = self.number(TAIL) - self.position
        if not 0 <= waiting <= self.capacity:
            self.damaged = True
        return 0 if self.damaged else waiting

    @property
    def removed(self) -> bool:
        """Whether the job has taken its name away: programs that start from then on cannot find it. The last launcher
        does so, too, and lets nobody write any more."""
        return os.fstat(self.fd).st_nlink == 0 and os.pread(self.fd, 4, STOPPED) == bytes(4)

    def read(self, most: int) -> bytes:
        """What follows `position`, up to the end of the ring."""
        at = self.position % self.capacity
        length = min(self.waiting(), self.capacity - at, most)
        return os.pread(self.fd, length, self.header + at) if length else b""

    def advance(self, count: int) -> None:
        """`count` bytes have been read."""
        self.position += count
        until = self.position - self.position % self.chunk
        while self.freed < until:
            at = self.freed % self.capacity
            length = min(until - self.freed, self.capacity - at)
            give_back(self.fd, self.header + at, length)
            self.freed += length
            os.pwrite(self.fd, WORD.pack(self.freed), HEAD)

    @property
    def lost(self) -> tuple[int, int]:
        """Records that did not fit, and records that were cut."""
        return self.number(LOST), self.number(LOST + WORD.size)

    def stop(self) -> None:
        """Let nobody write any more: nobody is going to read it."""
        os.pwrite(self.fd, b"\1\0\0\0", STOPPED)

    def abandon(self) -> None:
        """Stop, and give back all memory with what has not been read."""
        self.stop()
        _punch()(self.fd, KEEP_SIZE_PUNCH_HOLE, self.header, self.capacity)

    def is_last(self) -> bool:
        """Whether nobody else uses the area any more; then nobody else comes, either."""
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            return True
        except OSError:
            return False


def fixed(data: bytes, size: int) -> tuple[int, int, int]:
    """The length of the header, of the ring and of a chunk, in bytes. `size`: the file's. Raises HpcprovError."""
    if len(data) < HEADER or data[:8] != MAGIC:
        raise HpcprovError("no event area")
    _, header, version, capacity, chunk = FIXED.unpack_from(data)
    fits = header + capacity <= size and 0 < capacity <= LARGEST and HEADER <= header <= 1 << 20
    if version != 1 or not fits or not 4096 <= chunk <= capacity or capacity % chunk:
        raise HpcprovError("an event area of another version, or damaged")
    return header, capacity, chunk


def give_back(fd: int, at: int, length: int) -> None:
    """Make a hole, which reads as zeros."""
    if _punch()(fd, KEEP_SIZE_PUNCH_HOLE, at, length) == 0:
        return
    for offset in range(at, at + length, 1 << 16):  # a file system that cannot
        os.pwrite(fd, bytes(min(1 << 16, at + length - offset)), offset)


_known: list[Callable[[int, int, int, int], int]] = []


def _punch() -> Callable[[int, int, int, int], int]:
    if not _known:
        import ctypes  # only for runs with many events

        function = ctypes.CDLL(None).fallocate
        function.argtypes = [ctypes.c_int, ctypes.c_int, ctypes.c_longlong, ctypes.c_longlong]
        function.restype = ctypes.c_int
        _known.append(function)
    return _known[0]
