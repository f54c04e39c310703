"""Rows of records written to the catalog, a batch in one transaction; those that were there before are replaced.

with transaction(connection): add(connection, found)
"""

from __future__ import annotations

import sqlite3

from hpcprov.catalog.schema import ARTIFACT_COLUMNS, RUN_COLUMNS, stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.catalog.reading import Found

MANY = 500  # parameters of one statement
HAS = {
    "summaries": "run = ?",
    "facets": "run = ?",
    "fields": "artifact IN (SELECT number FROM artifacts WHERE run = ?)",
    "artifacts": "run = ?",
    "runs": "number = ?",
}


def _insert(table: str, number: int) -> str:
    return f"INSERT INTO {table} VALUES ({', '.join('?' * number)})"


INTO = {
    "runs": _insert("runs", len(RUN_COLUMNS)),
    "artifacts": _insert("artifacts", len(ARTIFACT_COLUMNS)),
    "fields": _insert("fields", 8),
    "facets": _insert("facets", 4),
    "summaries": _insert("summaries", 3),
    "lists": _insert("lists", 3),
    "unread": _insert("unread", 4),
    "days": _insert("days", 2),
}


class transaction:
    """What is done within is done altogether, or not at all. One writer at a time: others wait."""

    def __init__(self, connection: sqlite3.Connection) -> None:
        self.connection = connection

    def __enter__(self) -> None:
        self.connection.execute("BEGIN IMMEDIATE")

    def __exit__(self, kind: object, *_: object) -> None:
        if kind is None:
            self.connection.execute("COMMIT")
            return
        try:
            self.connection.execute("ROLLBACK")
        except sqlite3.Error:
            pass  # a full disk has ended the transaction already


def add(connection: sqlite3.Connection, batch: Iterable[Found]) -> None:
    """Add what was found in some places, in the place of what was known of them. What somebody else has added since it
    was looked for is left alone: of several who index a new store at once one writes it."""
    batch = _news(connection, list(batch))
    remove(connection, [found.place for found in batch])
    run, artifact = _last(connection, "runs"), _last(connection, "artifacts")
    rows: dict[str, list[tuple[Any, ...]]] = {table: [] for table in INTO}
    for found in batch:
        day = found.place[len("records/") : -len(found.place.rpartition("/")[2]) - 1]
        if found.rows is None:
            rows["unread"].append((found.place, day, found.stamp, stored(found.problem or "")))
            continue
        run += 1
        identity = run, found.place.rpartition("/")[2], found.place, day, found.stamp, found.made
        rows["runs"].append(identity + tuple(found.rows.run[name] for name in RUN_COLUMNS[len(identity) :]))
        began = found.rows.run["began"]
        rows["summaries"].append((run, found.rows.summary, found.rows.logs))
        rows["artifacts"] += [
            (artifact + 1 + at, run, began, *columns) for at, columns in enumerate(found.rows.artifacts)
        ]
        rows["fields"] += [(artifact + 1 + at, *columns, began) for at, *columns in found.rows.fields]
        rows["facets"] += [(run, *facet) for facet in found.rows.facets]
        artifact += len(found.rows.artifacts)
    lists = {name: members for found in batch if found.rows is not None for name, members in found.rows.lists.items()}
    for name in _unknown(connection, lists):
        rows["lists"] += [(name, *member) for member in lists[name]]
    for table, values in rows.items():
        connection.executemany(INTO[table], values)


def _news(connection: sqlite3.Connection, batch: list[Found]) -> list[Found]:
    """What is not known yet as it was found."""
    known: dict[str, str] = {}
    for at in range(0, len(batch), MANY):
        some = [found.place for found in batch[at : at + MANY]]
        marks = ", ".join("?" for _ in some)
        known |= dict(connection.execute(f"SELECT place, stamp FROM runs WHERE place IN ({marks})", some))
    return [found for found in batch if found.rows is None or known.get(found.place) != found.stamp]


def remove(connection: sqlite3.Connection, places: Iterable[str]) -> None:
    """Remove what is known of some places."""
    places = list(places)
    for at in range(0, len(places), MANY):
        some = places[at : at + MANY]
        marks = ", ".join("?" for _ in some)
        for row in connection.execute(f"SELECT number FROM runs WHERE place IN ({marks})", some).fetchall():
            for table, condition in HAS.items():
                connection.execute(f"DELETE FROM {table} WHERE {condition}", row)
        connection.execute(f"DELETE FROM unread WHERE place IN ({marks})", some)


def set_days(connection: sqlite3.Connection, days: Iterable[tuple[str, int]]) -> None:
    """Remember when days were listed."""
    days = list(days)
    connection.executemany("DELETE FROM days WHERE day = ?", [(day,) for day, _ in days])
    connection.executemany(INTO["days"], days)


def set_meta(connection: sqlite3.Connection, name: str, value: str) -> None:
    connection.execute("DELETE FROM meta WHERE name = ?", (name,))
    connection.execute("INSERT INTO meta (name, value) VALUES (?, ?)", (name, value))


def forget_days(connection: sqlite3.Connection, days: Iterable[str]) -> None:
    connection.executemany("DELETE FROM days WHERE day = ?", [(day,) for day in days])


def _last(connection: sqlite3.Connection, table: str) -> int:
    (number,) = connection.execute(f"SELECT max(number) FROM {table}").fetchone()
    return int(number or 0)


def _unknown(connection: sqlite3.Connection, names: Iterable[str]) -> list[str]:
    """The names of lists that are not there yet."""
    asked = "SELECT 1 FROM lists WHERE list = ?"
    return [name for name in names if connection.execute(asked, (name,)).fetchone() is None]
