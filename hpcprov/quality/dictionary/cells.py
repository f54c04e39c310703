"""Values of a dictionary as cells of a table: numbers stay numbers, everything else becomes text for people.

cell("shape", [4, 721, 1440])         ->  "4 x 721 x 1440"
cell("values", [[0, 980], [1, 20]])   ->  "0 (980); 1 (20)"
cell("min", -3.25)                    ->  -3.25
"""

from __future__ import annotations

import json
import math

from hpcprov.quality.dictionary.columns import EDITABLE, KEYS, OF_DATASET
from hpcprov.quality.dictionary.mark import mark, shown
from hpcprov.record.wording import extents

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any, TypeAlias

    Value: TypeAlias = str | int | float | None

EXTENTS = ("shape", "chunks", "shards")
#: Integers that a double holds exactly; larger ones are text in a spreadsheet.
EXACT = 2**53


def cell(key: str, value: Any) -> Value:
    """One value; None for what is not known or has no meaning."""
    if key in EXTENTS:
        return None if value is None and key != "shape" else extents(value)
    if key == "values" and isinstance(value, list):
        return "; ".join(word(item) if all_once(value) else f"{word(item)} ({count})" for item, count in value) or None
    if isinstance(value, list):
        return ", ".join(map(word, value)) or None
    if isinstance(value, bool):
        return word(value)
    if isinstance(value, int):
        return value if -EXACT <= value <= EXACT else str(value)
    if isinstance(value, float):
        return value if math.isfinite(value) else str(value)
    return None if value is None else str(value)


def all_once(values: list[list[Any]]) -> bool:
    """Is each value there once, so that its count says nothing?"""
    return all(count == 1 for _, count in values)


def word(value: Any) -> str:
    """A value inside of a text."""
    if isinstance(value, bool) or value is None:
        return json.dumps(value)
    if isinstance(value, float):
        return f"{value:.15g}"
    return "''" if value == "" else str(value)


def editable(facts: dict[str, Any], keys: tuple[str, ...] = EDITABLE) -> dict[str, str]:
    """The cells of a field, or of a dataset, that people may edit, as text."""
    return {key: shown(str(cell(key, facts.get(key)) or "")) for key in keys}


def row(field: dict[str, Any]) -> list[Value]:
    """The cells of a field in the order of the columns, and its mark."""
    texts = editable(field)
    cells = [texts[key] or None if key in EDITABLE else cell(key, field.get(key)) for key in KEYS]
    return [*(shown(one) if isinstance(one, str) else one for one in cells), mark(field["name"], texts)]


def dataset_mark(dataset: dict[str, Any]) -> str:
    return mark("", editable(dataset, OF_DATASET))


def facts_of_run(run: dict[str, Any] | None) -> str | None:
    """Which run made it, in a line."""
    if run is None:
        return None
    at, by = run.get("when"), run.get("user")
    told = [run["id"], run.get("command"), at and f"at {at}", by and f"by {by}"]
    return "  ".join(str(one) for one in told if one)
