"""What lineage asks (`versions.Lookups`), answered from the catalog's tables: one statement for many values.

    look = TableLookups([Source("/scratch/ada/.hpcprov", connection)])
    look.found("signature", {"hpcprov1:cce8105d..."}, "generated", most=64)

A run that several stores know (a store that was copied) is taken from the first of them.
"""

from __future__ import annotations

from hpcprov.catalog.found import RunRow
from hpcprov.catalog.patterns import AFTER, marks
from hpcprov.catalog.schema import maybe_told, stored, told
from hpcprov.catalog.versions import EXECUTED, Field, Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator, Sequence
    from typing import Any

    from hpcprov.catalog.sources import Source
    from hpcprov.catalog.versions import By

AT_ONCE = 500  # values in one statement
FEW = 4  # makers of what many have made
NEAR = 64  # versions at one path that are looked through for one with a digest
MOST_FIELDS = 100_000  # of all versions that are asked for at once
MOST_PROGRAMS = 100_000  # of all runs that are asked for at once
COLUMNS = (
    "r.id, r.ended, r.parent, a.began, a.number, a.role, a.path, a.state, a.format, a.size, a.mtime, a.signature, "
    "a.storage, a.renamed_from, a.fields"
)
FROM = "FROM artifacts a JOIN runs r ON r.number = a.run"
FROM_FIELDS = "FROM fields f JOIN artifacts a ON a.number = f.artifact JOIN runs r ON r.number = a.run"
PROGRAMS = "SELECT r.id, r.began, r.parent, f.name FROM runs r JOIN facets f ON f.run = r.number"
# No index of kinds: of a hundred thousand runs it would read all that any of them has executed.
PROGRAMS_OF = f"{PROGRAMS} WHERE f.kind || '' = 'program'"
EXECUTED_AT = f"{PROGRAMS} WHERE f.kind = 'program' AND"
#: No artifact of the run tells of the program.
UNTOLD = "NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.run = f.run AND a.path = f.name)"


class TableLookups:
    """The lookups in the databases of one or several stores."""

    def __init__(self, sources: Sequence[Source]) -> None:
        self.sources = sources

    def runs(self, ids: Iterable[str]) -> dict[str, dict[str, object]]:
        found: dict[str, dict[str, object]] = {}
        for some in _portions(ids):
            sql = f"SELECT {RunRow.COLUMNS} FROM runs r JOIN summaries s ON s.run = r.number"
            for number, row in self._rows(f"{sql} WHERE r.id IN ({marks(some)})", [*map(stored, some)]):
                run = RunRow(self.sources[number].root, row)
                found.setdefault(run.id, known(run))
        return found

    def artifacts(self, runs: Iterable[str], role: str) -> list[Version]:
        found: list[Version] = []
        for some in _portions(runs):
            where = f"WHERE r.id IN ({marks(some)}) AND a.role = ?"
            found += self._versions(f"SELECT {COLUMNS} {FROM} {where}", [*map(stored, some), role])
        return sorted(self._once(found), key=lambda version: (version.run, version.path))

    def counts(self, by: By, values: Iterable[str], role: str) -> dict[str, int]:
        table, column = ("fields", "signature") if by == "field" else ("artifacts", by)
        found: dict[str, int] = {}
        for some in _portions(values):
            where = f"WHERE {column} IN ({marks(some)}) AND role = ?"
            sql = f"SELECT {column}, count(*) FROM {table} {where} GROUP BY {column}"
            for _, (value, number) in self._rows(sql, [*map(stored, some), role]):
                found[told(value)] = found.get(told(value), 0) + number
        return found

    def found(self, by: By, values: Iterable[str], role: str, most: int) -> list[tuple[str, Version]]:
        column, tables = ("f.signature", FROM_FIELDS) if by == "field" else (f"a.{by}", FROM)
        own = "f.role" if by == "field" else "a.role"
        found: list[tuple[str, Version]] = []
        for some in _portions(values):
            sql = f"SELECT {column}, {COLUMNS} {tables} WHERE {column} IN ({marks(some)}) AND {own} = ? LIMIT ?"
            left = max(0, most - len(found))
            rows = self._rows(sql, [*map(stored, some), role, left])
            found += [(told(value), self._version(number, row)) for number, (value, *row) in rows]
        once = {id(version) for version in self._once([version for _, version in found])}
        return [pair for pair in found if id(pair[1]) in once][:most]

    def latest(self, by: By, value: str, before: str, path: str | None = None) -> list[Version]:
        if path is None or by == "path":
            return self._latest(by, value, before, FEW)
        near = self._latest("path", path, before, NEAR)
        if fit := [version for version in near if getattr(version, by) == value]:
            return fit[:FEW]
        return self._latest("path", path, before, FEW, by, value) if len(near) == NEAR else []

    def first_seen(self, by: By, values: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
        found: dict[tuple[str, str | None], str] = {}
        for value, path in {*values}:
            table, column = ("fields", "signature") if by == "field" else ("artifacts", by)
            where, also = ("", []) if path is None else (" AND path = ?", [stored(path)])
            sql = f"SELECT began FROM {table} WHERE {column} = ? AND role = 'used'{where} ORDER BY began LIMIT 1"
            rows = [row for _, row in self._rows(sql, [stored(value), *also])]
            if rows:
                found[value, path] = min(began for (began,) in rows)
        return found

    def fields(self, versions: Iterable[Version]) -> dict[object, list[Field]]:
        found: dict[object, list[Field]] = {}
        wanted: dict[int, list[int]] = {}
        for version in versions:
            number, row = version.number
            wanted.setdefault(number, []).append(row)
        for number, rows in wanted.items():
            for some in _portions(rows):
                sql = f"SELECT artifact, path, signature, shape, bytes FROM fields WHERE artifact IN ({marks(some)})"
                for row in self.sources[number].connection.execute(f"{sql} LIMIT {MOST_FIELDS}", some):
                    found.setdefault((number, row[0]), []).append(_field(*row[1:]))
        return found

    def below(self, directory: str, role: str, most: int) -> list[Version]:
        begin = f"{stored(directory)}/"
        where = "WHERE a.path >= ? AND a.path < ? AND a.role = ? ORDER BY a.began DESC LIMIT ?"
        found = self._versions(f"SELECT {COLUMNS} {FROM} {where}", [begin, begin + AFTER, role, most])
        return sorted(self._once(found), key=lambda version: version.began, reverse=True)[:most]

    def programs(self, runs: Iterable[str]) -> list[Version]:
        return self._programs(f"{PROGRAMS_OF} AND r.id IN", runs, MOST_PROGRAMS)

    def executed(self, paths: Iterable[str], most: int) -> list[Version]:
        return self._programs(f"{EXECUTED_AT} f.name IN", paths, most)

    def executed_below(self, directory: str, most: int) -> list[Version]:
        begin = f"{stored(directory)}/"
        sql = f"{EXECUTED_AT} f.name >= ? AND f.name < ? AND {UNTOLD} LIMIT ?"
        return self._as_programs(self._rows(sql, [begin, begin + AFTER, most]), most)

    def at(self, path: str, most: int) -> list[Version]:
        """The versions at a path, newest run first."""
        where = "WHERE a.path = ? ORDER BY a.began DESC LIMIT ?"
        found = self._versions(f"SELECT {COLUMNS} {FROM} {where}", [stored(path), most])
        return sorted(self._once(found), key=lambda version: version.began, reverse=True)[:most]

    def _latest(
        self, by: By, value: str, before: str, most: int, also: By | None = None, its: str | None = None
    ) -> list[Version]:
        where, parameters = f"WHERE a.{by} = ? AND a.role = 'generated'", [stored(value)]
        if before:
            where, parameters = f"{where} AND a.began < ?", [*parameters, before]
        if also is not None and its is not None:
            where, parameters = f"{where} AND a.{also} = ?", [*parameters, stored(its)]
        sql = f"SELECT {COLUMNS} {FROM} {where} ORDER BY a.began DESC LIMIT {most}"
        found = self._once(self._versions(sql, parameters))
        return sorted(found, key=lambda version: version.began, reverse=True)

    def _programs(self, sql: str, values: Iterable[str], most: int) -> list[Version]:
        found: list[tuple[int, Any]] = []
        for some in _portions(values):
            limit = f"({marks(some)}) AND {UNTOLD} LIMIT ?"
            found += self._rows(f"{sql} {limit}", [*map(stored, some), max(0, most - len(found))])
        return self._as_programs(found, most)

    def _as_programs(self, rows: Iterable[tuple[int, Any]], most: int) -> list[Version]:
        found = [_program(self.sources[number].root, number, *row) for number, row in rows]
        return sorted(self._once(found)[:most], key=lambda version: (version.run, version.path))

    def _versions(self, sql: str, parameters: Sequence[Any]) -> list[Version]:
        return [self._version(number, row) for number, row in self._rows(sql, parameters)]

    def _rows(self, sql: str, parameters: Sequence[Any]) -> Iterator[tuple[int, Any]]:
        for number, source in enumerate(self.sources):
            for row in source.connection.execute(sql, parameters):
                yield number, row

    def _version(self, number: int, row: Sequence[Any]) -> Version:
        run, ended, parent, began, key, role, path, state, form, size, mtime, signature, storage, renamed, fields = row
        version = Version(told(run), role, told(path), number=(number, key), root=self.sources[number].root)
        version.began, version.ended, version.parent = began, ended, maybe_told(parent)
        version.state, version.format, version.size, version.mtime = told(state), maybe_told(form), size, mtime
        version.signature, version.storage = maybe_told(signature), maybe_told(storage)
        version.renamed_from, version.fields = maybe_told(renamed), fields
        return version

    def _once(self, versions: list[Version]) -> list[Version]:
        """Each version once, from the first store that has its run."""
        if len(self.sources) < 2:
            return versions
        first: dict[str, int] = {}
        for version in versions:
            number: int = version.number[0]
            first[version.run] = min(first.get(version.run, number), number)
        return [version for version in versions if version.number[0] == first[version.run]]


def known(run: RunRow) -> dict[str, object]:
    """What a graph's node tells of a run."""
    told = ("name", "status", "start", "end", "duration_s", "cwd", "argv", "user", "image", "part_of", "previous")
    about = {name: getattr(run, name) for name in (*told, "type", "parent", "ranks")}
    about |= {"store": run.root, "host": run.nodes[0] if run.nodes else None, "nodes": len(run.nodes)}
    rerun_of = run.summary.get("rerun_of")
    return about | ({"rerun_of": rerun_of} if rerun_of is not None else {})


def _program(root: str, number: int, run: str, began: str, parent: str | None, path: str) -> Version:
    program = Version(told(run), "used", told(path), number=(number, None), root=root)
    program.began = program.ended = began
    program.parent, program.state = maybe_told(parent), EXECUTED
    return program


def _field(path: str, signature: str, shape: str | None, size: int | None) -> Field:
    extents = None if shape is None else [int(extent) for extent in shape.split(",") if extent]
    return Field(told(path), told(signature), extents, size)


def _portions(values: Iterable[Any]) -> Iterator[list[Any]]:
    listed = list(dict.fromkeys(values))
    for first in range(0, len(listed), AT_ONCE):
        yield listed[first : first + AT_ONCE]
