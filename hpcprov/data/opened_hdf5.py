"""h5py objects that are open already: files, groups and datasets, read through the library as it holds them.

What was written but not flushed is seen; virtual and external values are those that the library finds. The fields of a
group are those whose smallest path in the file lies below it, by their paths from there.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import h5py
import numpy as np
from h5py import h5o, h5s

from hpcprov.data.hdf5_tree import walk
from hpcprov.data.hdf5_types import Layout, layout_of, relabel
from hpcprov.data.interface import Box, Dataset, Field, lengths, ordered
from hpcprov.data.opened import named
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values


def of_h5py(thing: Any) -> Dataset:
    """The fields of a File, Group or Dataset. Raises Unsigned, or TypeError for other objects of h5py."""
    if isinstance(thing, h5py.Dataset):
        return Dataset("hdf5", (_field(thing, b""),))
    if not isinstance(thing, h5py.Group):
        raise TypeError(f"h5py.{type(thing).__qualname__} has no signature: give a File, a Group or a Dataset")
    entries = list(walk(thing.file.id))
    here = h5o.get_info(thing.id).addr
    own = next((entry.path for entry in entries if entry.address == here), b"")
    prefix = own + b"/" if own else b""
    found = [entry for entry in entries if entry.is_field and entry.path.startswith(prefix)]
    return Dataset(
        "hdf5", ordered([_field(thing.file[entry.path], entry.field_path[len(prefix) :]) for entry in found])
    )


def _field(dataset: Any, path: bytes) -> Field:
    try:
        layout = layout_of(dataset.id.get_type(), _references(dataset))
    except Unsigned as refusal:
        raise named(refusal, path.decode("utf-8", "surrogateescape")) from refusal
    null = dataset.id.get_space().get_simple_extent_type() == h5s.NULL
    return Field(
        path,
        layout.type,
        None if null else tuple(dataset.shape),
        None if null else dataset.chunks,
        layout.dtype.itemsize,
        _reader(dataset.id, layout),
    )


def _references(dataset: Any) -> Callable[[Values], list[bytes]]:
    """The paths of the objects that references point to, looked up when they are first asked for."""
    paths: dict[int, bytes] = {}

    def decode(addresses: Values) -> list[bytes]:
        if not paths:
            paths.update({entry.address: entry.target for entry in walk(dataset.file.id)})
        return [_target(paths, int(address)) for address in addresses.tolist()]

    return decode


def _target(paths: dict[int, bytes], address: int) -> bytes:
    if address and address not in paths:
        raise Unsigned("an object reference points to an object without a path in this file")
    return paths[address] if address else b""


def _reader(dataset: Any, layout: Layout) -> Callable[[Box], Values]:
    def read(box: Box) -> Values:
        values, selection = np.zeros(lengths(box), layout.dtype), dataset.get_space()
        if box:
            selection.select_hyperslab(tuple(start for start, _ in box), lengths(box))
        dataset.read(
            h5s.create_simple(lengths(box)) if box else h5s.create(h5s.SCALAR), selection, values, layout.memory
        )
        return relabel(values, layout)

    return read
