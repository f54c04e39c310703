"""Which run made a program or an artifact that another run used, by the rules of lineage (catalog/makers.py).

    maker(catalog)({"path": "/scratch/ada/solver", "signature": None, "storage": None}, record)
    ->  "20261121T143426Z-65afd19c"

Of a program only the path is known: the last run that wrote there before the program was started made it.
"""

from __future__ import annotations

from hpcprov.catalog.makers import find_makers
from hpcprov.catalog.versions import Version

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.causes.upstream import Maker
    from hpcprov.catalog.query import Catalog
    from hpcprov.record.model import Record

# Who made something else that lay there before, or only fields of it, does not explain what it is.
EXPLAINED = (None, "holds", "part of")


def maker(catalog: Catalog) -> Maker:
    """A function that finds the maker of an artifact in a catalog."""
    look = catalog.lookups()

    def made_by(artifact: dict[str, Any], used_by: Record) -> str | None:
        found = find_makers(look, [_version(artifact, used_by["run"])])
        return next((made.maker.run for made in found if made.relation in EXPLAINED), None)

    return made_by


def _version(artifact: dict[str, Any], run: dict[str, Any]) -> Version:
    """An artifact of a record as lineage looks for it; its fields are not asked for."""
    version = Version(str(run["id"]), "used", str(artifact["path"]))
    signature, storage = artifact["signature"], artifact["storage"]
    version.signature = signature["digest"] if signature else None
    version.storage = storage["digest"] if storage else None
    version.size, version.mtime = artifact.get("size"), artifact.get("mtime")
    version.format, version.parent = artifact.get("format"), run["parent"]["run"] if run["parent"] else None
    version.began = run["start"] or ""
    version.ended = run["end"] or run["last_heard"] or version.began
    return version
