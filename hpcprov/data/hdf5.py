"""HDF5 files, and so NetCDF-4: groups, hard links and datasets, through h5py's low-level interface.

A dataset is one field under its bytewise smallest hard-link path; soft links are other names, not fields. External
links, external storage and virtual datasets would read other files: they are refused by name. h5py holds one lock for
the whole library, so threads take turns in `read`.

    open_hdf5("run.nc").fields[0].read(((0, 10), (0, 20)))
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from threading import Lock
from typing import Any

import numpy as np
from h5py import h5d, h5f, h5p, h5s, h5z

from hpcprov.data.hdf5_tree import Entry, walk
from hpcprov.data.hdf5_types import Layout, layout_of, relabel
from hpcprov.data.interface import MAX_CHUNK, Box, Dataset, Field, lengths, ordered
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values
from hpcprov.record.errors import UnreadableData

#: Memory in which HDF5 keeps decoded chunks of the dataset that is being read.
CHUNK_CACHE = 16 << 20


def open_hdf5(path: str, *, follow: bool = False) -> Dataset:
    """All datasets of the file. Raises Unsigned, UnreadableData, or what h5py raises for damaged files."""
    source = _Source(_open_file(path))
    try:
        entries = list(walk(source.file))
        source.paths.update({entry.address: entry.target for entry in entries})
        fields = [_field(source, entry) for entry in entries if entry.is_field]
        _check_distinct(fields)
        return Dataset("hdf5", ordered(fields), source.close)
    except BaseException:
        source.close()
        raise


def _open_file(path: str) -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_cache(0, 521, CHUNK_CACHE, 0.75)
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    if hasattr(access, "set_file_locking"):
        access.set_file_locking(False, True)
    return h5f.open(os.fsencode(path), h5f.ACC_RDONLY, access)


def _check_distinct(fields: list[Field]) -> None:
    seen: set[bytes] = set()
    for item in fields:
        if item.path in seen:
            raise Unsigned(f"{item.name}: two datasets have this path once NetCDF's prefix is taken off")
        seen.add(item.path)


@dataclass
class _Source:
    """An open file, the dataset read last (kept open for its chunk cache), and the path of each object address."""

    file: Any
    paths: dict[int, bytes] = field(default_factory=dict)
    last: tuple[bytes, Any] | None = None
    lock: Lock = field(default_factory=Lock)

    def dataset(self, path: bytes) -> Any:
        with self.lock:
            if self.last is None or self.last[0] != path:
                self.last = (path, h5d.open(self.file, path))
            return self.last[1]

    def references(self, addresses: Values) -> list[bytes]:
        return [self._target(int(address)) for address in addresses.tolist()]

    def _target(self, address: int) -> bytes:
        if address == 0:
            return b""
        if address not in self.paths:
            raise Unsigned("an object reference points to an object without a path in this file")
        return self.paths[address]

    def close(self) -> None:
        self.last = None
        self.file.close()


def _field(source: _Source, entry: Entry) -> Field:
    dataset = h5d.open(source.file, entry.path)
    name = entry.path.decode("utf-8", "surrogateescape")
    try:
        layout = layout_of(dataset.get_type(), source.references)
    except Unsigned as refusal:
        raise Unsigned(f"{name}: {refusal}") from refusal
    space, creation = dataset.get_space(), dataset.get_create_plist()
    _check_storage(name, creation)
    null = space.get_simple_extent_type() == h5s.NULL
    chunks = creation.get_chunk() if creation.get_layout() == h5d.CHUNKED else None
    _check_chunks(name, dataset, creation, layout, chunks)
    shape = None if null else space.get_simple_extent_dims()
    read = _reader(source, entry.path, layout)
    return Field(entry.field_path, layout.type, shape, chunks, layout.dtype.itemsize, read, _stored(source, entry.path))


def _check_storage(name: str, creation: Any) -> None:
    if creation.get_layout() == h5d.VIRTUAL:
        raise Unsigned(f"{name}: a virtual dataset reads other files and is not followed")
    if creation.get_external_count():
        other = os.fsdecode(creation.get_external(0)[0])
        raise Unsigned(f"{name}: its values lie in the external file {other!r}, which is not followed")


def _check_chunks(name: str, dataset: Any, creation: Any, layout: Layout, chunks: tuple[int, ...] | None) -> None:
    if chunks is None or not creation.get_nfilters():
        return
    if prod(chunks) * layout.dtype.itemsize > MAX_CHUNK:
        raise Unsigned(
            f"{name}: chunks of {prod(chunks) * layout.dtype.itemsize} bytes are larger than this version decodes"
        )
    for at in range(creation.get_nfilters()):
        code, _, _, label = creation.get_filter(at)
        if not h5z.filter_avail(code) and dataset.get_num_chunks():
            raise UnreadableData(f"{name}: needs the HDF5 filter {code} ({os.fsdecode(label)}), which is not installed")


def _reader(source: _Source, path: bytes, layout: Layout) -> Callable[[Box], Values]:
    name = path.decode("utf-8", "surrogateescape")

    def read(box: Box) -> Values:
        dataset = source.dataset(path)
        values = _blank(dataset, layout, lengths(box))
        selection = dataset.get_space()
        if box:
            selection.select_hyperslab(tuple(start for start, _ in box), lengths(box))
        memory = h5s.create_simple(lengths(box)) if box else h5s.create(h5s.SCALAR)
        try:
            dataset.read(memory, selection, values, layout.memory)
        except (OSError, RuntimeError, ValueError) as error:
            raise UnreadableData(f"{name}: cannot be decoded: {error}") from error
        return relabel(values, layout)

    return read


def _blank(dataset: Any, layout: Layout, extents: tuple[int, ...]) -> Values:
    """Memory to read into: zeros, or the fill value where HDF5 was told never to write it and so leaves memory as it
    is."""
    values = np.zeros(extents, layout.dtype)
    creation = dataset.get_create_plist()
    never = creation.get_fill_time() == h5d.FILL_TIME_NEVER
    if never and creation.fill_value_defined() == h5d.FILL_VALUE_USER_DEFINED:
        fill = np.zeros(1, layout.dtype)
        if layout.dtype.kind not in "iufc" or layout.type.text in ("bf16", "bool"):
            raise Unsigned(f"a fill value of the type {layout.type.text} that is never written cannot be read")
        creation.get_fill_value(fill)
        values[...] = fill[0]
    return values


def _stored(source: _Source, path: bytes) -> Callable[[], Iterator[Box] | None]:
    def stored() -> Iterator[Box] | None:
        dataset = source.dataset(path)
        creation, shape = dataset.get_create_plist(), dataset.shape
        if creation.get_layout() == h5d.CONTIGUOUS:
            return iter(()) if dataset.get_space_status() == h5d.SPACE_STATUS_NOT_ALLOCATED else None
        if creation.get_layout() != h5d.CHUNKED or not hasattr(dataset, "chunk_iter"):  # HDF5 before 1.12.3
            return None
        chunks = creation.get_chunk()
        if dataset.get_num_chunks() >= prod(-(-extent // chunk) for extent, chunk in zip(shape, chunks, strict=True)):
            return None
        return (_chunk_box(offset, chunks, shape) for offset in _chunk_offsets(dataset))

    return stored


def _chunk_offsets(dataset: Any) -> list[tuple[int, ...]]:
    found: list[tuple[int, ...]] = []
    dataset.chunk_iter(lambda info: found.append(info.chunk_offset))
    return found


def _chunk_box(offset: tuple[int, ...], chunks: tuple[int, ...], shape: tuple[int, ...]) -> Box:
    return tuple((at, min(at + chunk, extent)) for at, chunk, extent in zip(offset, chunks, shape, strict=True))
