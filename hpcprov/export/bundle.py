"""A record bundle: the directories of runs as they lie in a store, for `hpcprov import` elsewhere.

    bundle.json                        {"format": "hpcprov-bundle", "version": 1, "runs": ["20261121T093000Z-1f2e3d4c"]}
    20261121T093000Z-1f2e3d4c/         record.json, earlier revisions, logs, captured output, signature: byte for byte

Nothing is made anew, so the seal and every signature hold wherever the bundle is unpacked. A run that is still going on
has no record yet and is left out. Tile digests are not in it: they can be made again from the data.
"""

from __future__ import annotations

import json
import os
import re
import stat

from hpcprov.export.formats import Copied
from hpcprov.merge.read import log_names
from hpcprov.record import layout
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.export.formats import Run

FORMAT, VERSION, MANIFEST = "hpcprov-bundle", 1, "bundle.json"
# record.json, its earlier revisions, and what vouches for it or tells what was pruned.
OWN_NAME = re.compile(r"record(\.[0-9]{1,9})?\.(json|sig)|pruned\.[0-9]{1,9}\.json")


def render(runs: list[Run]) -> dict[str, str | bytes | Copied]:
    """The files of a bundle. Raises HpcprovError when no run of it has a record."""
    sealed = [run for run in runs if "seal" in run.record]
    if not sealed:
        hint = "`hpcprov settle` makes the record of a run that is over"
        raise HpcprovError(f"run {runs[0].id!a} has no record yet", hint=hint)
    content: dict[str, str | bytes | Copied] = {
        f"{os.path.basename(run.directory)}/{name}": copied for run in sealed for name, copied in files(run.directory)
    }
    manifest = {"format": FORMAT, "version": VERSION, "runs": sorted({name.partition("/")[0] for name in content})}
    return content | {MANIFEST: json.dumps(manifest, indent=1, sort_keys=True) + "\n"}


def files(directory: str) -> Iterator[tuple[str, Copied]]:
    """A record, what it was folded from and what vouches for it: names, and what is copied."""
    own = [name for name in os.listdir(directory) if OWN_NAME.fullmatch(name)]
    for name in sorted({*own, *log_names(directory)} - {layout.DONE}):
        path = os.path.join(directory, name)
        facts = os.stat(path, follow_symlinks=False)
        if stat.S_ISREG(facts.st_mode):
            yield name, Copied(path, facts.st_size)
