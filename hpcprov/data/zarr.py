"""Zarr v2, v3 and sharded v3 stores in a directory or a ZIP file.

Arrays whose types and codecs are known here are read chunk by chunk without zarr-python, which has one event loop for
all threads; the others (objects, extensions, codecs from arrays to arrays) are left to it.

    open_zarr3("out.zarr").fields[0].read(((0, 64), (0, 64)))
"""

from __future__ import annotations

import os
import stat
import warnings
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import numpy as np

from hpcprov.data.arrays import type_of
from hpcprov.data.interface import MAX_CHUNK, Box, Dataset, Field, lengths, ordered, slices
from hpcprov.data.open import MissingReader
from hpcprov.data.types import Binary, Type, Unsigned
from hpcprov.data.values import Values
from hpcprov.data.zarr_chunks import Chunks, chunk_index
from hpcprov.data.zarr_codecs import first_line
from hpcprov.data.zarr_metadata import Layout, layout_of
from hpcprov.data.zarr_place import Folder, Place
from hpcprov.data.zarr_tree import arrays
from hpcprov.data.zarr_zip import Archive
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


def _open(path: str, form: str) -> Dataset:
    store = _Store(path, form)
    try:
        with _silent():
            fields = [store.field(key, node) for key, node in arrays(store.place, form)]
    except ImportError as error:
        store.close()
        raise MissingReader(f"to read it, pip install 'hpcprov[zarr]' ({error})") from error
    except BaseException:
        store.close()
        raise
    return Dataset(form, ordered(fields), store.close)


@contextmanager
def _silent() -> Iterator[None]:
    """zarr warns of types and codecs that its specification does not have yet: their values are what counts here."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        yield


class _Store:
    """One store, read by our own means and, where it must be, by zarr-python's."""

    def __init__(self, path: str, form: str) -> None:
        self.path, self.form = path, form
        self.place: Place = Folder(path) if stat.S_ISDIR(os.stat(path).st_mode) else Archive(path)
        self.library: Any = None
        self.open: list[Chunks] = []

    def field(self, key: str, node: dict[str, Any]) -> Field:
        """The field of the array whose metadata is `node`. Raises UnreadableData, Unsigned, ImportError."""
        name = key or "root"
        try:
            layout = layout_of(node, self.form)
        except (Unsigned, UnreadableData) as refusal:
            raise type(refusal)(f"{name}: {refusal}") from refusal
        return self._by_library(key, name) if layout is None else self._by_chunks(key, name, layout)

    def close(self) -> None:
        for chunks in self.open:
            chunks.close()
        if self.library is not None:
            self.library.close()
        self.place.close()

    def _by_chunks(self, key: str, name: str, layout: Layout) -> Field:
        chunks = Chunks(self.place, key, layout)
        if not chunks.divisible:
            _check_size(name, layout.encoding.size)
        self.open.append(chunks)
        return Field(
            os.fsencode(key),
            layout.type,
            layout.shape,
            chunks.extents,
            layout.encoding.dtype.itemsize,
            chunks.read,
            chunks.stored,
            chunk=chunks.chunk,
            fill=layout.fill,
            divisible=chunks.divisible,
            several=chunks.several if layout.encoding.joinable else None,
        )

    def _by_library(self, key: str, name: str) -> Field:
        import zarr

        try:
            # Consolidated metadata is not consulted: an array is opened by its own.
            array = zarr.open_array(
                store=self._library(), path=key, mode="r", zarr_format=3 if self.form == "zarr3" else 2
            )
            kind = library_type(array)
        except Unsigned as refusal:
            raise Unsigned(f"{name}: {refusal}") from refusal
        except HpcprovError:
            raise
        except Exception as error:
            raise UnreadableData(f"{name}: {type(error).__name__}: {first_line(error)}") from error
        width = width_of(kind, array)
        if not all(extent > 0 for extent in (*array.chunks, *(array.shards or ()))):
            raise UnreadableData(f"{name}: chunks of no extent")
        _check_size(name, prod(array.chunks) * width)
        stored = self._stored(key, array.shape, array.shards or array.chunks)
        return Field(os.fsencode(key), kind, array.shape, array.chunks, width, library_reader(array, name), stored)

    def _library(self) -> Any:
        """The store as zarr-python reads it, opened when it is first needed."""
        if self.library is None:
            from hpcprov.data.zarr_library import PlaceStore

            self.library = PlaceStore(self.place)
        return self.library

    def _stored(self, key: str, shape: tuple[int, ...], extents: tuple[int, ...]) -> Callable[[], Iterator[Box] | None]:
        def stored() -> Iterator[Box] | None:
            return self._boxes(key, shape, extents) if extents else None

        return stored

    def _boxes(self, key: str, shape: tuple[int, ...], extents: tuple[int, ...]) -> Iterator[Box]:
        for name in self.place.below(key):
            index = chunk_index(name, len(shape))
            if index is not None:
                yield tuple(
                    (min(at * chunk, extent), min((at + 1) * chunk, extent))
                    for at, chunk, extent in zip(index, extents, shape, strict=True)
                )


def _check_size(name: str, size: int) -> None:
    if size > MAX_CHUNK:
        raise Unsigned(f"{name}: chunks of {size} bytes are larger than this version decodes")


def width_of(kind: Type, array: Any) -> int:
    """Bytes that an element of an array of zarr-python's takes in memory."""
    return kind.size if kind.size is not None else max(VARIABLE_WIDTH, array.dtype.itemsize)


def library_type(array: Any) -> Type:
    """The type of an array that zarr-python has opened. Raises Unsigned."""
    declared = type(array.metadata.dtype if array.metadata.zarr_format == 2 else array.metadata.data_type).__name__
    return Binary() if declared in BINARY else type_of(array.dtype)


def library_reader(array: Any, name: str) -> Callable[[Box], Values]:
    """A function that reads boxes of an array that zarr-python has opened."""

    def read(box: Box) -> Values:
        try:
            values = np.asarray(array[slices(box)] if box else array[()])
        except HpcprovError:
            raise
        except Exception as error:
            raise UnreadableData(f"{name}: cannot be decoded: {type(error).__name__}: {first_line(error)}") from error
        return values.reshape(lengths(box))

    return read
