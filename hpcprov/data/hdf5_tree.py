"""The tree of an HDF5 file: every object under its bytewise smallest hard-link path, cycles or not.

Links are followed in the bytewise order of whole paths (a group counts as its name with `/`, because `a-b` comes
before `a/x`) and each object once, so the first path that reaches an object is its smallest one that passes no object
twice. External links, where they are followed, count as hard links. Soft links are noted and lead nowhere.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from h5py import h5a, h5g, h5l, h5o, h5t

from hpcprov.data.hdf5_file import HDF5File
from hpcprov.data.hdf5_follow import REFUSED, Files
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData

MAX_DEPTH = 1000
NON_COORDINATE = b"_nc4_non_coord_"
NOT_A_VARIABLE = b"This is a netCDF dimension but not a netCDF variable"
MAX_ATTRIBUTE = 1024


@dataclass(frozen=True)
class Entry:
    """An object: its path, its address, the file it lies in and its path of hard links there, and whether it is a
    field."""

    path: bytes
    address: int
    file: HDF5File
    inside: bytes
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


@dataclass
class Tree:
    """The objects of a file, and the soft links that were met: (path, what it says)."""

    files: Files
    links: list[tuple[bytes, bytes]] = field(default_factory=list)

    def walk(self) -> Iterator[Entry]:
        """Every object that links reach, the root group first; each is entered in its file's table of addresses.
        Raises Unsigned at an external link that is not followed."""
        first = self.files.first
        seen = {first.identity(b"")}
        yield _noted(Entry(b"", first.identity(b"")[1], first, b""))
        stack = [self._below(h5g.open(first.handle, b"/"), first, b"", b"")]
        while stack:
            found = next(stack[-1], None)
            if found is None:
                stack.pop()
                continue
            entry, info = found
            if (info.fileno, info.addr) in seen:
                continue
            seen.add((info.fileno, info.addr))
            yield _noted(entry)
            if info.type == h5o.TYPE_GROUP:
                if len(stack) >= MAX_DEPTH:
                    raise UnreadableData(f"groups are nested deeper than {MAX_DEPTH}")
                group = h5o.open(entry.file.handle, entry.inside or b"/")
                stack.append(self._below(group, entry.file, entry.path, entry.inside))

    def _below(self, group: Any, file: HDF5File, path: bytes, inside: bytes) -> Iterator[tuple[Entry, Any]]:
        """The objects that a group's links lead to, in bytewise order of the paths below them."""
        prefix, within = _prefix(path), _prefix(inside)
        found = []
        for name in list(group):
            place = self._target(group, name, file, prefix + name, within + name)
            if place is not None:
                is_here = place == (file, within + name)
                info = h5o.get_info(group, name) if is_here else h5o.get_info(place[0].handle, place[1] or b"/")
                found.append((prefix + name, *place, info))
        for item, home, there, info in sorted(found, key=lambda at: at[0] + b"/" * (at[3].type == h5o.TYPE_GROUP)):
            is_field = info.type == h5o.TYPE_DATASET and not _is_bare_dimension(home, there)
            yield Entry(item, info.addr, home, there, is_field), info

    def _target(
        self, group: Any, name: bytes, file: HDF5File, path: bytes, inside: bytes
    ) -> tuple[HDF5File, bytes] | None:
        """The file and the path in it to which a link leads; None for a soft link."""
        kind = group.links.get_info(name).type
        if kind == h5l.TYPE_HARD:
            return file, inside
        full = path.decode("utf-8", "surrogateescape")
        if kind == h5l.TYPE_SOFT:
            self.links.append((path, group.links.get_val(name)))
            return None
        if kind != h5l.TYPE_EXTERNAL:
            raise Unsigned(f"{full}: a link of a kind that a user defined has no signature")
        if not self.files.follow:
            other = os.fsdecode(group.links.get_val(name)[0])
            raise Unsigned(f"{full}: an external link leads to the file {other!r}, {REFUSED}")
        return self.files.resolve(file, inside, full)


def walk(file: HDF5File) -> Iterator[Entry]:
    """The same of a file that a caller has open; nothing is followed out of it."""
    return Tree(Files(file)).walk()


def _noted(entry: Entry) -> Entry:
    entry.file.paths[entry.address] = entry.target
    return entry


def _prefix(path: bytes) -> bytes:
    return path + b"/" if path else b""


def _is_bare_dimension(file: HDF5File, path: bytes) -> bool:
    dataset = h5o.open(file.handle, path)
    return _attribute(dataset, b"CLASS") == b"DIMENSION_SCALE" and (_attribute(dataset, b"NAME") or b"").startswith(
        NOT_A_VARIABLE
    )


def _attribute(target: Any, name: bytes) -> bytes | None:
    """A short fixed-width text attribute, or None."""
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
