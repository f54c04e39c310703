"""`open_data(path)`: the reader for an artifact, chosen by its content and never by its name.

    HDF5 (and NetCDF-4)  the HDF5 magic at byte 0, 512, 1024, 2048, ...
    npy                  the NumPy magic
    Zarr                 a directory with zarr.json, or with .zgroup, .zarray or .zmetadata
    anything else        a plain file or directory: no fields

A reader whose library is not installed raises MissingReader, whose message names the extra that brings it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module

from hpcprov.data.interface import Dataset
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import HpcprovError, UnreadableData

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
NPY_MAGIC = b"\x93NUMPY"
ZARR_NAMES = {"zarr.json": "zarr3", ".zgroup": "zarr2", ".zarray": "zarr2", ".zmetadata": "zarr2"}

#: format: module, function, the extra that brings its library
READERS = {
    "hdf5": ("hpcprov.data.hdf5", "open_hdf5", "hdf5"),
    "zarr2": ("hpcprov.data.zarr", "open_zarr2", "zarr"),
    "zarr3": ("hpcprov.data.zarr", "open_zarr3", "zarr"),
    "npy": ("hpcprov.data.npy", "open_npy", ""),
}

#: Formats whose values may lie in other files; their readers take `follow`.
FOLLOWING = ("hdf5",)

#: suffix of a name: what its content should be
SUFFIXES = {".h5": "HDF5", ".hdf5": "HDF5", ".nc": "NetCDF", ".npy": "npy", ".zarr": "Zarr"}
#: Classic NetCDF, which no reader here knows, is a plain file and nothing foreign.
CLASSIC = b"CDF"


class MissingReader(HpcprovError):
    """The library that reads this format is not installed."""


def open_data(path: str, *, follow: bool = False) -> Dataset:
    """The dataset at `path`. With `follow`, values that lie in other files (HDF5's external links, external storage and
    virtual datasets) are read there. Raises UnreadableData for damaged data, Unsigned where the rules give no
    signature, MissingReader."""
    form = format_of(path)
    if form not in READERS:
        return Dataset(form)
    with readable(path):
        return _reader(form)(path, follow=True) if follow and form in FOLLOWING else _reader(form)(path)


def format_of(path: str) -> str:
    """`file`, `directory`, `hdf5`, `zarr2`, `zarr3` or `npy`. Raises UnreadableData for pipes, sockets, devices and
    what cannot be read."""
    try:
        mode = os.stat(path).st_mode
        if stat.S_ISDIR(mode):
            return next(
                (form for name, form in ZARR_NAMES.items() if os.path.lexists(os.path.join(path, name))), "directory"
            )
        if stat.S_ISREG(mode):
            return _file_format(path)
    except OSError as error:
        raise UnreadableData(f"cannot be read: {error.strerror}") from error
    raise UnreadableData("neither a file nor a directory")


def check_name(path: str, form: str) -> None:
    """Raises UnreadableData for a file or directory without a format whose name promises one: it is truncated, empty or
    something else."""
    suffix = os.path.splitext(path.rstrip("/"))[1].lower()
    if suffix not in SUFFIXES or form in READERS or (suffix == ".nc" and form == "file" and _is_classic(path)):
        return
    raise UnreadableData(f"its name ends in {suffix}, but {_found(path, form)}, not {SUFFIXES[suffix]} data")


def _is_classic(path: str) -> bool:
    with open(path, "rb") as file:
        return file.read(len(CLASSIC)) == CLASSIC


def _found(path: str, form: str) -> str:
    if form == "directory":
        return "it is a directory without Zarr metadata" if os.listdir(path) else "it is an empty directory"
    return "it is a file of another kind (or its beginning is damaged)" if os.path.getsize(path) else "it is empty"


def _file_format(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        if os.pread(fd, 6, 0) == NPY_MAGIC:
            return "npy"
        return "hdf5" if any(os.pread(fd, 8, at) == HDF5_MAGIC for at in _superblocks(os.fstat(fd).st_size)) else "file"
    finally:
        os.close(fd)


def _superblocks(size: int) -> Iterator[int]:
    at = 0
    while at + len(HDF5_MAGIC) <= size:
        yield at
        at = at * 2 or 512


def _reader(form: str) -> Callable[..., Dataset]:
    module, function, extra = READERS[form]
    try:
        reader: Callable[..., Dataset] = getattr(import_module(module), function)
    except ImportError as error:
        raise MissingReader(f"to read it, pip install 'hpcprov[{extra}]' ({error})") from error
    return reader


@contextmanager
def readable(path: str) -> Iterator[None]:
    """The border to the readers' libraries: whatever they raise for bad data comes out as UnreadableData."""
    try:
        yield
    except (HpcprovError, Unsigned):
        raise
    except OSError as error:
        raise UnreadableData(f"cannot be read: {reason(error)}") from error
    except MemoryError as error:
        raise UnreadableData("cannot be read: not enough memory") from error
    except Exception as error:
        raise UnreadableData(f"cannot be decoded: {reason(error)}") from error


def reason(error: BaseException) -> str:
    """The first line of what a library says, at most 300 characters."""
    text = getattr(error, "strerror", None) or str(error) or type(error).__name__
    return str(text).strip().splitlines()[0][:300]
