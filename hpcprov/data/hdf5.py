"""HDF5 files, and so NetCDF-4: groups, hard links and datasets, through h5py's low-level interface.

A dataset is one field under its bytewise smallest hard-link path; soft links are other names, not fields. What lies in
other files is read with `follow` and refused by name without. h5py holds one lock for the whole library, so chunks are
decoded and contiguous values are read beside it where the filters and the type allow.

    open_hdf5("run.nc").fields[0].read(((0, 10), (0, 20)))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import replace
from math import prod
from typing import Any

import numpy as np
from h5py import h5d, h5s, h5t, h5z

from hpcprov.data.filters import pipeline
from hpcprov.data.hdf5_chunks import Chunks
from hpcprov.data.hdf5_file import HDF5File, open_file
from hpcprov.data.hdf5_follow import Files
from hpcprov.data.hdf5_places import Listing
from hpcprov.data.hdf5_tree import Entry, Tree
from hpcprov.data.hdf5_types import Layout, layout_of, relabel
from hpcprov.data.interface import MAX_CHUNK, Box, Dataset, Field, lengths, ordered
from hpcprov.data.npy import block_reader
from hpcprov.data.types import Unsigned, check_distinct
from hpcprov.data.values import Values
from hpcprov.record.errors import UnreadableData

#: Smaller chunks, with and without filters, cost less through the library, lock and all (measured with 2 threads).
SMALL_FILTERED, SMALL_PLAIN = 8 << 10, 256 << 10


def open_hdf5(path: str, *, follow: bool = False) -> Dataset:
    """All datasets of the file. Raises Unsigned, UnreadableData, or what h5py raises for damaged files."""
    files = Files(open_file(path, shared=follow), follow)
    try:
        tree = Tree(files)
        fields = [_field(files, entry) for entry in list(tree.walk()) if entry.is_field]
        check_distinct((item.name for item in fields), "two datasets have this path once NetCDF's prefix is taken off")
        links, others = tuple(sorted(tree.links)), tuple(sorted(files.read))
        return Dataset("hdf5", ordered(fields), files.close, links=links, files=others)
    except BaseException:
        files.close()
        raise


def _field(files: Files, entry: Entry) -> Field:
    file, dataset = entry.file, entry.file.opened(entry.inside)
    name = entry.path.decode("utf-8", "surrogateescape")
    try:
        layout = layout_of(dataset.get_type(), file.references)
    except Unsigned as refusal:
        raise Unsigned(f"{name}: {refusal}") from refusal
    files.check(file, dataset, name)
    space, creation = dataset.get_space(), dataset.get_create_plist()
    null = space.get_simple_extent_type() == h5s.NULL
    shape = None if null else space.get_simple_extent_dims()
    library = library_reader(file, lambda: file.dataset(entry.inside), layout, entry.inside)
    plain = Field(entry.field_path, layout.type, shape, None, layout.dtype.itemsize, library)
    if shape is None:
        return plain
    if creation.get_layout() == h5d.CHUNKED:
        return _chunked(plain, shape, file, entry.inside, dataset, layout)
    if creation.get_layout() == h5d.CONTIGUOUS and not creation.get_external_count():
        return _contiguous(plain, shape, file, dataset, layout)
    return plain


def _chunked(plain: Field, shape: tuple[int, ...], file: HDF5File, path: bytes, dataset: Any, layout: Layout) -> Field:
    creation = dataset.get_create_plist()
    extents, filters = creation.get_chunk(), list(_filters(creation))
    size = prod(extents) * layout.dtype.itemsize
    if filters and size > MAX_CHUNK:
        raise Unsigned(f"{plain.name}: chunks of {size} bytes are larger than this version decodes")
    listing = Listing(file, path, shape, extents)
    undo = pipeline([(code, values) for code, values, _ in filters], size)
    small = size < (SMALL_FILTERED if filters else SMALL_PLAIN)
    beside = undo is not None and _lies_as_read(file, dataset, layout) and listing.is_possible(dataset)
    if undo is None or not beside or (small and not _missing(filters)):
        _check_filters(plain.name, dataset, filters)
        return replace(plain, chunks=extents, stored=listing.stored)
    chunks = Chunks(listing, layout.dtype, undo, file.fill_value(dataset, layout), plain.read)
    return replace(
        plain,
        chunks=extents,
        read=chunks.read,
        stored=listing.stored,
        chunk=chunks.chunk,
        fill=chunks.fill,
        divisible=not filters,
    )


def _filters(creation: Any) -> Iterator[tuple[int, tuple[int, ...], str]]:
    """Code, parameters and label of each filter."""
    for at in range(creation.get_nfilters()):
        code, _, values, label = creation.get_filter(at)
        yield code, values, os.fsdecode(label)


def _lies_as_read(file: HDF5File, dataset: Any, layout: Layout) -> bool:
    """Whether the bytes in the file are those that are read into memory. Those of references are not: the library
    translates them, and what this process has open for writing may not be in the file yet."""
    kind = dataset.get_type()
    if file.is_being_written:
        return False
    return layout.exact and kind.get_size() == layout.dtype.itemsize and not kind.detect_class(h5t.REFERENCE)


def _check_filters(name: str, dataset: Any, filters: list[tuple[int, tuple[int, ...], str]]) -> None:
    missing = _missing(filters)
    if missing and dataset.get_num_chunks():
        code, label = missing[0]
        raise UnreadableData(f"{name}: needs the HDF5 filter {code} ({label}), which is not installed")


def _missing(filters: list[tuple[int, tuple[int, ...], str]]) -> list[tuple[int, str]]:
    """Code and label of the filters that the library does not have."""
    missing = [(code, label) for code, _, label in filters if not h5z.filter_avail(code)]
    if missing and _plugins():
        missing = [(code, label) for code, label in missing if not h5z.filter_avail(code)]
    return missing


def _plugins() -> bool:
    """Whether hdf5plugin, which brings HDF5 more filters, is there."""
    try:
        import hdf5plugin  # noqa: F401
    except ImportError:
        return False
    return True


def _contiguous(plain: Field, shape: tuple[int, ...], file: HDF5File, dataset: Any, layout: Layout) -> Field:
    offset, size = dataset.get_offset(), prod(shape) * layout.dtype.itemsize
    if offset is None:
        return replace(plain, stored=lambda: iter(()))
    if not _lies_as_read(file, dataset, layout) or dataset.get_storage_size() != size:
        return plain
    if offset + size > file.size:
        raise UnreadableData(f"{plain.name}: truncated: {size} bytes at {offset} of a file of {file.size}")
    base, inner = layout.dtype.subdtype or (layout.dtype, ())
    read, rest = block_reader(file.fd, offset, (*shape, *inner), base), tuple((0, extent) for extent in inner)
    return replace(plain, read=lambda box: read((*box, *rest)))


def library_reader(file: HDF5File, opened: Callable[[], Any], layout: Layout, path: bytes) -> Callable[[Box], Values]:
    """A function that reads boxes of the dataset that `opened` gives, through the library."""
    name = path.decode("utf-8", "surrogateescape")

    def read(box: Box) -> Values:
        dataset = opened()
        selection = dataset.get_space()
        if box:
            selection.select_hyperslab(tuple(start for start, _ in box), lengths(box))
        memory = h5s.create_simple(lengths(box)) if box else h5s.create(h5s.SCALAR)
        try:
            values = _blank(file, dataset, layout, lengths(box))
            dataset.read(memory, selection, values, layout.memory)
        except (OSError, RuntimeError, ValueError) as error:
            raise UnreadableData(f"{name}: cannot be decoded: {error}") from error
        return relabel(values, layout)

    return read


def _blank(file: HDF5File, dataset: Any, layout: Layout, extents: tuple[int, ...]) -> Values:
    """Memory to read into: zeros, or the fill value where HDF5 was told never to write it and so leaves memory as it
    is."""
    values = np.zeros(extents, layout.dtype)
    if dataset.get_create_plist().get_fill_time() == h5d.FILL_TIME_NEVER:
        values[...] = file.fill_value(dataset, layout)
    return values
