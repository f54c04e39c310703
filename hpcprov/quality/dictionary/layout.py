"""How data is laid out: names, types, shapes, chunks, compression, and the attributes that stand beside them.

    glance("flood.nc")    ->  {"layout": {"format": "hdf5", "kind": "tree", "fields": [{"path": "depth", ...}]},
                               "attributes": {"dataset": {...}, "fields": {"depth": {"units": "m"}}},
                               "size": 8310, "files": None, "mtime": 1795283563000000000, "known": None}

No value of a field is read. `known` is what the cache has: signature and, where they were counted, statistics.
"""

from __future__ import annotations

import math
from typing import Any

from hpcprov.data.attributes import Attributes, Storage, read_attributes, storage_of
from hpcprov.data.interface import Dataset
from hpcprov.data.no_fields import NO_FIELDS, why
from hpcprov.data.open import check_name, open_data, readable
from hpcprov.data.types import Unsigned
from hpcprov.quality.dictionary.columns import STORED
from hpcprov.signature import cache
from hpcprov.signature.snapshot import look

#: More fields than that are no dictionary.
MOST_FIELDS = 100_000


def glance(path: str, *, cache_dir: str | None = None) -> dict[str, Any]:
    """What can be told of the artifact at `path` without reading values. Raises UnreadableData, MissingReader, and
    Unsigned for what has no fields."""
    with readable(path):
        seen = look(path)
        with open_data(path, partial=True) as data:
            if data.format in NO_FIELDS:
                check_name(path, data.format)
                raise Unsigned(why(path, data.format))
            layout = layout_of(data, storage_of(path))
        attributes = as_plain(read_attributes(path))
    known = cache.load(cache_dir, seen, statistics=True) or cache.load(cache_dir, seen)
    about = {"size": seen.size, "files": seen.files, "mtime": seen.mtime}
    return {"layout": layout, "attributes": attributes, **about, "known": known}


def layout_of(data: Dataset, storage: dict[str, Storage] | None = None) -> dict[str, Any]:
    """Of each field what can be told without reading values, also of those whose values cannot be read; `storage` as
    `attributes.storage_of` gives it."""
    if len(data.fields) > MOST_FIELDS:
        raise Unsigned(f"{len(data.fields)} fields, and a dictionary has at most {MOST_FIELDS}")
    fields = []
    for field in data.fields:
        stored = (storage or {}).get(field.name, Storage())
        facts: dict[str, Any] = {"path": field.name, "type": field.type.text}
        facts["shape"] = None if field.shape is None else [*field.shape]
        facts["chunks"] = None if field.chunks is None else [*field.chunks]
        told = {key: finite(getattr(stored, key)) for key in STORED}
        fields.append(facts | {key: value for key, value in told.items() if value is not None})
    for one in data.unread:
        told = {"path": one.name, "type": one.type, "shape": [*one.shape], "chunks": None, "not_read": one.reason}
        fields.insert(one.place, told)
    return {"format": data.format, "kind": data.kind, "fields": fields}


def as_plain(attributes: Attributes) -> dict[str, Any]:
    """Attributes as JSON has them."""
    fields = {path: {name: finite(value) for name, value in its.items()} for path, its in attributes.fields.items()}
    return {"dataset": {name: finite(value) for name, value in attributes.dataset.items()}, "fields": fields}


def finite(value: Any) -> Any:
    """Numbers that JSON does not have, as words."""
    if isinstance(value, list):
        return [finite(item) for item in value]
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "inf" if value > 0 else "-inf"
    return value
