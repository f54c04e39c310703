"""What a catalog tells of artifacts: those of a run, the versions of one, who knows a path.

class Catalog(Artifacts, ...): ...
catalog.versions(path="/scratch/ada/out.zarr")
"""

from __future__ import annotations

from hpcprov.catalog.artifact_filters import matching, versions_condition
from hpcprov.catalog.found import ArtifactRow, Match
from hpcprov.catalog.patterns import ends_with, marks
from hpcprov.catalog.schema import maybe_told, stored, told
from hpcprov.catalog.sources import Sources

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from typing import Any

    from hpcprov.catalog.found import RunRow


class Artifacts(Sources):
    """Questions about artifacts."""

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

    def matches(self, row: RunRow, **filters: Any) -> list[Match]:
        """Why a run was found by `digest` or `path`: its artifacts and fields that fit, in order of the record."""
        source = next(one for one in self._sources if one.has(row))
        return [
            Match(columns) for sql, parameters in matching(row.key, filters) for columns in source.ask(sql, parameters)
        ]

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
