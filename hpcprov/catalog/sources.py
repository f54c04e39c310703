"""The databases that a catalog asks: the indexes of one or several stores, and of the runs that are still going on.

with Sources(["/scratch/ada/.hpcprov"]) as sources:
    for root, (run,) in sources.select("SELECT id FROM runs"): ...
"""

from __future__ import annotations

import os
import sqlite3

from hpcprov.catalog import live
from hpcprov.catalog.index import Index
from hpcprov.catalog.store import discard
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError, NoStore

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any, Self

    from hpcprov.catalog.found import RunRow


class Source:
    """One database that is asked: of a store's records, or of its runs in progress."""

    def __init__(self, root: str, connection: sqlite3.Connection) -> None:
        self.root, self.connection = root, connection

    def ask(self, sql: str, parameters: Sequence[Any]) -> list[Any]:
        return self.connection.execute(sql, tuple(parameters)).fetchall()

    def has(self, row: RunRow) -> bool:
        """Is a row from here?"""
        asked = "SELECT 1 FROM runs WHERE number = ? AND place = ?"
        return self.root == row.root and bool(self.ask(asked, (row.key, row.place)))


class Sources:
    """Of all stores in `roots`; `problems`: what could not be read; `notes` on how it is kept."""

    def __init__(self, roots: Sequence[str], *, update: bool = True, tell: Callable[[str], None] | None = None) -> None:
        """`tell` hears what takes long."""
        self.roots = list(dict.fromkeys(os.path.abspath(root) for root in roots))
        self.problems: list[str] = []
        self.notes: list[str] = []
        self._indexes: list[Index] = []
        self._sources: list[Source] = []
        try:
            for root in self.roots:
                self._open(root, tell, update=update)
        except BaseException:
            self.close()
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(self, _: object, error: BaseException | None, __: object) -> None:
        """Close; damage that showed only in a query is told, and the file removed. Raises HpcprovError."""
        paths = [index.path for index in self._indexes]
        self.close()
        if isinstance(error, sqlite3.DatabaseError) and error.sqlite_errorcode & 0xFF == sqlite3.SQLITE_CORRUPT:
            for path in paths:
                discard(path)
            hint = "ask again: it is then made anew from the records"
            raise HpcprovError(
                f"the catalog {' or '.join(paths)} was damaged, and has been removed", hint=hint
            ) from error

    def __repr__(self) -> str:
        return f"<{type(self).__name__} of {', '.join(self.roots)}>"

    def close(self) -> None:
        for source in self._sources:
            source.connection.close()
        for index in self._indexes:
            index.close()
        self._sources, self._indexes = [], []

    def _open(self, root: str, tell: Callable[[str], None] | None, *, update: bool) -> None:
        if not os.path.isdir(root):
            raise NoStore(f"{root!a} is not a directory", hint="--root names a `.hpcprov` directory")
        store = layout.Store(root)
        index = Index(store, tell)
        self._indexes.append(index)
        if update:
            index.update()
        self._sources.append(Source(root, index.connection))
        going_on, problems = live.going_on(store)
        if going_on is not None:
            self._sources.append(Source(root, going_on))
        self.problems += [*problems, *index.unread()]
        self.notes += index.notes

    def select(self, sql: str, parameters: Sequence[Any] = ()) -> Iterator[tuple[str, tuple[Any, ...]]]:
        """Rows of a query on the tables of schema.py, each with the store that it is from; one store after the other.
        Text in conditions must be as `schema.stored` writes it."""
        for source in self._sources:
            for row in source.connection.execute(sql, tuple(parameters)):
                yield source.root, row
