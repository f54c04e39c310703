"""The catalog that is asked: the indexes of one or several stores, and of the runs that are still going on.

with Catalog(["/scratch/ada/.hpcprov"]) as catalog:
    catalog.runs(status="failed", limit=10)
    catalog.versions(path="/scratch/ada/out.zarr")
"""

from __future__ import annotations

import heapq
import os
import sqlite3
from itertools import islice

from hpcprov.catalog import live
from hpcprov.catalog.artifact_filters import matching, versions_condition
from hpcprov.catalog.filters import condition
from hpcprov.catalog.found import ArtifactRow, Match, RunRow
from hpcprov.catalog.index import Index
from hpcprov.catalog.patterns import AFTER, ends_with, like, marks
from hpcprov.catalog.reading import stamp_of
from hpcprov.catalog.schema import maybe_told, stored, told
from hpcprov.catalog.store import discard
from hpcprov.record import layout, model
from hpcprov.record.errors import AmbiguousRun, HpcprovError, NoStore, NoSuchRun

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from hpcprov.catalog.graph import Graph
    from hpcprov.catalog.lineage import Start
    from hpcprov.catalog.lookups import TableLookups

MANY = 500  # parameters of one statement


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


class Catalog:
    """Runs and artifacts of all stores in `roots`; `problems`: what could not be read; `notes` on how it is kept."""

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

    def __enter__(self) -> Catalog:
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
        return f"<Catalog of {', '.join(self.roots)}>"

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

    def runs(self, *, limit: int | None = None, **filters: Any) -> list[RunRow]:
        """Runs, newest first. Filters (docs/catalog.md): digest, path, image, module, commit, user, node, tag, since,
        until, status, name, type, job, package, library; `used` and `generated` say which artifacts count for digest
        and path. Raises HpcprovError for one that makes no sense."""
        return list(islice(self.each_run(**filters, limit=limit), limit))

    def each_run(self, *, limit: int | None = None, **filters: Any) -> Iterator[RunRow]:
        """The same one after the other; `limit`: no more than that will be asked for."""
        wanted = condition(filters)
        sql = f"SELECT r.number FROM runs r WHERE {wanted.text} ORDER BY r.began DESC, r.id DESC"
        if limit is not None and not wanted.checks:
            sql += f" LIMIT {int(limit)}"
        streams = [self._stream(source, sql, wanted.parameters) for source in self._sources]
        merged = heapq.merge(*streams, key=lambda row: (row.start or "", row.id), reverse=True)
        return (row for row in merged if all(check(self, row) for check in wanted.checks))

    def count(self, **filters: Any) -> int:
        """How many runs there are of which `runs` would tell."""
        wanted = condition(filters)
        if wanted.checks:
            return sum(1 for _ in self.each_run(**filters))
        return sum(
            row[0] for _, row in self.select(f"SELECT count(*) FROM runs r WHERE {wanted.text}", wanted.parameters)
        )

    def run(self, text: str) -> RunRow:
        """The one run that `text` names: an id or an unambiguous beginning of one, `last`, or a name in its batch
        system. Raises NoSuchRun, AmbiguousRun."""
        if text == "last":
            newest = self.runs(limit=1)
            if not newest:
                raise NoSuchRun("there is no run yet", hint="hpcprov exec -- COMMAND makes one")
            return newest[0]
        found = self._named(text)
        if not found:
            hint = f"`hpcprov runs` lists what there is in {', '.join(self.roots)}"
            raise NoSuchRun(f"no run and no job is called {text!a}", hint=hint)
        if len(found) > 1:
            names = [row.id if len(self.roots) < 2 else f"{row.id}  ({row.root})" for row in found[:12]]
            raise AmbiguousRun(f"{text!a} names {len(found)} runs", hint="\n".join(["one of:", *names]))
        return found[0]

    def checked(self, rows: Sequence[RunRow]) -> list[RunRow]:
        """The same runs, those of them read again whose records were changed by hand since they were indexed."""
        stale: dict[str, list[str]] = {}
        for row in rows:
            if row.sealed is not None and stamp_of(row.directory) != row.stamp:
                stale.setdefault(row.root, []).append(row.place)
        for index in self._indexes:
            if index.store.root in stale:
                index.read_again(stale[index.store.root])
        changed = {(root, place) for root, places in stale.items() for place in places}
        fresh = {(row.root, row.place): row for row in self.by_id([place.rpartition("/")[2] for _, place in changed])}
        found = [fresh.get((row.root, row.place)) if (row.root, row.place) in changed else row for row in rows]
        return [row for row in found if row is not None]

    def matches(self, row: RunRow, **filters: Any) -> list[Match]:
        """Why a run was found by `digest` or `path`: its artifacts and fields that fit, in order of the record."""
        source = next(one for one in self._sources if one.has(row))
        return [
            Match(columns) for sql, parameters in matching(row.key, filters) for columns in source.ask(sql, parameters)
        ]

    def by_id(self, ids: Sequence[str]) -> list[RunRow]:
        """The runs with these ids, as far as they are known."""
        found: list[RunRow] = []
        for at in range(0, len(ids), MANY):
            some = ids[at : at + MANY]
            found += self._rows(f"r.id IN ({marks(some)})", [stored(one) for one in some])
        return found

    def directories(self, beginning: str, within: str = "") -> dict[str, str]:
        """The directories of the runs whose id begins with a text, and holds another one; of those that cannot be read,
        too."""
        text, parameters = like("id", f"*{within}*")
        begin = stored(beginning)
        sql = f"SELECT place FROM runs WHERE id >= ? AND id < ? AND {text}"
        found = [(root, place) for root, (place,) in self.select(sql, (begin, begin + AFTER, *parameters))]
        found += [(root, place) for root, (place,) in self.select("SELECT place FROM unread")]
        paths = {place.rpartition("/")[2]: os.path.join(root, place) for root, place in sorted(found)}
        return {name: path for name, path in paths.items() if name.startswith(beginning) and within in name}

    def places_of(
        self, root: str, names: Sequence[str], inner: str, role: str
    ) -> Iterator[tuple[str, str, str | None]]:
        """Which records of one store know an artifact by one of these paths, or by one that ends in `/inner`: the
        record's place in the store, the path, and the run's working directory; the run that ended last first."""
        end, more = ends_with("a.path", f"/{inner}")
        sql = "SELECT r.place, a.path, r.directory FROM artifacts a JOIN runs r ON r.number = a.run WHERE a.role = ? "
        sql += f"AND (a.path IN ({marks(names)}) OR {end}) ORDER BY r.ended DESC"
        parameters = [role, *map(stored, names), *more]
        for place, (found, path, cwd) in self.select(sql, parameters):
            if place == root:
                yield found, told(path), maybe_told(cwd)

    def of_job(self, name: str) -> list[RunRow]:
        """The runs of a batch job, newest first, by what its scheduler calls it: `4711`, `4711.0`, `4711_3`."""
        asked = "r.number IN (SELECT run FROM facets WHERE kind = 'job' AND name = ?)"
        return sorted(self._rows(asked, [stored(name)]), key=lambda row: (row.start or "", row.id), reverse=True)

    def record(self, run_id: str) -> model.Record:
        """The whole record of a run; of one in progress what is known by now. Raises NoSuchRun, BadRecord, OSError."""
        row = self.run(run_id)
        if row.sealed is None:
            return live.record_of(layout.Store(row.root), row.id)
        return model.load(os.path.join(row.directory, layout.RECORD))

    def artifacts(self, run_id: str) -> list[ArtifactRow]:
        """What a run used and generated, in order of its record."""
        return self._artifacts("r.id = ?", [stored(run_id)], order="a.number")

    def versions(
        self,
        *,
        path: str | None = None,
        signature: str | None = None,
        storage: str | None = None,
        prefix: str | None = None,
        field: str | None = None,
        role: str | None = None,
        limit: int | None = None,
    ) -> list[ArtifactRow]:
        """What runs used or generated, newest run first. Of `path` (a glob too; of a directory all below it), with a
        `signature` or `storage` digest, with a digest that begins with `prefix` (6 hexadecimal digits or more; also of
        one of its fields), or with a `field` of this signature; in one `role`."""
        text, parameters = versions_condition(
            path=path, signature=signature, storage=storage, prefix=prefix, field=field, role=role
        )
        found = self._artifacts(text, parameters, limit=limit)
        if path is not None and "[" in path:
            from fnmatch import fnmatchcase

            found = [one for one in found if fnmatchcase(one.path, path)]
        return found

    def parts(self, run_id: str) -> list[RunRow]:
        """The runs that a job or workflow consists of, in order of time."""
        listed = "SELECT f.name FROM facets f JOIN runs w ON w.number = f.run WHERE f.kind = 'part' AND w.id = ?"
        wanted = stored(run_id)
        found = self._rows(f"(r.id IN ({listed}) OR r.job = ? OR r.workflow = ?) AND r.id <> ?", [wanted] * 4)
        return sorted({row.id: row for row in found}.values(), key=lambda row: (row.start or "", row.id))

    def lineage(
        self,
        target: str | Sequence[str] | Start,
        *,
        up: bool = True,
        down: bool = False,
        depth: int | None = None,
        most: int = 10_000,
        cwd: str | None = None,
    ) -> Graph:
        """Where data or runs came from, and what came of them (docs/lineage.md). `target`: a path (relative to `cwd`),
        a path and a field, a digest, or a run; or a list of run ids. `depth`: so many runs on each way; `most`: so many
        nodes. Raises NoSuchRun, AmbiguousRun, and HpcprovError when nothing is known of it."""
        from hpcprov.catalog.lineage import Start, lineage

        start = target if isinstance(target, Start) else self.start(target, cwd=cwd)
        return lineage(self.lookups(), start, up=up, down=down, depth=depth, most=most)

    def start(self, target: str | Sequence[str], *, cwd: str | None = None) -> Start:
        """What `lineage` would begin with. Raises the same."""
        from hpcprov.catalog.target import find_start, of_runs

        if not isinstance(target, str):
            return of_runs(self, list(target))
        return find_start(self, self.lookups(), target, cwd=os.getcwd() if cwd is None else cwd)

    def lookups(self) -> TableLookups:
        """What the rules of lineage ask."""
        from hpcprov.catalog.lookups import TableLookups

        return TableLookups(self._sources)

    def _stream(self, source: Source, sql: str, parameters: Sequence[Any]) -> Iterator[RunRow]:
        """The runs whose numbers a query gives, in its order, some at a time: whoever is slow to take them, a pager for
        example, must not keep the file from others, as a query that is not at its end does without a write-ahead log.
        """
        numbers = [row[0] for row in source.connection.execute(sql, tuple(parameters))]
        for at in range(0, len(numbers), MANY):
            some = numbers[at : at + MANY]
            asked = f"SELECT {RunRow.COLUMNS} FROM runs r JOIN summaries s ON s.run = r.number"
            asked += f" WHERE r.number IN ({marks(some)})"
            rows = {row[0]: row for row in source.connection.execute(asked, some)}
            yield from (RunRow(source.root, rows[number]) for number in some if number in rows)

    def _rows(self, text: str, parameters: Sequence[Any]) -> list[RunRow]:
        sql = f"SELECT {RunRow.COLUMNS} FROM runs r JOIN summaries s ON s.run = r.number WHERE {text}"
        return [RunRow(root, row) for root, row in self.select(sql, parameters)]

    def _artifacts(
        self,
        text: str,
        parameters: Sequence[Any],
        *,
        order: str = "r.began DESC, r.id DESC, a.number",
        limit: int | None = None,
    ) -> list[ArtifactRow]:
        sql = f"SELECT {ArtifactRow.COLUMNS} FROM artifacts a JOIN runs r ON r.number = a.run WHERE {text}"
        sql += f" ORDER BY {order}" + (f" LIMIT {int(limit)}" if limit is not None else "")
        found = [
            ArtifactRow(source.root, row, source.ask)
            for source in self._sources
            for row in source.connection.execute(sql, tuple(parameters))
        ]
        if len(self._sources) > 1 and order != "a.number":
            found.sort(key=lambda one: one.began, reverse=True)
        return found[:limit]

    def _named(self, text: str) -> list[RunRow]:
        exact = self._rows("r.id = ?", [stored(text)])
        if exact:
            return exact[-1:] if len({row.root for row in exact}) == 1 else exact
        beginning = self._rows("r.id >= ? AND r.id < ?", [stored(text), stored(text) + "\U0010ffff"]) if text else []
        return beginning or self.runs(job=text)
