"""Zarr arrays and groups that are open already, in any store, read through zarr-python."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import zarr

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, lengths, ordered, slices
from hpcprov.data.opened import named
from hpcprov.data.types import Binary, Type, Unsigned
from hpcprov.data.values import Values

#: What an element of variable length is taken to occupy in memory.
VARIABLE_WIDTH = 64
#: zarr's name of the type whose elements are byte strings.
BINARY = "VariableLengthBytes"


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
        kind = _type(array)
    except Unsigned as refusal:
        raise named(refusal, path) from refusal
    width = kind.size if kind.size is not None else max(VARIABLE_WIDTH, array.dtype.itemsize)
    octets = path.encode("utf-8", "surrogateescape")
    return Field(octets, kind, tuple(array.shape), tuple(array.chunks), max(1, width), _reader(array))


def _type(array: Any) -> Type:
    metadata = array.metadata
    declared = metadata.dtype if metadata.zarr_format == 2 else metadata.data_type
    return Binary() if type(declared).__name__ == BINARY else type_of(array.dtype)


def _reader(array: Any) -> Callable[[Box], Values]:
    def read(box: Box) -> Values:
        return np.asarray(array[slices(box)] if box else array[()]).reshape(lengths(box))

    return read
