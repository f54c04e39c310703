"""A process that reads records for an index which is made anew: `python -m hpcprov.catalog.worker ROOT`.

Standard input: places in the store, one in a line. Standard output: batches of rows, each as its length in 8 bytes
and `marshal` data, which only the process that started this one reads.
"""

from __future__ import annotations

import gc
import marshal
import os
import sys

from hpcprov.catalog.before import Before
from hpcprov.catalog.reading import Found, read_place
from hpcprov.catalog.rows import Rows
from hpcprov.record.layout import Store

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import IO, Any

BATCH = 100
LENGTH = 8
SLOTS = Rows.__slots__


def main(words: Sequence[str]) -> int:
    """Answer for each place in standard input."""
    store = Store(words[0])
    places = os.fsdecode(sys.stdin.buffer.read()).splitlines()
    before = Before()
    gc.disable()  # what is made here has no cycles, and a fifth of the time would go into looking for some
    for at in range(0, len(places), BATCH):
        send(sys.stdout.buffer, [read_place(store, place, before) for place in places[at : at + BATCH]])
    return 0


def send(file: IO[bytes], batch: list[Found]) -> None:
    data = marshal.dumps([_packed(found) for found in batch])
    file.write(len(data).to_bytes(LENGTH, "little") + data)
    file.flush()


def receive(file: IO[bytes]) -> list[Found]:
    """The next batch; none when the process has ended, or has been ended."""
    head = file.read(LENGTH)
    size = int.from_bytes(head, "little")
    data = file.read(size) if len(head) == LENGTH else b""
    return [_unpacked(one) for one in marshal.loads(data)] if data and len(data) == size else []


def _packed(found: Found) -> tuple[Any, ...]:
    rows = None if found.rows is None else tuple(getattr(found.rows, slot) for slot in SLOTS)
    return found.place, found.stamp, found.made, rows, found.problem


def _unpacked(values: tuple[Any, ...]) -> Found:
    place, stamp, made, slots, problem = values
    rows = None
    if slots is not None:
        rows = Rows.__new__(Rows)
        for slot, value in zip(SLOTS, slots, strict=True):
            setattr(rows, slot, value)
    return Found(place, stamp, made, rows, problem)


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
