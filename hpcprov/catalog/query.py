"""The catalog that is asked: the indexes of one or several stores, and of the runs that are still going on.

with Catalog(["/scratch/ada/.hpcprov"]) as catalog:
    catalog.runs(status="failed", limit=10)
    catalog.versions(path="/scratch/ada/out.zarr")
"""

from __future__ import annotations

import os

from hpcprov.catalog.artifact_queries import Artifacts
from hpcprov.catalog.run_queries import Runs

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpcprov.catalog.graph import Graph
    from hpcprov.catalog.lineage import Start
    from hpcprov.catalog.lookups import TableLookups


class Catalog(Runs, Artifacts):
    """Runs, artifacts and their lineage, of all stores in `roots`; `problems`: what could not be read; `notes` on how
    it is kept."""

    def lineage(
        self,
        target: str | Sequence[str] | Start,
        *,
        up: bool = True,
        down: bool = False,
        depth: int | None = None,
        most: int = 10_000,
        cwd: str | None = None,
    ) -> Graph:
        """Where data or runs came from, and what came of them (docs/lineage.md). `target`: a path (relative to `cwd`),
        a path and a field, a digest, or a run; or a list of run ids. `depth`: so many runs on each way; `most`: so many
        nodes. Raises NoSuchRun, AmbiguousRun, and HpcprovError when nothing is known of it."""
        from hpcprov.catalog.lineage import Start, lineage

        start = target if isinstance(target, Start) else self.start(target, cwd=cwd)
        return lineage(self.lookups(), start, up=up, down=down, depth=depth, most=most)

    def start(self, target: str | Sequence[str], *, cwd: str | None = None) -> Start:
        """What `lineage` would begin with. Raises the same."""
        from hpcprov.catalog.target import find_start, of_runs

        if not isinstance(target, str):
            return of_runs(self, list(target))
        return find_start(self, self.lookups(), target, cwd=os.getcwd() if cwd is None else cwd)

    def lookups(self) -> TableLookups:
        """What the rules of lineage ask."""
        from hpcprov.catalog.lookups import TableLookups

        return TableLookups(self._sources)
