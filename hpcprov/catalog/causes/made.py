"""Which run made an artifact that another one used: by its values, else its bytes, else its path and the time.

    maker(catalog)({"path": "/scratch/ada/solver", "signature": None, "storage": None}, record)
    ->  "20261121T143426Z-65afd19c"

Of a program only the path is known: the last run that wrote there before the program was started made it.
"""

from __future__ import annotations

from hpcprov.catalog.schema import stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from hpcprov.catalog.causes.upstream import Maker
    from hpcprov.catalog.query import Catalog
    from hpcprov.record.model import Record

LATEST = (
    "SELECT r.id, a.path, r.began FROM artifacts a JOIN runs r ON r.number = a.run"
    " WHERE a.{} = ? AND a.role = 'generated' AND r.id <> ? AND r.began <= ?"
    " ORDER BY CASE WHEN a.path = ? THEN 0 ELSE 1 END, r.began DESC LIMIT 1"
)
ALWAYS = "9999"


def maker(catalog: Catalog) -> Maker:
    """A function that finds the maker of an artifact in a catalog."""

    def made_by(artifact: dict[str, Any], used_by: Record) -> str | None:
        run, path = used_by["run"], stored(str(artifact["path"]))
        for column, value in _searches(artifact):
            asked = (stored(value), stored(str(run["id"])), str(run["start"] or ALWAYS), path)
            rows = [row for _, row in catalog.select(LATEST.format(column), asked)]
            if rows:
                return str(max(rows, key=lambda row: (row[1] == path, row[2]))[0])
        return None

    return made_by


def _searches(artifact: dict[str, Any]) -> Iterator[tuple[str, str]]:
    """Columns and what an artifact is looked for by, the surest first."""
    for kind in ("signature", "storage"):
        if artifact[kind]:
            yield kind, str(artifact[kind]["digest"])
    yield "path", str(artifact["path"])
