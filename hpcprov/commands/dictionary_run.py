"""Which run made a dataset: the one that left these values at this path, else one that left them elsewhere, else the
last one that wrote the path.

    maker_of("/scratch/ada/flood.nc", "hpcprov1:6f0c...").run
    ->  {"id": "20261121T...", "made": True, "how": "made it", "command": "python solve.py", "user": "ada", ...}
"""

from __future__ import annotations

from hpcprov.commands.roots import catalog_of
from hpcprov.record.errors import HpcprovError, NoStore
from hpcprov.record.wording import words

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.found import ArtifactRow
    from hpcprov.catalog.query import Catalog
    from hpcprov.record.model import Record

MOST_VERSIONS = 64
MADE, ELSEWHERE, BEFORE = "made it", "made the same values elsewhere", "wrote it last; the values are others by now"
UNKNOWN = "wrote it last"
#: Values were not read again, and its size and time are those that the run recorded.
UNTOUCHED = "made it, as its size and time say"
LONGEST = 2000


class Maker:
    """A `run` as facts, its `record`, the path by which that knows the dataset (`recorded`), and the `artifact`."""

    def __init__(self, run: dict[str, Any], record: Record, recorded: str) -> None:
        self.run, self.record, self.recorded = run, record, recorded
        generated = record["artifacts"]["generated"]
        self.artifact: dict[str, Any] | None = next((one for one in generated if one["path"] == recorded), None)


def maker_of(path: str, signature: str | None) -> Maker | None:
    """The run that made what is at `path` (absolute), as far as the stores here and above the path know."""
    try:
        with catalog_of(near=[path]) as catalog:
            row, how = _row(catalog, path, signature)
            if row is None:
                return None
            record = catalog.record(row.run)
    except (NoStore, HpcprovError, OSError):
        return None
    return Maker(_facts(record, how, row.path), record, row.path)


def _row(catalog: Catalog, path: str, signature: str | None) -> tuple[ArtifactRow | None, str]:
    versions = catalog.versions(path=path, role="generated", limit=MOST_VERSIONS)
    here = [row for row in versions if row.path == path]
    if signature is None:
        return (here[0], UNKNOWN) if here else (None, "")
    same = [row for row in here if row.signature == signature]
    if same:
        return same[0], MADE
    elsewhere = catalog.versions(signature=signature, role="generated", limit=1)
    if elsewhere:
        return elsewhere[0], ELSEWHERE
    return (here[0], BEFORE) if here else (None, "")


def to_second(moment: str | None) -> str | None:
    """`2026-11-21T17:59:50Z` of a record's moment, which has nanoseconds."""
    return moment and f"{moment[:19]}Z"


def _facts(record: Record, how: str, recorded: str) -> dict[str, Any]:
    run, user = record["run"], record["run"].get("user") or {}
    return {
        "id": run["id"],
        "name": run["name"],
        "made": how in (MADE, ELSEWHERE),
        "how": how,
        "path": recorded,
        "command": words(run["argv"])[:LONGEST],
        "when": to_second(run["start"]),
        "user": user.get("name") or (None if user.get("uid") is None else str(user["uid"])),
        "status": run["status"],
    }
