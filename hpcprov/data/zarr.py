"""Zarr v2, v3 and sharded v3 stores in a directory, decoded by zarr-python 3.

open_zarr3("out.zarr").fields[0].read(((0, 64), (0, 64)))
"""

from __future__ import annotations

import os
import re
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np
import zarr
from zarr.storage import LocalStore

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import MAX_CHUNK, Box, Dataset, Field, lengths, ordered, slices
from hpcprov.data.types import Binary, Type, Unsigned
from hpcprov.data.values import Values
from hpcprov.data.zarr_tree import arrays, check_inside
from hpcprov.record.errors import HpcprovError, UnreadableData

#: What an element of variable length is taken to occupy in memory.
VARIABLE_WIDTH = 64
#: zarr's names of object types whose elements are byte strings.
BINARY = ("VariableLengthBytes",)


def open_zarr2(path: str) -> Dataset:
    """All arrays of a Zarr v2 store."""
    return _open(path, "zarr2")


def open_zarr3(path: str) -> Dataset:
    """All arrays of a Zarr v3 store, sharded or not."""
    return _open(path, "zarr3")


def _open(root: str, form: str) -> Dataset:
    check_inside(root)
    with _silent():
        store = LocalStore(root, read_only=True)
        fields = [_field(store, root, path, form) for path, _ in arrays(root, form)]
    return Dataset(form, ordered(fields), store.close)


@contextmanager
def _silent() -> Iterator[None]:
    """zarr warns of types and codecs that its specification does not have yet: their values are what counts here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


def _field(store: LocalStore, root: str, path: bytes, form: str) -> Field:
    name = os.fsdecode(path) or "root"
    try:
        # Consolidated metadata is not consulted: an array is opened by its own.
        array = zarr.open_array(store=store, path=os.fsdecode(path), mode="r", zarr_format=3 if form == "zarr3" else 2)
        kind = _type(array)
    except Unsigned as refusal:
        raise Unsigned(f"{name}: {refusal}") from refusal
    except HpcprovError:
        raise
    except Exception as error:
        raise UnreadableData(f"{name}: {type(error).__name__}: {_first_line(error)}") from error
    width = kind.size if kind.size is not None else max(VARIABLE_WIDTH, array.dtype.itemsize)
    _check_chunks(name, array, width)
    return Field(
        path,
        kind,
        array.shape,
        array.chunks,
        width,
        _reader(array, name),
        _stored(array, os.path.join(root, os.fsdecode(path))),
    )


def _first_line(error: Exception) -> str:
    return (str(error).strip().splitlines() or [""])[0][:300]


def _type(array: Any) -> Type:
    declared = type(array.metadata.dtype if array.metadata.zarr_format == 2 else array.metadata.data_type).__name__
    return Binary() if declared in BINARY else type_of(array.dtype)


def _check_chunks(name: str, array: Any, width: int) -> None:
    if not all(extent > 0 for extent in (*array.chunks, *(array.shards or ()))):
        raise UnreadableData(f"{name}: chunks of no extent")
    if prod(array.chunks) * width > MAX_CHUNK:
        raise Unsigned(f"{name}: chunks of {prod(array.chunks) * width} bytes are larger than this version decodes")


def _reader(array: Any, name: str) -> Callable[[Box], Values]:
    def read(box: Box) -> Values:
        try:
            values = np.asarray(array[slices(box)] if box else array[()])
        except HpcprovError:
            raise
        except Exception as error:
            raise UnreadableData(f"{name}: cannot be decoded: {type(error).__name__}: {_first_line(error)}") from error
        return values.reshape(lengths(box))

    return read


def _stored(array: Any, folder: str) -> Callable[[], Iterator[Box] | None]:
    """The boxes whose chunk, or shard, is there as a file; the file names are read backwards."""
    extents = array.shards or array.chunks

    def stored() -> Iterator[Box] | None:
        return _boxes(folder, array.shape, extents) if extents else None

    return stored


def _boxes(folder: str, shape: tuple[int, ...], extents: tuple[int, ...]) -> Iterator[Box]:
    for place, _, files in os.walk(folder):
        for name in files:
            key = os.path.relpath(os.path.join(place, name), folder)
            index = _chunk_index(key, len(shape))
            if index is not None:
                yield tuple(
                    (min(at * chunk, extent), min((at + 1) * chunk, extent))
                    for at, chunk, extent in zip(index, extents, shape, strict=True)
                )


def _chunk_index(key: str, rank: int) -> tuple[int, ...] | None:
    """The grid index that a chunk's key names (`1.2`, `1/2`, `c/1/2`, `c.1.2`), or None for other files."""
    parts = re.split(r"[./]", key)
    digits = parts[1:] if parts[0] == "c" else parts
    if len(digits) != rank or not all(part.isascii() and part.isdigit() and len(part) < 19 for part in digits):
        return None
    return tuple(map(int, digits))
