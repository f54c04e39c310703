"""Fields that cannot be read, set apart before two datasets are compared.

    (one, two), unread = set_apart((one, two), ())
    unread    ->  [{"field": "price", "type": ["decimal128(10, 2)", "f8"],
                    "reason": ["the type decimal128(10, 2) has no signature", None]}]

What one of them has and cannot be read is not compared with what the other has of that name. A field that only one of
them has is a difference, whether it can be read or not.
"""

from __future__ import annotations

from dataclasses import replace
from typing import Any, TypeAlias

from hpcprov.data.interface import Dataset, Unread
from hpcprov.quality.diff.fields import DIFFERENT
from hpcprov.quality.names import matches
from hpcprov.record.errors import HpcprovError

Facts: TypeAlias = dict[str, Any]

#: What could be compared is equal, and not all could.
UNPROVEN = "unproven"


def set_apart(
    datasets: tuple[Dataset, Dataset], wanted: tuple[str, ...]
) -> tuple[tuple[Dataset, Dataset], list[Facts]]:
    """Both without the fields that cannot be read in either, and these, as far as they are wanted. Raises HpcprovError
    where nothing else is."""
    found = [{one.name: one for one in dataset.unread} for dataset in datasets]
    names = dict.fromkeys(name for side in found for name in side)
    if not names:
        return datasets, []
    types = [{field.name: field.type.text for field in dataset.fields} for dataset in datasets]
    one, other = (
        replace(dataset, fields=tuple(field for field in dataset.fields if field.name not in names))
        for dataset in datasets
    )
    facts = [_fact(name, found, types) for name in names if not wanted or matches(name, wanted)]
    for word in wanted:
        refused = next((fact for fact in facts if matches(fact["field"], [word])), None)
        if refused and not any(matches(field.name, [word]) for field in (*one.fields, *other.fields)):
            raise HpcprovError(
                f"{refused['field']!a} cannot be compared: {refused['reason'][0] or refused['reason'][1]}"
            )
    return (one, other), facts


def _fact(name: str, found: list[dict[str, Unread]], types: list[dict[str, str]]) -> Facts:
    sides = [side.get(name) for side in found]
    told = [side.type if side is not None else own.get(name) for side, own in zip(sides, types, strict=True)]
    return {"field": name, "type": told, "reason": [None if side is None else side.reason for side in sides]}


def status_with(status: str, unread: list[Facts]) -> str:
    """The status of a comparison when some fields were left out: a difference stays one, and nothing else is proven."""
    if any(None in one["type"] for one in unread):
        return DIFFERENT
    return UNPROVEN if unread and status != DIFFERENT else status
