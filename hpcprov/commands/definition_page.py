"""The part of a run's page that tells how fields were made, as its programs told it.

defined    map.h5/depth = h * (h > 0.01)
           map.h5/wet = count where h > 0.01
"""

from __future__ import annotations

from hpcprov.commands.screen import cut
from hpcprov.quality.definitions.context import base_name

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

    from hpcprov.commands.screen import Screen
    from hpcprov.record.model import Record

MOST = 8


def definitions(record: Record, screen: Screen) -> Iterator[tuple[str, str]]:
    """The first definitions; `hpcprov fields` has all, with their inputs."""
    found = record.get("definitions") or []
    for one in found[:MOST]:
        name = "/".join(word for word in (base_name(one["path"]), one["field"].strip("/")) if word)
        context = f" {one['context']}" if one["context"] else ""
        yield "defined", cut(f"{name} = {one['expression']}{context}", max(40, screen.width - 12))
    if len(found) > MOST:
        yield "defined", f"... and {len(found) - MOST:,} more: hpcprov fields PATH"
