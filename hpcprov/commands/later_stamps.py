"""Stamping what a finished run with `--embed` left without an audit trail: `--hash later`, or for want of time; and the
copies that a stamping which was killed left beside outputs.

    stamp(store, record_directory)  ->  ["/scratch/ada/out.nc: stamped"]
    sweep(record)                   ->  ["removed /scratch/ada/.out.nc.hpcprov~, ..."]

Only what is as it was when it was signed is stamped. What was done is appended to the settler's own log as it is done,
so that a settling that is ended tells of it, too; the record then gets a new revision.
"""

from __future__ import annotations

import time

from hpcprov.agent import embedding
from hpcprov.commands.bar import Bar
from hpcprov.commands.ending import tidy
from hpcprov.commands.reading import comparer
from hpcprov.data.embed_draft import remove_left
from hpcprov.merge import settler
from hpcprov.merge.publish import check_logs, refresh, revise
from hpcprov.quality.trail.entries import FORMATS
from hpcprov.record import layout
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.layout import Store
    from hpcprov.record.model import Record


def finish(store: Store, directory: str) -> list[str]:
    """Sweep, then stamp; what was done. What another user's record tells could lead anywhere: nothing."""
    if not layout.is_ours(directory):
        return []
    return [*sweep(refresh(store, directory)), *stamp(store, directory)]


def stamp(store: Store, directory: str) -> list[str]:
    """Stamp the outputs that a run asked for and that are signed by now; what became of each, and of those that take no
    trail."""
    record = refresh(store, directory)
    outputs = left(record)
    if not outputs:
        return []
    check_logs(directory, record)
    told = Told(directory, record)
    if (text := embedding.without_place(record["artifacts"]["generated"])) and not told.knows(embedding.NO_PLACE):
        told.write("problem", text=text)
    settings = {"cache_dir": store.cache, "tiles_dir": store.tiles}
    with tidy(), comparer(settings, Bar(), copies=True) as writing:
        embedding.stamp_all(writing, record, outputs, told.write)
    if told.events:
        revise(store, directory, old=record)
    return told.lines


def left(record: Record) -> list[dict[str, Any]]:
    """The generated artifacts that were to be stamped, can be, and are not."""
    if record["run"]["options"].get("embed") is not True or record["run"]["status"] != embedding.COMPLETED:
        return []
    return [
        one
        for one in record["artifacts"]["generated"]
        if "embedded" not in one and embedding.is_to_be_stamped(one) and is_as_signed(one)
    ]


def is_as_signed(one: dict[str, Any]) -> bool:
    """Whether nothing in a directory is newer; of a file that is known."""
    from hpcprov.signature.snapshot import look

    try:
        return one["files"] is None or look(one["path"]).mtime == embedding.moment_of(one["mtime"])
    except (OSError, ValueError, UnreadableData):
        return False


class Told:
    """The settler's log, and what is printed of it."""

    def __init__(self, directory: str, record: Record) -> None:
        self.directory, self.known = directory, [problem["text"] for problem in record["problems"]]
        self.lines: list[str] = []
        self.events = 0

    def knows(self, beginning: str) -> bool:
        """Whether the record has a problem that begins so."""
        return any(text.startswith(beginning) for text in self.known)

    def write(self, kind: str, **keys: Any) -> None:
        """Append an event; a problem that the record has already is only printed."""
        self.lines.append(keys["text"] if kind == "problem" else f"{keys['path']}: stamped")
        if kind == "problem" and keys["text"] in self.known:
            return
        stamp = {"event": kind, "time": time.time_ns(), "boot": time.clock_gettime_ns(time.CLOCK_BOOTTIME)}
        settler.append(self.directory, [stamp | keys])
        self.events += 1


def sweep(record: Record) -> list[str]:
    """Remove the copies of outputs that this user's processes left behind when they were killed; nothing that a living
    process has."""
    outputs = [one for one in record["artifacts"]["generated"] if one["format"] in (*FORMATS, None)]
    gone = [draft for one in outputs for draft in remove_left(one["path"], fields_of(one))]
    return [f"removed {draft}, which a stamping that was ended had left" for draft in gone]


def fields_of(one: dict[str, Any]) -> list[str]:
    """The paths of an artifact's fields."""
    return [field["path"] for field in (one["signature"] or {}).get("fields") or ()]
