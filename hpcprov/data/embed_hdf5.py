"""Attributes written into the copy of an HDF5 (NetCDF-4) file, as the NetCDF library writes them.

Text is of a fixed length, which every NetCDF and Fortran program reads, unless the attribute was of variable length
before. A value takes at most 64,000 bytes: more does not fit into an object's header in files of the usual version.
"""

from __future__ import annotations

import os
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5f, h5p, h5s, h5t

from hpcprov.data.attributes import Value
from hpcprov.data.attributes_hdf5 import entries
from hpcprov.data.embed import Changes
from hpcprov.data.embed_original import NotEmbedded
from hpcprov.record.errors import UnreadableData

MOST = 64_000


def edit(draft: str, changes: Changes) -> None:
    """Change a file that is nobody else's. Raises NotEmbedded, UnreadableData."""
    inside = _places(draft, changes)
    file = h5f.open(os.fsencode(draft), h5f.ACC_RDWR, _access())
    try:
        _set_all(h5py.h5g.open(file, b"/"), changes.dataset)
        for name, values in changes.fields.items():
            _set_all(h5d.open(file, inside[name]), values)
        h5f.flush(file, h5f.SCOPE_GLOBAL)
    finally:
        file.close()


def _places(draft: str, changes: Changes) -> dict[str, bytes]:
    """Where the fields that change lie."""
    if not changes.fields:
        return {}
    with entries(draft) as found:
        places = {
            entry.field_path.decode("utf-8", "surrogateescape"): entry.inside for entry in found if entry.is_field
        }
    for name in changes.fields:
        if name not in places:
            raise UnreadableData(f"it has no field {name!a}")
    return places


def _access() -> Any:
    access = h5p.create(h5p.FILE_ACCESS)
    access.set_fapl_sec2()
    access.set_fclose_degree(h5f.CLOSE_STRONG)
    access.set_file_locking(False, True)  # the draft is locked already
    return access


def _set_all(thing: Any, values: dict[str, Value | None]) -> None:
    for name, value in values.items():
        _set(thing, name.encode("utf-8", "surrogateescape"), name, value)


def _set(thing: Any, octets: bytes, name: str, value: Value | None) -> None:
    varies = False
    if h5a.exists(thing, octets):
        old = h5a.open(thing, octets).get_type()
        varies = old.get_class() == h5t.STRING and bool(old.is_variable_str())
        h5a.delete(thing, octets)
    if isinstance(value, str) and not varies:
        _set_text(thing, octets, name, value)
    elif value is not None:
        _set_array(thing, octets, name, value)


def _set_text(thing: Any, octets: bytes, name: str, text: str) -> None:
    raw = encoded(text)
    _check_size(name, len(raw))
    kind = h5t.C_S1.copy()
    kind.set_size(max(1, len(raw)))
    kind.set_strpad(h5t.STR_NULLTERM)
    kind.set_cset(h5t.CSET_ASCII if raw.isascii() else h5t.CSET_UTF8)
    attribute = h5a.create(thing, octets, kind, h5s.create(h5s.SCALAR))
    attribute.write(np.array(raw, f"V{max(1, len(raw))}"), kind)


def _set_array(thing: Any, octets: bytes, name: str, value: Value) -> None:
    """Numbers as NetCDF has them, in an array of one axis; texts of variable length."""
    items = value if isinstance(value, list) else [value]
    if any(isinstance(item, str) for item in items):
        array = np.array([encoded(str(item)) for item in items], object)
        kind = h5t.py_create(h5py.string_dtype("utf-8"), logical=True)
        space = h5s.create_simple(array.shape) if isinstance(value, list) else h5s.create(h5s.SCALAR)
        array = array if isinstance(value, list) else array.reshape(())
    else:
        array = np.atleast_1d(np.array([int(item) if isinstance(item, bool) else item for item in items]))
        if array.dtype.kind not in "iuf":
            raise NotEmbedded(f"{name}: neither text nor numbers")
        kind, space = h5t.py_create(array.dtype), h5s.create_simple(array.shape)
    _check_size(name, array.nbytes)
    h5a.create(thing, octets, kind, space).write(array)


def encoded(text: str) -> bytes:
    """UTF-8; bytes that were not are those again (PEP 383), other lone surrogates are escaped."""
    try:
        return text.encode("utf-8", "surrogateescape")
    except UnicodeEncodeError:
        return text.encode("utf-8", "backslashreplace")


def _check_size(name: str, size: int) -> None:
    if size > MOST:
        raise NotEmbedded(f"{name}: {size} bytes, and an HDF5 attribute takes {MOST}")
