"""What a reading has done so far, for a progress bar, and how much of it was done twice.

The engine counts, whoever has a terminal looks:

    watch = Watch()
    describe("out.zarr", watch=watch)      # in another thread: watch.done, watch.total
"""

from __future__ import annotations

from dataclasses import dataclass, field
from threading import Lock


@dataclass
class Watch:
    """Bytes `done` of `total` (stored bytes for the storage digest, then values in memory), and chunks decoded.

    `decoded` counts every decoding of a chunk, `chunks` each chunk once: their ratio is what memory cost in time."""

    total: int = 0
    done: int = 0
    chunks: int = 0
    decoded: int = 0
    what: str = ""
    lock: Lock = field(default_factory=Lock)

    def expect(self, octets: int) -> None:
        """There is that much more to do."""
        with self.lock:
            self.total += octets

    def add(self, octets: int) -> None:
        """That much has been done."""
        with self.lock:
            self.done += octets

    def count(self, *, chunks: int = 0, decoded: int = 0) -> None:
        """So many chunks there are, and so many were decoded."""
        with self.lock:
            self.chunks += chunks
            self.decoded += decoded
