"""Writes arrays block by block into a new HDF5 file or Zarr store, which appears whole or not at all.

    with write_arrays("bad.zarr") as out:
        put = out.create("ocean/u", plain("f4"), (721, 1440))
        put(((0, 64), (0, 1440)), values)          # values as readers give them; missing ones become NaN or zero

It is written beside its name, then renamed; a draft that was not finished is removed. Zarr stores are of version 2,
which has a type for everything that is written here, and which every reader reads.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import prod
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.interface import Box, lengths, part
from hpcprov.data.open import MissingReader
from hpcprov.data.types import Binary, Text, Type
from hpcprov.data.values import Values, encode_each, pack
from hpcprov.record.drafts import drafted, take_mode
from hpcprov.record.errors import HpcprovError

Put: TypeAlias = Callable[[Box, Values], None]

#: suffix of a name: module that writes it
FORMS = {".zarr": "zarr", ".h5": "hdf5", ".hdf5": "hdf5", ".nc": "hdf5"}
ZARR_MARKS = (".zgroup", ".zarray", "zarr.json")
#: Bytes of a chunk, about.
CHUNK = 1 << 20
NUMBERS = ("bool", *(f"{kind}{size}" for kind in "iu" for size in (1, 2, 4, 8)), "f2", "f4", "f8", "c8", "c16")


class NotWritable(HpcprovError):
    """Values of this type have no place in files of this form."""


def form_of(path: str) -> str:
    """How arrays are written to a file of this name. Raises HpcprovError for other names."""
    form = FORMS.get(os.path.splitext(path.rstrip("/"))[1].lower())
    if form is None:
        raise HpcprovError(f"{path!a}: arrays are written as {', '.join(FORMS)}")
    return form


@contextmanager
def write_arrays(path: str, *, replace: bool = False) -> Iterator[ArrayFile]:
    """What is created within has its name afterwards, when nothing was raised. Raises HpcprovError when something is
    there already that may not be replaced, or it cannot be written; MissingReader."""
    path = path.rstrip("/")
    form = form_of(path)
    check_place(path, replace=replace)
    with drafted(path, replace=replace) as draft:
        out = ArrayFile(_opened(draft, form), form)
        try:
            take_mode(draft, path if replace else draft)
            yield out
        finally:
            out.close()
        check_place(path, replace=replace)  # once more: that took a while


def check_place(path: str, *, replace: bool) -> None:
    """Raises HpcprovError when something is there that may not be replaced: only files and stores of its form may."""
    if not os.path.lexists(path):
        return
    if not replace:
        raise HpcprovError(f"{path!a} is there already", hint="--force replaces it")
    kind = form_of(path)
    is_store = os.path.isdir(path) and any(os.path.lexists(os.path.join(path, mark)) for mark in ZARR_MARKS)
    if os.path.islink(path) or not (is_store if kind == "zarr" else os.path.isfile(path)):
        raise HpcprovError(f"{path!a} is not a {kind} {'store' if kind == 'zarr' else 'file'}: it is not replaced")


class ArrayFile:
    """An HDF5 file or Zarr group that is being written."""

    def __init__(self, root: Any, form: str) -> None:
        self.root, self.form = root, form
        self.names: set[str] = set()

    def create(self, name: str, kind: Type, shape: tuple[int, ...], *, attributes: dict[str, Any] | None = None) -> Put:
        """A new array with the values of a type; a function that fills in a box of it. Raises NotWritable."""
        dtype, made = self._dtype(kind)
        chunks = chunks_of(shape, dtype.itemsize)
        array = self._create(self.free(name), dtype, shape, chunks)
        if attributes:
            array.attrs.update(attributes)

        def put(box: Box, values: Values) -> None:
            if prod(lengths(box)):
                array[part(box)] = made(values, lengths(box))

        put.array = array  # type: ignore[attr-defined]
        return put

    def free(self, name: str) -> str:
        """The name, made one that no file system or library minds and that is not taken yet."""
        parts = [_clean(word) for word in name.split("/")]
        base = "/".join(word for word in parts if word) or "array"
        found, number = base, 2
        while found in self.names or any(f"{found}/" in f"{other}/" for other in self.names if other != found):
            found, number = f"{base}~{number}", number + 1
        self.names.add(found)
        return found

    def close(self) -> None:
        if self.form == "hdf5":
            self.root.close()

    def _create(self, name: str, dtype: np.dtype[Any], shape: tuple[int, ...], chunks: tuple[int, ...]) -> Any:
        if self.form == "hdf5":
            usual = {"chunks": chunks, "compression": "gzip", "compression_opts": 1, "shuffle": True}
            return self.root.create_dataset(name, shape, dtype, **(usual if shape and all(shape) else {}))
        return self.root.create_array(name, shape=shape, dtype=dtype, chunks=chunks or "auto")

    def _dtype(self, kind: Type) -> tuple[Any, Callable[[Values, tuple[int, ...]], Values]]:
        """The dtype that a type is written with, and what makes such values."""
        if kind.text in NUMBERS:
            return np.dtype(kind.text), lambda values, extents: _numbers(values, extents, kind)
        if kind.text == "bf16":
            return np.dtype("f4"), lambda values, extents: _halves(values, extents, kind)
        if isinstance(kind, Text):
            return self._text(kind)
        if kind.text.startswith(("M8", "m8")):
            return self._time(kind)
        raise NotWritable(f"values of the type {kind.text} are not written")

    def _text(self, kind: Text) -> tuple[Any, Callable[[Values, tuple[int, ...]], Values]]:
        if isinstance(kind, Binary):
            raise NotWritable("byte strings of any length are not written")
        if self.form == "hdf5":
            import h5py

            return h5py.string_dtype(), lambda values, extents: _texts(values, extents, kind)
        return np.dtypes.StringDType(), lambda values, extents: _texts(values, extents, kind)

    def _time(self, kind: Type) -> tuple[Any, Callable[[Values, tuple[int, ...]], Values]]:
        dtype = np.dtype(kind.text.replace(",UTC", ""))

        def times(values: Values, extents: tuple[int, ...]) -> Values:
            octets = pack(np.ma.getdata(values).reshape(prod(extents)), kind)
            return octets.reshape(-1).view("<i8").view(dtype).reshape(extents)

        if self.form != "hdf5":
            return dtype, times
        import h5py

        opaque = h5py.opaque_dtype(dtype)
        return opaque, lambda values, extents: times(values, extents).astype(opaque)


def chunks_of(shape: tuple[int, ...], width: int) -> tuple[int, ...]:
    """Chunks of about a MiB, halved along their longest axis."""
    chunks = [max(1, extent) for extent in shape]
    while chunks and prod(chunks) * max(1, width) > CHUNK and max(chunks) > 1:
        axis = max(range(len(chunks)), key=lambda at: chunks[at])
        chunks[axis] = -(-chunks[axis] // 2)
    return tuple(chunks)


def _numbers(values: Values, extents: tuple[int, ...], kind: Type) -> Values:
    present = values
    if np.ma.isMaskedArray(values):
        present = values.filled(np.nan if kind.text[0] in "fc" else 0)
    octets = np.ascontiguousarray(pack(np.ma.getdata(present).reshape(prod(extents)), kind))
    return octets.reshape(-1).view(np.bool_ if kind.text == "bool" else f"<{kind.text}").reshape(extents)


def _halves(values: Values, extents: tuple[int, ...], kind: Type) -> Values:
    octets = np.ascontiguousarray(pack(np.ma.getdata(values).reshape(prod(extents)), kind))
    return (octets.reshape(-1).view("<u2").astype("<u4") << 16).view("<f4").reshape(extents)


def _texts(values: Values, extents: tuple[int, ...], kind: Text) -> Values:
    cells = encode_each(np.ma.getdata(values).reshape(prod(extents)), kind)
    found = np.empty(len(cells), object)
    found[:] = [cell[8:].decode("utf-8", "replace").replace("\0", "�") for cell in cells]
    return found.reshape(extents)


def _clean(word: str) -> str:
    """One part of a name: no way up, nothing hidden, nothing that is no text."""
    text = word.replace("\0", "").encode("utf-8", "backslashreplace").decode()[:200]
    return "" if text in ("", ".", "..") else f"_{text}" if text.startswith((".", "__")) else text


def _opened(draft: str, form: str) -> Any:
    try:
        if form == "hdf5":
            import h5py

            return h5py.File(draft, "x")
        import zarr
    except ImportError as error:
        raise MissingReader(f"to write it, pip install 'hpcprov[{form}]' ({error})") from error
    return zarr.open_group(draft, mode="w-", zarr_format=2)
