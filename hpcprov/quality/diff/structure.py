"""What differs besides the values: types, attributes, and how fields are stored.

    structure("a.h5", "b.zarr", fields)
    ->  [{"field": "t2m", "what": "attribute", "name": "units", "one": "K", "other": "degC"}, ...]

`field` is empty for the dataset. None of this changes a value, or a signature (a type does).
"""

from __future__ import annotations

from dataclasses import fields
from math import isfinite
from typing import Any, TypeAlias

from hpcprov.data.attributes import MISSING, Attributes, Storage, of_base64, read_attributes, storage_of

Facts: TypeAlias = dict[str, Any]

TYPE, ATTRIBUTE, STORAGE = "type", "attribute", "storage"
#: What is told of one value, in characters, and of how many differences.
MOST_TEXT, MOST_FOUND = 200, 10_000


def structure(path: str, other: str, compared: list[Facts]) -> list[Facts]:
    """The differences, field by field in the order of `compared` (as `datasets.diff` gives them, which get the names of
    their `dimensions`), the dataset's own first. Raises what the readers raise."""
    one, two = read_attributes(path), read_attributes(other)
    here, there = storage_of(path), storage_of(other)
    found = _attributes("", one.dataset, two.dataset)
    for field in compared:
        name, second = field["path"], field["other_path"]
        if field["status"] in ("missing", "new"):
            continue
        if field["type"][0] != field["type"][1]:
            found.append(_fact(name, TYPE, None, *field["type"]))
        found += _attributes(name, _of(one, name), _of(two, second))
        if name in here:
            field["dimensions"] = _named(here[name], field["shape"][0])
        if name in here and second in there:
            found += _storage(name, here[name], there[second])
    return found[:MOST_FOUND]


def _named(storage: Storage, shape: list[int] | None) -> list[str] | None:
    """The names of a field's axes, when there is one for each."""
    names = storage.dimensions
    return names if names is not None and shape is not None and len(names) == len(shape) else None


def _of(attributes: Attributes, name: str) -> dict[str, Any]:
    return attributes.fields.get(name, {})


def _attributes(name: str, one: dict[str, Any], other: dict[str, Any]) -> list[Facts]:
    names = dict.fromkeys([*one, *other])
    pairs = ((key, _read(key, one.get(key)), _read(key, other.get(key))) for key in names)
    return [_fact(name, ATTRIBUTE, key, left, right) for key, left, right in pairs if not _alike(left, right)]


def _read(name: str, value: Any) -> Any:
    """A value as it is meant."""
    return of_base64(value) if name in MISSING and isinstance(value, str) else value


def _alike(one: Any, other: Any) -> bool:
    """Equal as values, NaN included; 1 and True are not."""
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(_alike, one, other))
    return bool(one == other or (one != one and other != other)) and isinstance(one, bool) == isinstance(other, bool)


def _storage(name: str, one: Storage, other: Storage) -> list[Facts]:
    found = []
    for member in fields(Storage):
        left, right = getattr(one, member.name), getattr(other, member.name)
        if member.name in ("fill", "dimensions") and (left is None or right is None):
            continue  # not told by every format
        if not _alike(left, right):
            found.append(_fact(name, STORAGE, member.name, left, right))
    return found


def _fact(field: str, what: str, name: str | None, one: Any, other: Any) -> Facts:
    return {"field": field, "what": what, "name": name, "one": _short(one), "other": _short(other)}


def _short(value: Any) -> Any:
    """A value as it is told: JSON, and of no great length."""
    if isinstance(value, list):
        told = [_short(item) for item in value[:20]]
        return told if len(value) <= 20 else [*told, f"… {len(value) - 20} more"]
    if isinstance(value, float) and not isfinite(value):
        return str(value)
    return value if not isinstance(value, str) or len(value) <= MOST_TEXT else f"{value[: MOST_TEXT - 1]}…"
