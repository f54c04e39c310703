"""Zarr arrays and groups that are open already, in any store, read through zarr-python."""

from __future__ import annotations

from typing import Any

import zarr

from hpcprov.data.interface import Dataset, Field, ordered
from hpcprov.data.opened import named
from hpcprov.data.types import Unsigned
from hpcprov.data.zarr import library_reader, library_type, width_of


def of_zarr(thing: Any) -> Dataset:
    """The fields of an Array or a Group. Raises Unsigned, or TypeError for other objects of zarr."""
    form = f"zarr{thing.metadata.zarr_format}" if hasattr(thing, "metadata") else ""
    if isinstance(thing, zarr.Array):
        return Dataset(form, (_field(thing, ""),))
    if not isinstance(thing, zarr.Group):
        raise TypeError(f"zarr.{type(thing).__qualname__} has no signature: give an Array or a Group")
    members = thing.members(max_depth=None)
    return Dataset(form, ordered([_field(one, path) for path, one in members if isinstance(one, zarr.Array)]))


def _field(array: Any, path: str) -> Field:
    try:
        kind = library_type(array)
    except Unsigned as refusal:
        raise named(refusal, path) from refusal
    width = max(1, width_of(kind, array))
    octets = path.encode("utf-8", "surrogateescape")
    read = library_reader(array, path or "root")
    return Field(octets, kind, tuple(array.shape), tuple(array.chunks), width, read)
