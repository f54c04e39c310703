"""One open HDF5 file: the library's handle of it, a descriptor of its own for reading without the library, and what is
known of its objects.

    file = open_file("/data/run.nc")
    file.dataset(b"g/x").read(...)             # through the library, one thread at a time
    os.pread(file.fd, size, offset)            # beside it
"""

from __future__ import annotations

import os
from dataclasses import dataclass, field
from functools import cached_property
from itertools import count
from threading import Lock
from typing import Any

import h5py
import numpy as np
from h5py import h5d, h5f, h5o, h5p, h5s

from hpcprov.data.hdf5_types import Layout
from hpcprov.data.types import Unsigned
from hpcprov.data.values import Values

#: Memory in which HDF5 keeps decoded chunks of the dataset that is being read.
CHUNK_CACHE = 16 << 20
#: From this version on the library adds the user block to the places of chunks (https://github.com/HDFGroup/hdf5/pull/4236).
ADDS_USER_BLOCK = (1, 14, 4)
ALL_FILTERS = 0
#: Numbers the files in memory that fill values are read from.
SCRATCHES = count()


@dataclass(eq=False)
class HDF5File:
    """An open file of `size` bytes, the dataset read last (kept open for its chunk cache), and the path of each object
    address."""

    path: str
    handle: Any
    fd: int
    size: int = 0
    paths: dict[int, bytes] = field(default_factory=dict)
    last: tuple[bytes, Any] | None = None
    scratch: Any = None
    lock: Lock = field(default_factory=Lock)

    @property
    def chunk_base(self) -> int:
        """What is to be added to the places of chunks that the library tells."""
        adds = h5py.version.hdf5_version_tuple >= ADDS_USER_BLOCK
        return 0 if adds else int(self.handle.get_create_plist().get_userblock())

    @property
    def is_being_written(self) -> bool:
        """Whether this very process has the file open for writing, too."""
        return bool(self.handle.get_intent() & h5f.ACC_RDWR)

    def dataset(self, path: bytes) -> Any:
        """The open dataset at a path of hard links."""
        with self.lock:
            if self.last is None or self.last[0] != path:
                self.last = (path, self.opened(path))
            return self.last[1]

    def opened(self, path: bytes) -> Any:
        """The dataset, whose external storage is looked for beside this file. (Others are opened as a program that has
        them open would do it: the library refuses one dataset with two ideas of where that is.)"""
        dataset = h5d.open(self.handle, path)
        if not dataset.get_create_plist().get_external_count():
            return dataset
        del dataset
        return h5d.open(self.handle, path, self._access)

    @cached_property
    def _access(self) -> Any:
        access = h5p.create(h5p.DATASET_ACCESS)
        access.set_efile_prefix(os.fsencode(os.path.dirname(self.path)))
        return access

    def identity(self, path: bytes) -> tuple[int, int]:
        """What an object is, whatever its name: the number of its file and its address."""
        info = h5o.get_info(self.handle, path or b"/")
        return info.fileno, info.addr

    def references(self, addresses: Values) -> list[bytes]:
        """The paths of the objects at these addresses."""
        return [self._target(int(address)) for address in addresses.tolist()]

    def _target(self, address: int) -> bytes:
        if address == 0:
            return b""
        if address not in self.paths:
            raise Unsigned("an object reference points to an object without a path in this file")
        return self.paths[address]

    def fill_value(self, dataset: Any, layout: Layout) -> Values:
        """The value, without axes of the array, of what was never written: zeros where it is undefined.

        The library gives it for every type only when a dataset without storage is read, so one is made in memory."""
        creation, found = dataset.get_create_plist(), np.zeros((), layout.dtype)
        if creation.fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
            return found
        creation = creation.copy()
        creation.remove_filter(ALL_FILTERS)
        creation.set_layout(h5d.CONTIGUOUS)
        creation.set_alloc_time(h5d.ALLOC_TIME_LATE)
        creation.set_fill_time(h5d.FILL_TIME_IFSET)
        blank = h5d.create(self._scratch(), None, dataset.get_type().copy(), h5s.create(h5s.SCALAR), creation)
        blank.read(h5s.ALL, h5s.ALL, found, layout.memory)
        return found

    def _scratch(self) -> Any:
        """A file in memory, of a name that no other one has: the library lets no two of one name be made."""
        with self.lock:
            if self.scratch is None:
                access = h5p.create(h5p.FILE_ACCESS)
                access.set_fapl_core(1 << 16, False)
                self.scratch = h5f.create(b"fill values %d" % next(SCRATCHES), h5f.ACC_TRUNC, fapl=access)
            return self.scratch

    def close(self) -> None:
        """Give up the file; fields of it can no longer be read."""
        self.last = None
        os.close(self.fd)
        self.handle.close()
        if self.scratch is not None:
            self.scratch.close()


def _handle(path: bytes, access: Any) -> Any:
    """The file opened as `access` says, or as this process has it open already: the library mixes neither locks nor
    ways of closing."""
    try:
        return h5f.open(path, h5f.ACC_RDONLY, access)
    except OSError:
        same = _open_here(path)
        if same is None:
            raise
        return h5f.open(path, h5f.ACC_RDONLY, same.get_access_plist())


def _open_here(path: bytes) -> Any:
    """The library's handle of a file that this process has open, or None."""
    handles = h5f.get_obj_ids(h5f.OBJ_ALL, h5f.OBJ_FILE)
    names = ((handle, h5f.get_name(handle)) for handle in handles)
    return next((handle for handle, name in names if os.path.exists(name) and os.path.samefile(name, path)), None)


def open_file(path: str, *, shared: bool = False) -> HDF5File:
    """The file at `path`, for reading only; `shared` when the library may open it a second time on its own, as it does
    for virtual datasets. Raises OSError."""
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    access.set_cache(0, 521, CHUNK_CACHE, 0.75)
    access.set_fclose_degree(h5f.CLOSE_WEAK if shared else h5f.CLOSE_STRONG)
    if hasattr(access, "set_file_locking"):
        access.set_file_locking(False, True)
    handle = _handle(os.fsencode(path), access)
    try:
        fd = os.dup(handle.get_vfd_handle())
        return HDF5File(os.path.abspath(path), handle, fd, os.fstat(fd).st_size)
    except BaseException:
        handle.close()
        raise
