"""Records read for the catalog: one file -> its stamp and its rows, or why it could not be read.

    read_place(store, "records/2026/11/21/20261121T093000Z-1f2e3d4c", Before())
    -> Found(place, stamp, made, rows, None)

The stamp is what tells that a record.json is another one: its inode, size and mtime.
"""

from __future__ import annotations

import os
import time

from hpcprov.catalog.rows import rows_of
from hpcprov.merge.publish import refresh
from hpcprov.merge.read import log_names
from hpcprov.merge.seal import has_grown, verify_written
from hpcprov.record import layout, model
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

    from hpcprov.catalog.before import Before
    from hpcprov.catalog.rows import Rows
    from hpcprov.record.layout import Store

YOUNG = 24 * 3600  # s after which nobody looks for frames that came late
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK
NO_STAMP = "none"


class Found:
    """What is in one place: `rows`, or the `problem`; `stamp`, and when the record was `made`, in s since the epoch."""

    __slots__ = ("made", "place", "problem", "rows", "stamp")

    def __init__(self, place: str, stamp: str, made: int, rows: Rows | None, problem: str | None) -> None:
        self.place, self.stamp, self.made, self.rows, self.problem = place, stamp, made, rows, problem


def read_place(store: Store, place: str, before: Before) -> Found:
    """The record in a directory, `place` relative to the store; a young one with what its logs have got since."""
    directory = os.path.join(store.root, place)
    stamp, made = NO_STAMP, 0
    try:
        try:
            text, stamp, made = _content(os.path.join(directory, layout.RECORD))
            record = model.parse(text, name=os.path.join(directory, layout.RECORD), loads=before.loads)
            if is_young(made) and has_grown(record, directory, log_names(directory)):
                record = refresh(store, directory)
                text, stamp, made = _content(os.path.join(directory, layout.RECORD))
        except FileNotFoundError:
            record = refresh(store, directory)
            text, stamp, made = _content(os.path.join(directory, layout.RECORD))
        return Found(place, stamp, made, rows_of(record, before, sealed=verify_written(text, record)), None)
    except HpcprovError as error:
        return Found(
            place, stamp, made, None, error.message if error.hint is None else f"{error.message} ({error.hint})"
        )
    except (OSError, MemoryError) as error:
        reason = getattr(error, "strerror", None) or str(error) or type(error).__name__
        return Found(place, stamp, made, None, f"{directory}: {reason}")


def stamp_of(directory: str) -> str:
    """The stamp of the record in a directory."""
    try:
        return _stamp(os.stat(os.path.join(directory, layout.RECORD), follow_symlinks=False))
    except OSError:
        return NO_STAMP


def is_young(made: float) -> bool:
    return time.time() - made < YOUNG


def has_late_frames(directory: str, sealed: Mapping[str, int]) -> bool:
    """Do the logs beside a record hold more than was sealed, or are there other ones?"""
    try:
        with os.scandir(directory) as entries:
            logs = [entry for entry in entries if layout.LOG_NAME.fullmatch(entry.name)]
            return any(entry.stat(follow_symlinks=False).st_size > sealed.get(entry.name, -1) for entry in logs)
    except OSError:
        return True


def _content(path: str) -> tuple[bytes, str, int]:
    fd = os.open(path, FLAGS)
    try:
        facts = os.fstat(fd)
        model.refuse(facts, name=path)
        return os.read(fd, facts.st_size), _stamp(facts), int(facts.st_mtime)
    finally:
        os.close(fd)


def _stamp(facts: os.stat_result) -> str:
    return f"{facts.st_ino}-{facts.st_size}-{facts.st_mtime_ns}"
