"""The reading process of a command: with half of the free memory, and telling the bar how far it is.

with reader({"threads": 2}, Bar()) as reading:
    facts = reading.describe("out.h5").result
"""

from __future__ import annotations

import argparse
import math
import os

from hpcprov.capture import cgroup
from hpcprov.quality.isolated import Comparing
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError, NoStore
from hpcprov.signature.isolated import Isolated

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.bar import Bar

#: What the reading process may write in one file, when there is a directory to write to.
LARGEST_FILE = 1 << 30
#: And when it makes copies of data, which the free space bounds.
LARGEST_COPY = 1 << 50
#: Memory that is taken to be free when it cannot be found out.
SOME_MEMORY = 4 << 30


def thread_number(text: str) -> int:
    """The value of `--threads`."""
    number = int(text) if text.isascii() and text.isdigit() and len(text) < 10 else 0
    if number < 1:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of threads: 1 or more")
    return number


def tolerance(text: str) -> float:
    """The value of `--rtol` and `--atol`."""
    try:
        number = float(text)
    except ValueError:
        number = math.nan
    if not 0 <= number < math.inf:
        raise argparse.ArgumentTypeError(f"{text!r} is not a number of 0 or more")
    return number


def memory() -> int:
    """The bytes that a reading process may take: half of what is free."""
    try:
        return cgroup.free_memory() // 2
    except (OSError, HpcprovError):
        return SOME_MEMORY


def known_places() -> dict[str, str | None]:
    """The settings that say where signatures and tile digests of earlier times are: nowhere without a store."""
    try:
        store = layout.find_store(os.environ, os.getcwd())
    except NoStore:
        return {"cache_dir": None, "tiles_dir": None}
    return {"cache_dir": store.cache, "tiles_dir": store.tiles}


def reader(settings: dict[str, Any], bar: Bar) -> Isolated:
    """A process that reads; `settings` as in `Isolated`."""
    return Isolated(settings, **_limits(settings, bar))


def comparer(settings: dict[str, Any], bar: Bar, *, copies: bool = False) -> Comparing:
    """A process that compares, and reads as any other; where it makes `copies` of data they may be of any size."""
    return Comparing(settings, **(_limits(settings, bar) | ({"files": LARGEST_COPY} if copies else {})))


def _limits(settings: dict[str, Any], bar: Bar) -> dict[str, Any]:
    writes = settings.get("cache_dir") is not None or settings.get("tiles_dir") is not None

    def progress(counts: dict[str, Any]) -> None:
        done, total = counts.get("done"), counts.get("total")
        if isinstance(done, int) and isinstance(total, int):
            bar.show(done, total)

    return {"memory": memory(), "files": LARGEST_FILE if writes else 0, "progress": progress}
