"""The runs that used an image: those whose fact `image` (docs/facts.md) has its identity. `hpcprov image used-by`.

uses(record, "step.sif", {"digest": "sha256:b47e..."})
-> [{"path": "/data/step.sif", "identity": {"digest": "sha256:b47e...", "of": "primary partition"}}]
"""

from __future__ import annotations

import argparse
import json
import os

from hpcprov.agent.image_child import identified
from hpcprov.commands import screen as sight
from hpcprov.commands.choose import every_run, listed, store_here, tell
from hpcprov.commands.runs import summary, table
from hpcprov.record import model
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DIGESTS = ("sha256:", "blake3:")


def used_by(args: argparse.Namespace) -> int:
    """Print the runs that used an image."""
    store = store_here()
    identity = {"digest": args.image} if args.image.startswith(DIGESTS) else identity_of(args.image, store.cache)
    runs = [(run, one) for run in every_run(store) for one in uses(run.record, args.image, identity)]
    runs.sort(key=lambda pair: (pair[0].record["run"]["start"] or "", pair[0].id), reverse=True)
    found = [(run, one) for run, one in runs if one["identity"] is not None]
    if args.json:
        print(json.dumps([summary(run) | {"image": one} for run, one in found], indent=2))
    else:
        print("\n".join(table([summary(run) for run, _ in found], sight.screen(os.environ))))
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


def uses(record: dict[str, Any], path: str, identity: dict[str, Any]) -> list[dict[str, Any]]:
    """The image of this identity among those that a run used, else one of this path whose identity is not known.

    One entry {"path", "identity"} or none. Records are untrusted.
    """
    unknown: list[dict[str, Any]] = []
    for _, entry in model.facts(record, "image"):
        value = entry.get("value")
        images = value.get("images") if type(value) is dict else None
        for one in [image for image in images if type(image) is dict] if type(images) is list else []:
            told, where = one.get("identity"), str(one.get("path") or one.get("image"))
            if type(told) is dict and told.get("digest") == identity["digest"]:
                return [{"path": where, "identity": told}]
            if type(told) is not dict and where == os.path.abspath(path):
                unknown = [{"path": where, "identity": None}]
    return unknown
