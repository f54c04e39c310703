"""Attributes of HDF5 files, and so of NetCDF-4: those of the root group and of each dataset.

    attributes("run.nc").fields["depth"]["units"]

What NetCDF and the dimension scales keep for themselves is left out. Each attribute's size is looked at before it is
read; references, compounds and other kinds that are neither numbers nor text are noted as skipped.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from math import prod
from typing import Any

import h5py
import numpy as np
from h5py import h5a, h5d, h5s, h5t

from hpcprov.data.attributes import MOST_ATTRIBUTES, MOST_OCTETS, Attributes, LeftOut, Storage, plain
from hpcprov.data.hdf5_file import open_file
from hpcprov.data.hdf5_follow import Files
from hpcprov.data.hdf5_tree import NON_COORDINATE, Entry, Tree
from hpcprov.data.hdf5_types import layout_of
from hpcprov.data.types import Unsigned

#: What NetCDF-4, the HDF5 dimension scales and PyTables' readers keep for themselves.
OWN = {
    *(b"_NCProperties", b"_Netcdf4Dimid", b"_Netcdf4Coordinates", b"_nc3_strict", b"_NCCOPY"),
    *(b"DIMENSION_LIST", b"REFERENCE_LIST", b"CLASS", b"NAME", b"DIMENSION_LABELS"),
}
#: HDF5's numbers of the filters: their names.
FILTERS = {
    1: "deflate", 2: "shuffle", 3: "fletcher32", 4: "szip", 5: "nbit", 6: "scaleoffset", 305: "lzo", 307: "bzip2",
    32000: "lzf", 32001: "blosc", 32004: "lz4", 32008: "bitshuffle", 32013: "zfp", 32015: "zstd", 32017: "sz",
    32022: "bitround", 32026: "blosc2",
}  # fmt: skip
#: How long texts of variable length are shows when they are read: all may be the same large one.
MOST_TEXTS = 256
#: Those whose first parameter is the level.
LEVELLED = (1, 307, 32015, 32022)


def attributes(path: str) -> Attributes:
    """Of the whole file. Raises what h5py raises for damaged files, Unsigned for links out of it."""
    found = Attributes()
    with entries(path) as all_entries:
        for entry in all_entries:
            if entry.path == b"":
                gather(entry.file.handle, found, None)
            elif entry.is_field:
                name = _text(entry.field_path)
                found.fields[name] = {}
                gather(entry.file.opened(entry.inside), found, name)
    return found


def storage(path: str) -> dict[str, Storage]:
    """Of each dataset."""
    with entries(path) as all_entries:
        return {_text(entry.field_path): _storage(entry) for entry in all_entries if entry.is_field}


@contextmanager
def entries(path: str) -> Iterator[Iterator[Entry]]:
    """The objects of a file that is open meanwhile."""
    files = Files(open_file(path), False)
    try:
        yield Tree(files).walk()
    finally:
        files.close()


def gather(thing: Any, found: Attributes, where: str | None) -> None:
    """Add the attributes of an object, as h5py's low-level interface gives it."""
    names: list[bytes] = []

    def more(name: bytes) -> bool | None:
        names.append(name)
        return True if len(names) > 2 * MOST_ATTRIBUTES else None  # which ends it

    h5a.iterate(thing, more)  # to open the n-th one, HDF5 looks at all of them
    for own in names:
        if own in OWN:
            continue
        name = _text(own)
        try:
            if found.count >= MOST_ATTRIBUTES:
                raise LeftOut(f"more than {MOST_ATTRIBUTES} attributes")
            found.add(where, name, _value(h5a.open(thing, own)))
        except LeftOut as reason:
            found.skip(where, name, str(reason))


def _value(attribute: Any) -> Any:
    kind, space = attribute.get_type(), attribute.get_space()
    text = kind.get_class() == h5t.STRING
    if space.get_simple_extent_type() == h5s.NULL:
        if text:
            return ""
        raise LeftOut("without a value")
    size = prod(attribute.shape) * kind.get_size()
    if size > MOST_OCTETS:
        raise LeftOut(f"{size} bytes, and at most {MOST_OCTETS} are taken")
    if kind.get_class() not in (h5t.INTEGER, h5t.FLOAT, h5t.STRING, h5t.ENUM):
        raise LeftOut("neither numbers nor text")
    if text and not kind.is_variable_str():
        return _fixed_text(attribute, kind)
    if text and prod(attribute.shape) > MOST_TEXTS:
        raise LeftOut(f"{prod(attribute.shape)} texts of variable length, and at most {MOST_TEXTS} are taken")
    try:
        dtype = attribute.dtype
    except TypeError as error:
        raise LeftOut("a type that numpy does not have") from error
    values = np.zeros(attribute.shape, dtype)
    attribute.read(values)
    return [plain(item) for item in values.reshape(-1).tolist()] if text else values


def _fixed_text(attribute: Any, kind: Any) -> list[bytes]:
    """Texts of a fixed width, without what pads them."""
    raw = np.zeros(attribute.shape, f"V{kind.get_size()}")
    attribute.read(raw, kind)
    padding = {h5t.STR_NULLTERM: b"\0", h5t.STR_NULLPAD: b"\0", h5t.STR_SPACEPAD: b" "}[kind.get_strpad()]
    return [item.rstrip(padding) for item in raw.reshape(-1).tolist()]


def _storage(entry: Entry) -> Storage:
    dataset = entry.file.opened(entry.inside)
    creation = dataset.get_create_plist()
    chunks = list(creation.get_chunk()) if creation.get_layout() == h5d.CHUNKED else None
    return Storage(chunks, None, _codec(creation), _fill(entry, dataset), _dimensions(entry, dataset))


def _codec(creation: Any) -> str | None:
    names = []
    for at in range(creation.get_nfilters()):
        code, _, values, _ = creation.get_filter(at)
        level = f"({values[0]})" if code in LEVELLED and values else ""
        names.append(f"{FILTERS.get(code, f'filter {code}')}{level}")
    return ", ".join(names) or None


def _fill(entry: Entry, dataset: Any) -> Any:
    """The fill value that the writer declared."""
    if dataset.get_create_plist().fill_value_defined() != h5d.FILL_VALUE_USER_DEFINED:
        return None
    try:
        layout = layout_of(dataset.get_type(), entry.file.references)
        value = entry.file.fill_value(dataset, layout)
        return plain(value.item() if value.dtype.kind == "O" else value.reshape(-1))
    except (Unsigned, LeftOut):
        return None


def _dimensions(entry: Entry, dataset: Any) -> list[str] | None:
    """The axes' labels, else the names of their scales; None where no axis has one."""
    rank = dataset.get_space().get_simple_extent_ndims()
    thing = h5py.Dataset(dataset)
    if not rank:
        return None
    if h5py.h5ds.is_scale(dataset) and rank == 1 and not h5a.exists(dataset, b"DIMENSION_LIST"):
        return [_short(_text(entry.field_path))]
    names = [_dimension(thing, axis) for axis in range(rank)]
    return names if any(names) else None


def _dimension(thing: Any, axis: int) -> str:
    dimension = thing.dims[axis]
    if dimension.label:
        return str(dimension.label)
    return _short(dimension[0].name or "") if len(dimension) else ""


def _short(path: str) -> str:
    return path.rpartition("/")[2].removeprefix(NON_COORDINATE.decode())


def _text(raw: bytes) -> str:
    return raw.decode("utf-8", "surrogateescape")
