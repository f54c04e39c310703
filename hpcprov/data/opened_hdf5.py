"""h5py objects that are open already: files, groups and datasets, read through the library as it holds them.

What was written but not flushed is seen; virtual and external values are those that the library finds. The fields of a
group are those whose smallest path in the file lies below it, by their paths from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
from h5py import h5o, h5s

from hpcprov.data.hdf5 import library_reader
from hpcprov.data.hdf5_file import HDF5File
from hpcprov.data.hdf5_tree import walk
from hpcprov.data.hdf5_types import layout_of
from hpcprov.data.interface import Dataset, Field, ordered
from hpcprov.data.opened import named
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values

NO_DESCRIPTOR = -1


def of_h5py(thing: Any) -> Dataset:
    """The fields of a File, Group or Dataset. Raises Unsigned, or TypeError for other objects of h5py."""
    if not isinstance(thing, h5py.Dataset | h5py.Group):
        raise TypeError(f"h5py.{type(thing).__qualname__} has no signature: give a File, a Group or a Dataset")
    file = HDF5File("", thing.file.id, NO_DESCRIPTOR)
    if isinstance(thing, h5py.Dataset):
        return Dataset("hdf5", (_field(file, thing, b""),))
    entries = list(walk(file))
    here = h5o.get_info(thing.id).addr
    own = next((entry.path for entry in entries if entry.address == here), b"")
    prefix = own + b"/" if own else b""
    found = [entry for entry in entries if entry.is_field and entry.path.startswith(prefix)]
    fields = [_field(file, thing.file[entry.path], entry.field_path[len(prefix) :]) for entry in found]
    return Dataset("hdf5", ordered(fields))


def _field(file: HDF5File, dataset: Any, path: bytes) -> Field:
    try:
        layout = layout_of(dataset.id.get_type(), _references(file))
    except Unsigned as refusal:
        raise named(refusal, path.decode("utf-8", "surrogateescape")) from refusal
    null = dataset.id.get_space().get_simple_extent_type() == h5s.NULL
    return Field(
        path,
        layout.type,
        None if null else tuple(dataset.shape),
        None if null else dataset.chunks,
        layout.dtype.itemsize,
        library_reader(file, lambda: dataset.id, layout, path),
    )


def _references(file: HDF5File) -> Callable[[Values], list[bytes]]:
    """The paths of the objects that references point to, looked up when they are first asked for."""

    def decode(addresses: Values) -> list[bytes]:
        with file.lock:
            if not file.paths:
                file.paths = {entry.address: entry.target for entry in walk(file)}
        return file.references(addresses)

    return decode
