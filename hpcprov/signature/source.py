"""A file's bytes in large blocks, read by several threads or mapped where this process may do that.

with Source(b"out.h5") as source:
    for block in source.blocks(4, pool):
        hasher.update(block)               # each block until the next is asked for
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from types import TracebackType

from hpcprov.data import mapping
from hpcprov.data.values import Octets
from hpcprov.record.errors import UnreadableData

#: What is mapped at once, and what each thread reads at once.
WINDOW = 64 << 20
BLOCK = 4 << 20


class Source:
    """An open regular file; `path` is relative to the directory `folder` if there is one. Opening never waits at a
    pipe. Raises OSError."""

    def __init__(self, path: bytes, folder: int | None = None) -> None:
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK, dir_fd=folder)

    def __enter__(self) -> Source:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def read(self, buffer: bytearray) -> int:
        """Bytes read into the buffer from where the last call stopped; 0 at the end."""
        return os.readv(self.fd, [buffer])

    def blocks(self, threads: int, pool: ThreadPoolExecutor) -> Iterator[Octets | memoryview]:
        """The file's bytes from the beginning."""
        size = os.fstat(self.fd).st_size
        at = 0
        while at < size and (block := self._window(at, min(WINDOW, size - at))) is not None:
            yield block
            at += len(block)
        buffer = memoryview(bytearray(BLOCK * threads if size - at > BLOCK else BLOCK))
        while count := self._fill(buffer, at, pool):
            yield buffer[:count]
            at += count

    def _window(self, at: int, size: int) -> Octets | None:
        try:
            return mapping.window(self.fd, at, size)
        except UnreadableData:
            return None

    def _fill(self, buffer: memoryview, at: int, pool: ThreadPoolExecutor) -> int:
        """Bytes read, fewer than the buffer has only before the end of the file, each part by a thread."""
        if len(buffer) == BLOCK:
            return os.preadv(self.fd, [buffer], at)
        starts = range(0, len(buffer), BLOCK)
        tasks = [pool.submit(os.preadv, self.fd, [buffer[start : start + BLOCK]], at + start) for start in starts]
        counts = [task.result() for task in tasks]
        return next((start + count for start, count in zip(starts, counts, strict=True) if count < BLOCK), len(buffer))
