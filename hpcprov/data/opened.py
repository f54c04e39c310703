"""Arrays, tables and datasets that a program holds open: objects of numpy, h5py, zarr, xarray, pandas, polars and
pyarrow behind the readers' interface.

    opened(h5py.File("out.h5")["g/x"]).fields[0].read(((0, 10),))

Which library an object comes from is told by its type's module, so that none is imported that the program does not use
itself. An array is one field with the empty path. Values are those that the object gives: xarray's are decoded.
"""

from __future__ import annotations

from collections.abc import Callable
from importlib import import_module
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import Box, Dataset, Field, part
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values

#: first part of the name of a type's module: module and function that take its objects
ADAPTERS = {
    "numpy": (__name__, "of_numpy"),
    "h5py": ("hpcprov.data.opened_hdf5", "of_h5py"),
    "zarr": ("hpcprov.data.opened_zarr", "of_zarr"),
    "xarray": ("hpcprov.data.opened_xarray", "of_xarray"),
    "pandas": ("hpcprov.data.opened_tables", "of_pandas"),
    "polars": ("hpcprov.data.opened_tables", "of_polars"),
    "pyarrow": ("hpcprov.data.opened_tables", "of_pyarrow"),
}
#: What Python's own scalars are to numpy.
SCALARS = (bool, int, float, complex)


def opened(thing: Any) -> Dataset:
    """The fields of an open object; closing the dataset leaves the object open. Raises TypeError for objects of other
    libraries, Unsigned where the rules give no signature."""
    if isinstance(thing, SCALARS):
        return of_numpy(np.asarray(thing))
    for kind in type(thing).__mro__:
        library = kind.__module__.partition(".")[0]
        if library in ADAPTERS:
            module, function = ADAPTERS[library]
            adapter: Callable[[Any], Dataset] = getattr(import_module(module), function)
            return adapter(thing)
    raise TypeError(f"{type(thing).__module__}.{type(thing).__qualname__} has no signature: {EXPECTED}")


EXPECTED = "give a path, or an array, table or dataset of numpy, h5py, zarr, xarray, pandas, polars or pyarrow"


def of_numpy(values: Any) -> Dataset:
    """One array, masked or not, or a scalar."""
    if not isinstance(values, np.ndarray | np.generic):
        raise TypeError(f"{type(values).__module__}.{type(values).__qualname__} has no signature: {EXPECTED}")
    return Dataset("numpy", (array_field(np.asanyarray(values)),))


def array_field(values: Values, path: bytes = b"") -> Field:
    """An array in memory as a field. Raises Unsigned."""

    def read(box: Box) -> Values:
        taken: Values = values[part(box)]
        return taken

    return Field(path, type_of(values.dtype), values.shape, None, max(1, values.dtype.itemsize), read)


def named(error: Unsigned, path: str) -> Unsigned:
    """The refusal with the name of the array that it is about."""
    return Unsigned(f"{path}: {error}" if path else str(error))
