"""A line on a terminal that says how far a command is, and leaves nothing behind.

out.zarr  45 %  1.21 GB of 2.7 GB  850 MB/s  2 s left
"""

from __future__ import annotations

import os
import sys
import time
from contextlib import contextmanager

from hpcprov.commands.screen import cut, duration, size

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import TextIO

QUIET_FOR = 1.0  # s: what is done sooner needs no line
BETWEEN = 0.15  # s between two drawings
LEAST_NAME = 10
WIDTH = 80
CLEAR = "\r\x1b[K"


class Bar:
    """The progress of one path after the other, on `stream`; silent when that is no terminal."""

    def __init__(self, stream: TextIO | None = None) -> None:
        self.stream = stream if stream is not None else sys.stderr
        self.active = self.stream is not None and self.stream.isatty() and os.environ.get("TERM") != "dumb"
        self.shown = False
        self.begin("")

    def begin(self, name: str) -> None:
        """The next path."""
        self.name, self.began, self.drawn = name, time.monotonic(), 0.0

    def show(self, done: int, total: int) -> None:
        """So many bytes are done of so many."""
        now = time.monotonic()
        if not self.active or now - self.began < QUIET_FOR or now - self.drawn < BETWEEN:
            return
        self.drawn, self.shown = now, True
        self._write(CLEAR + line(self.name, done, total, now - self.began, self._width()))

    def clear(self) -> None:
        """Leave a clean line."""
        if self.shown:
            self.shown = False
            self._write(CLEAR)

    def _width(self) -> int:
        try:
            return os.get_terminal_size(self.stream.fileno()).columns or WIDTH  # 0 where nobody told the terminal
        except (OSError, ValueError):
            return WIDTH

    def _write(self, text: str) -> None:
        try:
            self.stream.write(text)
            self.stream.flush()
        except (OSError, ValueError):
            self.active = False  # nobody is looking


@contextmanager
def progress(name: str, total: int) -> Iterator[Callable[[int], None]]:
    """A bar for so many bytes; told of each block."""
    bar, done = Bar(), 0
    bar.begin(name)

    def pulse(number: int) -> None:
        nonlocal done
        done += number
        bar.show(done, total)

    try:
        yield pulse
    finally:
        bar.clear()


def line(name: str, done: int, total: int, seconds: float, width: int) -> str:
    """The line: name, part, bytes, rate, time left, in less than `width` columns; what does not fit is left out,
    the bytes first and then the rate."""
    parts = list(_parts(min(done, total), total, seconds)) if total else [duration(seconds)]
    while len(parts) > 1 and LEAST_NAME + 2 + len("  ".join(parts)) > width - 1:
        del parts[1]
    told = "  ".join(parts)
    room = max(LEAST_NAME, width - 1 - len(told) - 2)
    return f"{cut(name, room)}  {told}"[: max(1, width - 1)]


def _parts(done: int, total: int, seconds: float) -> Iterator[str]:
    yield f"{100 * done // total:3d} %"
    yield f"{size(done)} of {size(total)}"
    yield f"{size(done / max(seconds, 1e-9))}/s"
    if 0 < done < total:
        yield f"{duration(seconds * (total - done) / done)} left"
