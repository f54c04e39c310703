"""How fields were made, as the programs of a run told it (docs/definitions.md).

definitions(record)["rows"][0]
->  {"field": "map.h5/depth", "expression": "h * 2", "context": "", "inputs": "flood.h5/h", "path": "/data/map.h5"}
"""

from __future__ import annotations

from hpcprov.record.inside import objects
from hpcprov.report.told import word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.record.model import Record

MOST, MOST_INPUTS = 500, 16


def definitions(record: Record) -> dict[str, Any] | None:
    """`rows`, and how many `more`; None where nothing was told."""
    told = objects(record, "definitions")
    return {"rows": [*map(row, told[:MOST])], "more": max(0, len(told) - MOST)} if told else None


def row(one: dict[str, Any]) -> dict[str, str]:
    inputs = objects(one, "inputs")
    names = [short(word(given, "path"), word(given, "field")) for given in inputs[:MOST_INPUTS]]
    more = [f"and {len(inputs) - MOST_INPUTS} more"] if len(inputs) > MOST_INPUTS else []
    return {
        "field": short(word(one, "path"), word(one, "field")),
        "path": word(one, "path"),
        "expression": word(one, "expression"),
        "context": word(one, "context"),
        "inputs": ", ".join([*names, *more]),
    }


def short(path: str, field: str) -> str:
    """`flood.h5/h`."""
    name = path.rstrip("/").rpartition("/")[2]
    return "/".join(text for text in (name, field.strip("/")) if text)
