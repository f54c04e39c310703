"""The runs that used an image: those whose fact `image` (docs/facts.md) has its identity. `hpcprov image used-by`.

identity_of("step.sif", store.cache)  ->  {"digest": "sha256:b47e...", "of": "primary partition", "others": []}
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.agent.image_child import identified
from hpcprov.catalog import open_catalog
from hpcprov.catalog.images import uses
from hpcprov.commands import screen as sight
from hpcprov.commands.choose import listed, store_here, tell, tell_unread
from hpcprov.commands.runs import table
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DIGESTS = ("sha256:", "blake3:")


def used_by(args: argparse.Namespace) -> int:
    """Print the runs that used an image."""
    store = store_here()
    identity = {"digest": args.image} if args.image.startswith(DIGESTS) else identity_of(args.image, store.cache)
    with open_catalog([store.root], tell=tell) as catalog:
        tell_unread(catalog.problems)
        runs = uses(catalog, identity["digest"], os.path.abspath(args.image))
    found = [(run, one) for run, one in runs if one["identity"] is not None]
    if args.json:
        print(json.dumps([run.summary | {"image": one} for run, one in found], indent=2))
    else:
        print("\n".join(table([run.summary for run, _ in found], sight.screen(os.environ))))
    others = [run.id for run, one in found if one["identity"].get("others") != identity.get("others")]
    if others and not args.image.startswith(DIGESTS):
        tell(f"with other overlay or data partitions in the image: {listed(others)}")
    unknown = [run.id for run, one in runs if one["identity"] is None]
    if unknown:
        tell(f"used a file of this name, but which was not found out: {listed(unknown)}")
    return 0


def identity_of(path: str, cache: str) -> dict[str, Any]:
    """What identifies an image of any kind, from the store's cache where a run has had it read."""
    os.stat(path)
    found = identified({"path": os.path.abspath(path), "tag": None}, cache, None)
    if not found.get("identity"):
        raise HpcprovError(f"{path}: its identity is not known: {found.get('reason')}")
    return dict(found["identity"])
