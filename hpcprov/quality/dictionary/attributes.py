"""What people wrote, as attributes of a file: under the names of CF and ACDD, of these the one that it uses already.

changes(annotations, {"dataset": {"summary": "old"}, "fields": {"depth": {}}})
->  ({"summary": "the flood of 1999"}, {"depth": {"units": "m"}})
"""

from __future__ import annotations

from hpcprov.quality.dictionary.compose import OF_DATASET_ATTRIBUTES, OF_FIELD_ATTRIBUTES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

    from hpcprov.quality.dictionary.annotations import Annotations, Cell

    Facts = dict[str, Any]


def changes(
    annotations: Annotations, attributes: Facts, known: Iterable[str] | None = None
) -> tuple[Facts, dict[str, Facts]]:
    """The attributes of the dataset and of its fields (those that are `known`; None: all) that are to be set."""
    of_dataset = _set(annotations.dataset, attributes.get("dataset") or {}, OF_DATASET_ATTRIBUTES)
    there = attributes.get("fields") or {}
    wanted = annotations.fields if known is None else {path: annotations.fields.get(path, {}) for path in known}
    of_fields = {path: _set(cells, there.get(path) or {}, OF_FIELD_ATTRIBUTES) for path, cells in wanted.items()}
    return of_dataset, {path: its for path, its in of_fields.items() if its}


def _set(cells: Mapping[str, Cell], there: Mapping[str, Any], names: Mapping[str, tuple[str, ...]]) -> Facts:
    """Of each cell the attribute that says something else by now; None takes it away."""
    found: Facts = {}
    for key, cell in cells.items():
        if key not in names:
            continue
        name = next((name for name in names[key] if there.get(name) not in (None, "")), names[key][0])
        if cell.value != str(there.get(name, "")):
            found[name] = cell.value or None
    return found
