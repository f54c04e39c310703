"""The trail of data that tells nothing itself, put together from the records: of what was never stamped, and of formats
that have no place for it (CSV, npy, npz).

    recorded("out.csv", signature=None, storage="blake3:5b1f...")
    ->  ("/data/.hpcprov", [{"run": "20261121T...", "did": "written by clean.py", "before": None, ...}])

It begins with the run that left these values here, else anywhere, else with the newest that wrote to the path; before
it come those whose values it found and wrote over. The oldest is the first.
"""

from __future__ import annotations

import glob
import os

from hpcprov.catalog import open_catalog
from hpcprov.commands.choose import store_here, tell
from hpcprov.commands.expected import stores
from hpcprov.quality.trail.entries import entry_of
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.found import ArtifactRow
    from hpcprov.catalog.query import Catalog
    from hpcprov.quality.trail.entries import Entry

MOST_ENTRIES = 1000
GENERATED = "generated"


def recorded(path: str, *, signature: str | None, storage: str | None) -> tuple[str | None, list[Entry]]:
    """The store that knows of data with these digests, and its entries; None and nothing where none does."""
    place = os.path.realpath(path)
    try:
        store_here()  # settles what is over
    except HpcprovError:
        pass
    roots = searched(path)
    if not roots:
        return None, []
    with open_catalog(roots, tell=tell) as catalog:
        last = _last(catalog, place, signature, storage)
        return (None, []) if last is None else (last.root, _entries(catalog, last))


def searched(path: str) -> list[str]:
    """The stores that are asked about data at `path`."""
    return [store.root for store in stores(os.environ, os.getcwd(), os.path.realpath(path))]


def _last(catalog: Catalog, path: str, signature: str | None, storage: str | None) -> ArtifactRow | None:
    """The version that is there now: by its values, its bytes, or its path."""
    wanted: list[dict[str, Any]] = []
    wanted += [{"signature": signature}] if signature is not None else []
    wanted += [{"storage": storage}] if storage is not None else []
    for digest in wanted:
        found = catalog.versions(role=GENERATED, **digest)
        if found:
            return next((one for one in found if one.path == path), found[0])
    return next(iter(_at(catalog, path)), None)


def _at(catalog: Catalog, path: str) -> list[ArtifactRow]:
    """What runs left at a path, newest first."""
    return [one for one in catalog.versions(path=glob.escape(path), role=GENERATED) if one.path == path]


def _entries(catalog: Catalog, last: ArtifactRow) -> list[Entry]:
    """The entries up to a version, the oldest first."""
    entries: list[Entry] = []
    version: ArtifactRow | None = last
    while version is not None and len(entries) < MOST_ENTRIES:
        try:
            record = catalog.record(version.run)
        except (HpcprovError, OSError) as error:
            tell(f"{version.run}: {error}")
            break
        found = next((one for one in record["artifacts"]["used"] if one["path"] == version.path), None)
        older, before = _found(catalog, version, found) if found is not None else (None, None)
        entries.append(entry_of(record, version.path) | {"before": before, "after": _digest(version)})
        version = older
    return entries[::-1]


def _found(catalog: Catalog, version: ArtifactRow, used: dict[str, Any]) -> tuple[ArtifactRow | None, str | None]:
    """The version that a run found where it wrote, and its digest: by its digest, by the moment of its last change
    where it was written over unsigned, else the last version before it, whose digest need not be that."""
    older = [one for one in _at(catalog, version.path) if (one.began, one.run) < (version.began, version.run)]
    digest = next((str(used[name]["digest"]) for name in ("signature", "storage") if used[name] is not None), None)
    if digest is not None:
        return next((one for one in older if digest in (one.signature, one.storage)), next(iter(older), None)), digest
    same = next((one for one in older if used["mtime"] is not None and one.mtime == used["mtime"]), None)
    return (same, _digest(same)) if same is not None else (next(iter(older), None), None)


def _digest(version: ArtifactRow) -> str | None:
    digest: str | None = version.signature or version.storage
    return digest
