"""Attributes of Zarr stores: `.zattrs` beside each node (v2), `attributes` in each node's zarr.json (v3).

Consolidated copies are not consulted. Of arrays that xarray wrote (they name their dimensions) the fill value of v2
counts as `_FillValue`, as xarray reads it.

    attributes("out.zarr").dataset["title"]
"""

from __future__ import annotations

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hpcprov.data.attributes import Attributes, LeftOut, Storage, plain
from hpcprov.data.open import format_of
from hpcprov.data.zarr_place import Folder, Place
from hpcprov.data.zarr_tree import READ_NODE, arrays, load
from hpcprov.data.zarr_types import named
from hpcprov.data.zarr_zip import Archive

#: xarray's own in v2.
DIMENSIONS = "_ARRAY_DIMENSIONS"
#: How JSON spells numbers that it does not have.
SPECIAL = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}


def attributes(path: str) -> Attributes:
    """Of the root, which may be an array, and of each array. Raises UnreadableData."""
    found, form = Attributes(), format_of(path)
    with opened(path) as place:
        root = READ_NODE[form](place, "")
        if root is not None:
            _gather(_own(place, "", root, form), found, None)
        for key, node in arrays(place, form):
            found.fields[key] = {}
            own = _own(place, key, node, form)
            if form == "zarr2" and DIMENSIONS in own and node.get("fill_value") is not None:
                own = {"_FillValue": _number(node["fill_value"]), **own}
            _gather(own, found, key)
    return found


def storage(path: str) -> dict[str, Storage]:
    """Of each array."""
    form = format_of(path)
    with opened(path) as place:
        nodes = list(arrays(place, form))
        if form == "zarr3":
            return {key: _storage3(node) for key, node in nodes}
        return {key: _storage2(node, _own(place, key, node, form)) for key, node in nodes}


@contextmanager
def opened(path: str) -> Iterator[Place]:
    """The store's keys."""
    place: Place = Folder(path) if stat.S_ISDIR(os.stat(path).st_mode) else Archive(path)
    try:
        yield place
    finally:
        place.close()


def _own(place: Place, key: str, node: dict[str, Any], form: str) -> dict[str, Any]:
    own = node.get("attributes") if form == "zarr3" else load(place, key, ".zattrs")
    return own if isinstance(own, dict) else {}


def _gather(own: dict[str, Any], found: Attributes, where: str | None) -> None:
    for name, value in own.items():
        if name != DIMENSIONS:
            found.add(where, name, value)


def _number(value: Any) -> Any:
    return SPECIAL.get(value, value) if isinstance(value, str) else value


def _storage2(node: dict[str, Any], own: dict[str, Any]) -> Storage:
    filters = node.get("filters") if isinstance(node.get("filters"), list) else []
    codecs = [_codec2(item) for item in [*(filters or []), node.get("compressor")] if isinstance(item, dict)]
    return Storage(
        _extents(node.get("chunks")), None, ", ".join(codecs) or None, _fill(node), _names(own.get(DIMENSIONS))
    )


def _codec2(codec: dict[str, Any]) -> str:
    return _levelled(str(codec.get("id")), codec)


def _levelled(name: str, options: dict[str, Any]) -> str:
    """A codec as people name it: with the codec that blosc applies, and the level."""
    inner, level = options.get("cname"), options.get("clevel", options.get("level"))
    said = " ".join(str(item)[:40] for item in (inner, level) if isinstance(item, str | int))
    return f"{name[:40]}({said})" if said else name[:40]


def _storage3(node: dict[str, Any]) -> Storage:
    grid = _extents(named(node.get("chunk_grid"))[1].get("chunk_shape"))
    codecs = _codecs(node.get("codecs"))
    names = _names(node.get("dimension_names"))
    if codecs and codecs[0][0] == "sharding_indexed":
        inner = codecs[0][1]
        return Storage(
            _extents(inner.get("chunk_shape")), grid, _said(_codecs(inner.get("codecs"))), _fill(node), names
        )
    return Storage(grid, None, _said(codecs), _fill(node), names)


def _codecs(declared: Any) -> list[tuple[str, dict[str, Any]]]:
    return [named(item) for item in declared] if isinstance(declared, list) else []


def _said(codecs: list[tuple[str, dict[str, Any]]]) -> str | None:
    return ", ".join(_levelled(name, options) for name, options in codecs if name != "bytes") or None


def _extents(value: Any) -> list[int] | None:
    return value if isinstance(value, list) and all(type(item) is int for item in value) else None


def _fill(node: dict[str, Any]) -> Any:
    try:
        return None if node.get("fill_value") is None else plain(_number(node["fill_value"]))
    except LeftOut:
        return None


def _names(value: Any) -> list[str] | None:
    if not isinstance(value, list) or not any(value):
        return None
    return [item if isinstance(item, str) else "" for item in value]
