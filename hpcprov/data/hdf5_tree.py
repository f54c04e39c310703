"""The tree of an HDF5 file: every object under its bytewise smallest hard-link path, cycles or not.

Links are followed in the bytewise order of whole paths (a group counts as its name with `/`, because `a-b` comes
before `a/x`) and each object once, so the first path that reaches an object is its smallest one that passes no object
twice.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from h5py import h5a, h5g, h5l, h5o

from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData

MAX_DEPTH = 1000
NON_COORDINATE = b"_nc4_non_coord_"
NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
MAX_ATTRIBUTE = 1024


@dataclass(frozen=True)
class Entry:
    """An object of the file: its path, its address, and whether it is a field."""

    path: bytes
    address: int
    is_field: bool = False

    @property
    def field_path(self) -> bytes:
        """The path of the field: NetCDF's prefix for variables that share a dimension's name is taken off."""
        group, slash, name = self.path.rpartition(b"/")
        return group + slash + name.removeprefix(NON_COORDINATE)

    @property
    def target(self) -> bytes:
        """What a reference to this object counts as: its field's path, a group's path, `/` for the root group."""
        return self.field_path if self.is_field else self.path or b"/"


def walk(file: Any) -> Iterator[Entry]:
    """Every object that hard links reach, the root group first. Raises Unsigned at an external link."""
    root = h5g.open(file, b"/")
    seen = {h5o.get_info(root).addr}
    yield Entry(b"", h5o.get_info(root).addr)
    stack = [_links(root, b"")]
    while stack:
        found = next(stack[-1], None)
        if found is None:
            stack.pop()
            continue
        path, info, group = found
        if info.addr in seen:
            continue
        seen.add(info.addr)
        is_dataset = info.type == h5o.TYPE_DATASET
        yield Entry(path, info.addr, is_dataset and not _is_bare_dimension(file, path))
        if info.type == h5o.TYPE_GROUP:
            if len(stack) >= MAX_DEPTH:
                raise UnreadableData(f"groups are nested deeper than {MAX_DEPTH}")
            stack.append(_links(h5o.open(group, path.rpartition(b"/")[2]), path))


def _links(group: Any, path: bytes) -> Iterator[tuple[bytes, Any, Any]]:
    """The hard links of a group as (path, object info, group), in bytewise order of the paths below them."""
    prefix = path + b"/" if path else b""
    found = [(name, h5o.get_info(group, name)) for name in _hard_links(group, prefix)]
    for name, info in sorted(found, key=lambda pair: pair[0] + b"/" * (pair[1].type == h5o.TYPE_GROUP)):
        yield prefix + name, info, group


def _hard_links(group: Any, prefix: bytes) -> Iterator[bytes]:
    links = group.links
    for name in list(group):
        kind = links.get_info(name).type
        if kind == h5l.TYPE_HARD:
            yield name
        elif kind != h5l.TYPE_SOFT:
            full = (prefix + name).decode("utf-8", "surrogateescape")
            raise Unsigned(f"{full}: an external link reads another file and is not followed")


def _is_bare_dimension(file: Any, path: bytes) -> bool:
    dataset = h5o.open(file, path)
    return _attribute(dataset, b"CLASS") == b"DIMENSION_SCALE" and (_attribute(dataset, b"NAME") or b"").startswith(
        NOT_A_VARIABLE
    )


def _attribute(target: Any, name: bytes) -> bytes | None:
    """A short fixed-width text attribute, or None."""
    import numpy as np
    from h5py import h5t

    if not h5a.exists(target, name):
        return None
    attribute = h5a.open(target, name)
    kind = attribute.get_type()
    if (
        kind.get_class() != h5t.STRING
        or kind.is_variable_str()
        or attribute.get_space().get_simple_extent_npoints() != 1
    ):
        return None
    if kind.get_size() > MAX_ATTRIBUTE:
        return None
    value = np.zeros(attribute.shape, f"S{kind.get_size()}")
    attribute.read(value, kind)
    return bytes(value.reshape(-1)[0]).split(b"\0", 1)[0]
