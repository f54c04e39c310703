"""The runs that used an image, by its identity, as their records tell.

uses(catalog, "sha256:b47e...", "/data/step.sif")
->  [(RunRow, {"path": "/data/step.sif", "identity": {"digest": "sha256:b47e...", "of": "primary partition"}})]
"""

from __future__ import annotations

import json

from hpcprov.catalog.schema import stored

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.catalog.found import RunRow
    from hpcprov.catalog.query import Catalog

ASKED = """SELECT r.id, f.value FROM facets f JOIN runs r ON r.number = f.run
    WHERE f.kind = 'identity' AND f.name IN (?, ?)"""


def uses(catalog: Catalog, digest: str, path: str) -> list[tuple[RunRow, dict[str, Any]]]:
    """The runs that used the image with this digest, newest first, each with where that lay and its identity; and those
    that used one at `path` (absolute), of which nobody knows which it was: their identity is None."""
    found: dict[tuple[str, str], dict[str, Any]] = {}
    for root, (run, value) in catalog.select(ASKED, (stored(digest), stored(path))):
        told = json.loads(value)
        if told["identity"] is not None or (root, run) not in found:
            found[root, run] = told
    rows = {(row.root, row.id): row for row in catalog.by_id([run for _, run in found])}
    pairs = [(rows[key], told) for key, told in found.items() if key in rows]
    return sorted(pairs, key=lambda pair: (pair[0].start or "", pair[0].id), reverse=True)
