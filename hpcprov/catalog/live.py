"""Runs that are still going on: folded from their logs when they are asked for, and never written to the catalog.

connection, problems = going_on(store)     ->  a database in memory with their rows; None when there are none
"""

from __future__ import annotations

from hpcprov.catalog.before import Before
from hpcprov.catalog.reading import Found
from hpcprov.catalog.rows import rows_of
from hpcprov.merge import find
from hpcprov.merge.alive import doubt
from hpcprov.merge.groups import groups
from hpcprov.merge.publish import compose
from hpcprov.merge.read import read_run
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError, NoSuchRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    import sqlite3

    from hpcprov.record.layout import Store


def going_on(store: Store) -> tuple[sqlite3.Connection | None, list[str]]:
    """The rows of runs in progress, and what could not be read of them."""
    found, problems = [], []
    before = Before()
    for run_id in find.run_ids(store):
        try:
            rows = rows_of(record_of(store, run_id), before, sealed=True)
            found.append(Found(f"runs/{run_id}", "", 0, rows, None))
        except NoSuchRun:
            continue  # merged meanwhile, or nothing is known yet
        except (HpcprovError, OSError) as error:
            problems.append(error.message if isinstance(error, HpcprovError) else f"{store.run(run_id)}: {error}")
    if not found:
        return None, problems
    from hpcprov.catalog.store import make_indexes, private
    from hpcprov.catalog.writing import add

    connection = private(None)
    add(connection, found)
    make_indexes(connection)
    return connection, problems


def record_of(store: Store, run_id: str) -> model.Record:
    """What is known of a run in progress: revision 0, no seal. Raises NoSuchRun, OSError."""
    directory = store.run(run_id)
    try:
        launches = groups(read_run(directory))
    except FileNotFoundError as error:
        raise NoSuchRun(f"there is no run {run_id!a} in progress") from error
    if not launches:
        raise NoSuchRun(f"nothing is known yet of run {run_id!a}")
    over = doubt(launches[-1].logs, directory) is None
    return compose(launches[-1], run_id=run_id, over=over) | {"revision": 0}
