"""An index over records, and the questions that it answers. Deleted and rebuilt at any time.

with open_catalog() as catalog:
    for run in catalog.runs(status="failed", limit=10):
        print(run.id, run.name, [artifact.path for artifact in catalog.artifacts(run.id)])
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from hpcprov.catalog.query import Catalog


def open_catalog(
    roots: Sequence[str] | None = None, *, update: bool = True, tell: Callable[[str], None] | None = None
) -> Catalog:
    """The catalog of one or several `.hpcprov` directories, brought up to date; without any that of the working
    directory. With `update=False` it answers from what it knew before; `tell` hears what takes long.
    Raises NoStore."""
    from hpcprov.catalog.query import Catalog

    if roots is None:
        import os

        from hpcprov.record.layout import find_store

        roots = [find_store(os.environ, os.getcwd()).root]
    return Catalog([roots] if isinstance(roots, str) else roots, update=update, tell=tell)
