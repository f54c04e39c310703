"""`open_data(path)`: the reader for an artifact, chosen by its content and never by its name.

    HDF5 (and NetCDF-4)  the HDF5 magic at byte 0, 512, 1024, 2048, ...
    NetCDF-3             CDF and a version
    npy                  the NumPy magic
    npz                  a ZIP file of names that all end in .npy
    Zarr                 a directory, or the root of a ZIP file, with zarr.json, or with .zgroup, .zarray or .zmetadata
    Parquet              PAR1 at the beginning and the end
    Arrow                ARROW1 (Arrow IPC files, Feather 2)
    CSV                  text that keeps the rule of `hpcprov.data.csv_rule`
    anything else        a plain file or directory: no fields

A reader whose library is not installed raises MissingReader, whose message names the extra that brings it.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from importlib import import_module
from typing import Any

from hpcprov.data.csv_rule import delimiter_of, sample_of
from hpcprov.data.interface import Dataset
from hpcprov.data.types import Unsigned
from hpcprov.data.zip_names import MAGICS, zip_format
from hpcprov.record.errors import HpcprovError, UnreadableData

HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
#: What a file begins with: its format.
BEGINNINGS = {
    b"\x93NUMPY": "npy",
    b"CDF\1": "netcdf3",
    b"CDF\2": "netcdf3",
    b"CDF\5": "netcdf3",
    b"ARROW1\0\0": "arrow",
}
PARQUET = b"PAR1"
FEATHER1 = b"FEA1"
ZARR_NAMES = {"zarr.json": "zarr3", ".zgroup": "zarr2", ".zarray": "zarr2", ".zmetadata": "zarr2"}

#: format: module, function, the extra that brings its library
READERS = {
    "hdf5": ("hpcprov.data.hdf5", "open_hdf5", "hdf5"),
    "zarr2": ("hpcprov.data.zarr", "open_zarr2", "zarr"),
    "zarr3": ("hpcprov.data.zarr", "open_zarr3", "zarr"),
    "npy": ("hpcprov.data.npy", "open_npy", ""),
    "npz": ("hpcprov.data.npz", "open_npz", ""),
    "netcdf3": ("hpcprov.data.netcdf3", "open_netcdf3", ""),
    "parquet": ("hpcprov.data.parquet", "open_parquet", "tables"),
    "arrow": ("hpcprov.data.arrow", "open_arrow", "tables"),
    "feather1": ("hpcprov.data.arrow", "open_feather1", "tables"),
    "csv": ("hpcprov.data.csv_table", "open_csv", "tables"),
}

#: Formats that are parsed anew for each column, unless what was parsed is kept.
KEEPING = ("csv",)
#: Formats whose values may lie in other files; their readers take `follow`.
FOLLOWING = ("hdf5",)
#: Formats with types that have no signature, whose readers take `partial`.
PARTIAL = ("parquet", "arrow")

#: suffix of a name: what its content should be
SUFFIXES = {
    ".h5": "HDF5",
    ".hdf5": "HDF5",
    ".nc": "NetCDF",
    ".npy": "npy",
    ".npz": "npz",
    ".zarr": "Zarr",
    ".parquet": "Parquet",
    ".arrow": "Arrow",
    ".feather": "Feather",
}
#: A directory of such a name may be a data set of many files, each of which is an artifact.
IN_PARTS = (".parquet", ".arrow", ".feather")


class MissingReader(HpcprovError):
    """The library that reads this format is not installed."""


def open_data(path: str, *, follow: bool = False, keep: int | None = None, partial: bool = False) -> Dataset:
    """The dataset at `path`. With `follow`, values that lie in other files (HDF5's external links, external storage and
    virtual datasets) are read there. `keep` is how many bytes of parsed text may be kept. With
    `partial`, columns of tables whose types have no signature are left out, and told as `unread`. Raises UnreadableData
    for damaged data, Unsigned where the rules give no signature, MissingReader."""
    form = format_of(path)
    if form not in READERS:
        return Dataset(form)
    with readable(path):
        options: dict[str, Any] = {"follow": True} if follow and form in FOLLOWING else {}
        options |= {"keep": keep} if form in KEEPING else {}
        options |= {"partial": True} if partial and form in PARTIAL else {}
        return _reader(form)(path, **options)


def format_of(path: str) -> str:
    """`file`, `directory` or a key of READERS. Raises UnreadableData for pipes, sockets, devices and what cannot be
    read."""
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
    if suffix not in SUFFIXES or form in READERS or (suffix in IN_PARTS and form == "directory" and os.listdir(path)):
        return
    raise UnreadableData(f"its name ends in {suffix}, but {_found(path, form)}, not {SUFFIXES[suffix]} data")


def _found(path: str, form: str) -> str:
    if form == "directory":
        return "it is a directory without Zarr metadata" if os.listdir(path) else "it is an empty directory"
    return "it is a file of another kind (or its beginning is damaged)" if os.path.getsize(path) else "it is empty"


def _file_format(path: str) -> str:
    fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK)
    try:
        size = os.fstat(fd).st_size
        begin = os.pread(fd, 8, 0)
        known = next((form for magic, form in BEGINNINGS.items() if begin.startswith(magic)), None)
        return known or _framed(fd, begin, size) or _by_content(fd, size)
    finally:
        os.close(fd)


def _framed(fd: int, begin: bytes, size: int) -> str | None:
    """The formats that show at both ends, or need a look into their directory."""
    if begin[:4] in MAGICS:
        return zip_format(fd, ZARR_NAMES)
    end = os.pread(fd, 4, max(0, size - 4))
    if begin[:4] == end == PARQUET and size >= 12:
        return "parquet"
    return "feather1" if begin[:4] == end == FEATHER1 and size >= 12 else None


def _by_content(fd: int, size: int) -> str:
    if any(os.pread(fd, 8, at) == HDF5_MAGIC for at in _superblocks(size)):
        return "hdf5"
    sample, whole = sample_of(fd, size)
    return "csv" if delimiter_of(sample, whole=whole) else "file"


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
    text = str(getattr(error, "strerror", None) or error).strip() or type(error).__name__
    return text.splitlines()[0][:300]
