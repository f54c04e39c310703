"""What a catalog tells of runs: which fit, which one is meant, whose parts they are.

class Catalog(Runs, ...): ...
catalog.runs(status="failed", limit=10)
"""

from __future__ import annotations

import heapq
import os
from itertools import islice

from hpcprov.catalog import live
from hpcprov.catalog.filters import condition
from hpcprov.catalog.found import RunRow
from hpcprov.catalog.patterns import AFTER, like, marks
from hpcprov.catalog.reading import stamp_of
from hpcprov.catalog.schema import stored
from hpcprov.catalog.sources import Sources
from hpcprov.record import layout, model
from hpcprov.record.errors import AmbiguousRun, NoSuchRun
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hpcprov.catalog.sources import Source

MANY = 500  # parameters of one statement
MOST_NAMED = 12  # runs of one name that are listed


class Runs(Sources):
    """Questions about runs."""

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
            hint = self.called(text) or f"`hpcprov runs` lists what there is in {', '.join(self.roots)}"
            raise NoSuchRun(f"no run and no job is called {text!a}", hint=hint)
        if len(found) > 1:
            names = [row.id if len(self.roots) < 2 else f"{row.id}  ({row.root})" for row in found[:12]]
            raise AmbiguousRun(f"{text!a} names {len(found)} runs", hint="\n".join(["one of:", *names]))
        return found[0]

    def called(self, name: str) -> str:
        """A hint with the ids of the newest runs of a name, or nothing. Several runs may have one name, so it does not
        choose one; whoever gave it learns the ids."""
        named = self.runs(name=name, limit=MOST_NAMED + 1) if name else []
        ids = [row.id for row in named if row.name == name]
        more = ["... and more"] if len(ids) > MOST_NAMED else []
        return "\n".join([f"{printable(name)} is the name of runs; one of:", *ids[:MOST_NAMED], *more]) if ids else ""

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

    def parts(self, run_id: str) -> list[RunRow]:
        """The runs that a job or workflow consists of, in order of time."""
        listed = "SELECT f.name FROM facets f JOIN runs w ON w.number = f.run WHERE f.kind = 'part' AND w.id = ?"
        wanted = stored(run_id)
        found = self._rows(f"(r.id IN ({listed}) OR r.job = ? OR r.workflow = ?) AND r.id <> ?", [wanted] * 4)
        return sorted({row.id: row for row in found}.values(), key=lambda row: (row.start or "", row.id))

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

    def _named(self, text: str) -> list[RunRow]:
        exact = self._rows("r.id = ?", [stored(text)])
        if exact:
            return exact[-1:] if len({row.root for row in exact}) == 1 else exact
        beginning = self._rows("r.id >= ? AND r.id < ?", [stored(text), stored(text) + "\U0010ffff"]) if text else []
        return beginning or self.runs(job=text)
