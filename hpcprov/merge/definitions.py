"""How fields were made, as Python programs of the run told it: of each field the last word counts, whoever said it.

    definitions(by_kind["definition"])
    ->  [{"path": "/data/out.h5", "real": None, "field": "depth", "expression": "h * (h > 0.01)", "language": "python",
          "context": None, "inputs": [{"path": "/data/flood.h5", "field": "h"}], "step": "simulate",
          "time": "2026-11-21T10:00:00.000000000Z", "ranks": [[0, 3]]}]

Ranks that say the same of one field are one entry, told when the last of them did.
"""

from __future__ import annotations

from hpcprov.record import moment
from hpcprov.record.canonical import canonical
from hpcprov.record.ranges import ranges

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any

    from hpcprov.merge.ranks import Event

    Key = tuple[str, str]  # path, field

MOST = 20_000  # fields of one run
KEYS = ("path", "real", "field", "expression", "language", "context", "inputs", "step")
USUAL: dict[str, Any] = {"field": "", "language": "text", "inputs": []}


def definitions(events: Iterable[Event]) -> list[dict[str, Any]]:
    """Of each field of each path one entry, in order of these; the first MOST of them. `events`: checked ones."""
    last: dict[Key, tuple[int, bytes, dict[str, Any]]] = {}
    ranks: dict[tuple[Key, bytes], set[int]] = {}
    for event in events:
        for entry in event["entries"]:
            key, text = (entry["path"], entry.get("field", "")), canonical(entry)
            statement = event["time"], text, entry
            last[key] = max(last.get(key, statement), statement, key=lambda one: one[:2])
            ranks.setdefault((key, text), set()).add(event["rank"])
    return [facts(*last[key], ranks[key, last[key][1]]) for key in sorted(last)[:MOST]]


def facts(time: int, _: bytes, entry: dict[str, Any], ranks: set[int]) -> dict[str, Any]:
    """An entry as it stands in a record."""
    told = {key: entry.get(key, USUAL.get(key)) for key in KEYS}
    return told | {"time": moment.iso(time), "ranks": ranges(ranks)}
