"""Which run made an artifact that another one used: by its values, else its bytes, else its path and the time.

makers(catalog)({"path": "/scratch/ada/solver", "signature": None, "storage": None}, record)
->  "20261121T143426Z-65afd19c"
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog import Catalog
    from hpcprov.catalog.causes.upstream import Maker
    from hpcprov.record.model import Record


def makers(catalog: Catalog) -> Maker:
    """A function that finds the maker of an artifact in a catalog."""

    def maker(artifact: dict[str, Any], used_by: Record) -> str | None:
        for search in _searches(artifact):
            found = [row for row in catalog.versions(role="generated", **search) if row.run != used_by["run"]["id"]]
            row = _latest(found, str(used_by["run"]["start"] or ""), str(artifact["path"]))
            if row is not None:
                return str(row.run)
        return None

    return maker


def _searches(artifact: dict[str, Any]) -> list[dict[str, str]]:
    """What an artifact is looked for by, the surest first."""
    digests = ((kind, artifact[kind]) for kind in ("signature", "storage") if artifact[kind])
    return [{kind: str(facts["digest"])} for kind, facts in digests] + [{"path": str(artifact["path"])}]


def _latest(rows: list[Any], before: str, path: str) -> Any:
    """Of those made before a run started, the latest, at its own path first."""
    known = [row for row in rows if not before or not _moment(row) or _moment(row) <= before]
    return max(known, key=lambda row: (row.path == path, _moment(row)), default=None)


def _moment(row: Any) -> str:
    return str(row.last or row.first or "")
