"""xarray objects: the values that they hold in memory, which are decoded (times are times, scaled values are scaled).

So the signature of what `xarray.open_dataset` gives differs from that of the file where the file's values are encoded;
with `decode_cf=False` they agree. Lazy values are read box by box, or computed block by block. xarray itself is never
imported.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, lengths, ordered, slices
from hpcprov.data.opened import named
from hpcprov.data.opened_blocks import Blocks
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values


def of_xarray(thing: Any) -> Dataset:
    """The one field of a DataArray or Variable; of a Dataset each variable, coordinates too, by its name. Raises
    Unsigned, or TypeError for other objects of xarray."""
    if hasattr(thing, "data_vars"):
        variables = {str(name): variable for name, variable in thing.variables.items()}
        return Dataset("xarray", ordered([_field(variable, name) for name, variable in variables.items()]))
    if hasattr(thing, "dims") and hasattr(thing, "dtype"):
        return Dataset("xarray", (_field(getattr(thing, "variable", thing), ""),))
    raise TypeError(f"xarray.{type(thing).__qualname__} has no signature: give a DataArray, a Variable or a Dataset")


def _field(variable: Any, path: str) -> Field:
    try:
        kind = type_of(variable.dtype)
    except Unsigned as refusal:
        raise named(refusal, path) from refusal

    def read(box: Box) -> Values:
        return np.asarray(variable[slices(box)].values).reshape(lengths(box))

    octets, width = path.encode("utf-8", "surrogateescape"), max(1, variable.dtype.itemsize)
    if getattr(variable, "chunks", None):
        blocks = Blocks(variable)
        return Field(octets, kind, tuple(variable.shape), blocks.extents(), width, blocks.read)
    return Field(octets, kind, tuple(variable.shape), None, width, read)
