"""The index of one store: its records as rows, brought up to date by reading only what has changed.

    index = Index(Store("/scratch/ada/.hpcprov"))
    index.update()
    index.connection.execute("SELECT id FROM runs")

What is looked at: each day's directory (has it changed since it was listed?), in those that have the stamp of each
record, of the newest records always, and of all once a day; the logs beside records that are younger than a day.
"""

from __future__ import annotations

import gc
import json
import os
import sqlite3
import time

from hpcprov.catalog import days, store, writing
from hpcprov.catalog.crew import read_places
from hpcprov.catalog.reading import YOUNG, has_late_frames, stamp_of

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Iterator

    from hpcprov.catalog.reading import Found
    from hpcprov.record.layout import Store

LONG = 5000  # records whose reading is announced
BATCH = 500  # records in one transaction
NEWEST = 1000  # records that are looked at by each call
LOOKED = "looked at all"  # when that was, s since the epoch
ONCE = 24 * 3600  # s after which all are


class Index:
    """One store's catalog: its `connection`, and `notes` on how it is kept."""

    def __init__(self, place: Store, tell: Callable[[str], None] | None = None) -> None:
        """`tell` hears what takes long."""
        self.store, self.tell = place, tell
        self.path = store.place_of(place, os.environ)
        self.connection, note = store.opened(self.path)
        self.notes = [note] if note is not None else []
        self.closed: list[str] = []

    def close(self) -> None:
        self.connection.close()

    def update(self) -> None:
        """Bring the index up to date; where its file cannot be written, in memory, and a note says so."""
        for _ in range(3):
            try:
                return self._update()
            except sqlite3.DatabaseError as error:
                self._replace(error)

    def read_again(self, places: list[str]) -> None:
        """Bring what is known of some places up to date."""
        try:
            self._add(places)
        except sqlite3.DatabaseError as error:
            self._replace(error)
            self.update()

    def unread(self) -> list[str]:
        """What is wrong with records that could not be read."""
        from hpcprov.catalog.schema import told

        return [told(row[0]) for row in self.connection.execute("SELECT problem FROM unread ORDER BY place DESC")]

    def _replace(self, error: sqlite3.DatabaseError) -> None:
        path = self.path
        self.connection.close()
        if store.is_corrupt(error):
            store.discard(path)
            self.connection, note = store.opened(path)
            self.notes.append(note or f"{path} was damaged, and is made again from the records")
        else:
            self.connection = store.private(path)
            self.notes.append(f"{path} cannot be written ({error}): an index is kept in memory instead")

    def _update(self) -> None:
        local = store.is_local(self.store.root)
        known, now = self._known_days(), days.days(self.store)
        every = self._is_time()
        changed = (day for day in now if every or known.get(day) != now[day])
        listed = {day: days.settled(now[day], local=local) for day in changed}
        self.closed = days.closed(self.store, listed)
        self.notes += [f"{path}: Permission denied: records in it are not looked at" for path in self.closed]
        listed = {day: when for day, when in listed.items() if not self._is_closed(day)}
        past = [day for day in known.keys() - now.keys() if not self._is_closed(day)]
        gone: list[str] = []
        wanted: dict[str, None] = {}
        for day in listed:
            more, less = self._changes_of(day)
            wanted |= more
            gone += less
        gone += [place for day in past for place in self._places(day)]
        wanted |= dict.fromkeys(self._changed(listed.keys()))
        if gone:
            with writing.transaction(self.connection):
                writing.remove(self.connection, gone)
        if self.tell is not None and len(wanted) >= LONG:
            self.tell(f"indexing {len(wanted):,} records of {self.store.root}")
        self._add(list(wanted))
        store.make_indexes(self.connection)
        if listed or past:
            with writing.transaction(self.connection):
                writing.forget_days(self.connection, past)
                writing.set_days(self.connection, listed.items())
                if every:
                    writing.set_meta(self.connection, LOOKED, str(int(time.time())))

    def _is_closed(self, day: str) -> bool:
        """May the directory of a day, or one above it, not be read? What is known of it then stays as it is."""
        place = os.path.join(self.store.records, day)
        return any(f"{place}/".startswith(f"{path}/") for path in self.closed)

    def _is_time(self) -> bool:
        """Have the stamps of all records not been looked at for a day?"""
        row = self.connection.execute("SELECT value FROM meta WHERE name = ?", (LOOKED,)).fetchone()
        return row is None or not 0 <= time.time() - int(row[0]) < ONCE

    def _add(self, places: list[str]) -> None:
        collects = gc.isenabled()
        gc.disable()  # rows have no cycles, and a tenth of the time would go into looking for some
        try:
            for batch in batches(read_places(self.store, places)):
                with writing.transaction(self.connection):
                    writing.add(self.connection, batch)
        finally:
            if collects:
                gc.enable()

    def _known_days(self) -> dict[str, int]:
        return dict(self.connection.execute("SELECT day, changed FROM days"))

    def _places(self, day: str) -> dict[str, str]:
        """What is known of a day: places and stamps."""
        told = "SELECT place, stamp FROM runs WHERE day = ? UNION ALL SELECT place, stamp FROM unread WHERE day = ?"
        return dict(self.connection.execute(told, (day, day)))

    def _changes_of(self, day: str) -> tuple[dict[str, None], list[str]]:
        """Places to be read, and places that are gone."""
        known, now = self._places(day), days.places(self.store, day)
        changed = (place for place in now if place not in known or known[place] != self._stamp(place))
        return dict.fromkeys(changed), [*known.keys() - set(now)]

    def _stamp(self, place: str) -> str:
        return stamp_of(os.path.join(self.store.root, place))

    def _changed(self, listed: Iterable[str]) -> Iterator[str]:
        """Places of days that have not changed, and whose records have: those that are looked at all the same."""
        done = set(listed)
        newest = f"SELECT place, stamp, day FROM runs ORDER BY began DESC, id DESC LIMIT {NEWEST}"
        unread = "SELECT place, stamp, day FROM unread"
        for place, stamp, day in [row for asked in (newest, unread) for row in self.connection.execute(asked)]:
            if day not in done and self._stamp(place) != stamp:
                yield place
        young = "SELECT place, logs FROM runs, summaries WHERE run = number AND made > ? ORDER BY made DESC LIMIT ?"
        for place, logs in self.connection.execute(young, (int(time.time()) - YOUNG, NEWEST)).fetchall():
            if has_late_frames(os.path.join(self.store.root, place), json.loads(logs)):
                yield place


def batches(found: Iterable[Found]) -> Iterator[list[Found]]:
    batch: list[Found] = []
    for one in found:
        batch.append(one)
        if len(batch) == BATCH:
            yield batch
            batch = []
    if batch:
        yield batch
