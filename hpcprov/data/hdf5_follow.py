"""HDF5 data that lies in other files: external links, external storage and virtual datasets.

Without `follow` each is refused by name. With it, names of files that are not absolute are taken from the directory of
the file that says them; every file is looked at before the library opens it, because the library would wait for a pipe
and give fill values for what is missing.

    files = Files(open_file(path), follow=True)
    file, inside = files.resolve(files.first, b"/g/link", "g/link")
"""

from __future__ import annotations

import os
import stat
from dataclasses import dataclass, field
from math import prod
from typing import Any

from h5py import h5d, h5g, h5l, h5o, h5s

from hpcprov.data.hdf5_file import HDF5File, open_file
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData

#: Files that one artifact may lead to, and links on the way to one object.
MAX_FILES = 200
MAX_HOPS = 100
#: Virtual datasets that read virtual datasets.
MAX_LAYERS = 32
REFUSED = "which only --follow reads"


@dataclass
class Files:
    """The file that was asked for, and those that its data led to."""

    first: HDF5File
    follow: bool = False
    others: dict[tuple[int, int], HDF5File] = field(default_factory=dict)
    read: set[str] = field(default_factory=set)
    checked: set[tuple[int, int]] = field(default_factory=set)

    def other(self, file: HDF5File, name: bytes, who: str) -> HDF5File:
        """The file that `file` calls `name`, opened once. Raises UnreadableData, naming it and `who` leads to it."""
        path, found = _regular(file, name, who)
        key = found.st_dev, found.st_ino
        first = os.fstat(self.first.fd)
        if key == (first.st_dev, first.st_ino):
            return self.first
        if key not in self.others:
            if len(self.others) >= MAX_FILES:
                raise Unsigned(f"{who}: its data lies in more than {MAX_FILES} other files")
            try:
                self.others[key] = open_file(path, shared=True)
            except OSError as error:
                raise UnreadableData(f"{who}: the file {path!r} that it leads to cannot be opened: {error}") from error
            self.read.add(path)
        return self.others[key]

    def resolve(self, file: HDF5File, path: bytes, who: str) -> tuple[HDF5File, bytes]:
        """The file of the object that a path leads to, over links of any kind, and its path of hard links there."""
        inside: list[bytes] = []
        rest, hops = path.split(b"/")[::-1], 0
        while rest:
            name = rest.pop()
            if name in (b"", b"."):
                continue
            group = _group(file, inside, path, who)
            kind = _link(group, name, file, path, who)
            if kind == h5l.TYPE_HARD:
                inside.append(name)
                continue
            hops += 1
            if hops > MAX_HOPS:
                raise UnreadableData(f"{who}: leads over more than {MAX_HOPS} links, perhaps in a circle")
            target = group.links.get_val(name)
            if kind == h5l.TYPE_EXTERNAL:
                file, target = self.other(file, target[0], who), b"/" + target[1].lstrip(b"/")
            if target.startswith(b"/"):
                inside = []
            path = target
            rest.extend(target.split(b"/")[::-1])
        _check_there(file, inside, path, who)
        return file, b"/".join(inside)

    def check(self, file: HDF5File, dataset: Any, who: str, above: tuple[tuple[int, int], ...] = ()) -> None:
        """That all values of a dataset are where they are said to be. Raises Unsigned where they lie in other files and
        those are not followed, UnreadableData where one is missing."""
        creation = dataset.get_create_plist()
        if creation.get_layout() == h5d.VIRTUAL:
            self._check_virtual(file, dataset, creation, who, above)
        elif creation.get_external_count():
            if above:
                raise Unsigned(f"{who}: a virtual dataset over external storage has no signature")
            self._check_external(file, dataset, creation, who)

    def _check_virtual(
        self, file: HDF5File, dataset: Any, creation: Any, who: str, above: tuple[tuple[int, int], ...]
    ) -> None:
        if not self.follow:
            raise Unsigned(f"{who}: a virtual dataset reads other files, {REFUSED}")
        here = _identity(dataset)
        if here in above:
            raise UnreadableData(f"{who}: a virtual dataset that reads itself")
        if len(above) >= MAX_LAYERS:
            raise Unsigned(f"{who}: virtual datasets upon each other, more than {MAX_LAYERS} deep")
        if here in self.checked:
            return
        for at in range(creation.get_virtual_count()):
            self._check_source(file, creation, at, who, (*above, here))
        self.checked.add(here)

    def _check_source(
        self, file: HDF5File, creation: Any, at: int, who: str, above: tuple[tuple[int, int], ...]
    ) -> None:
        name, path = creation.get_virtual_filename(at), creation.get_virtual_dsetname(at)
        if "%" in name or "%" in path:
            raise Unsigned(f"{who}: a virtual dataset over a numbered series ({name!r}, {path!r}) has no signature")
        other = file if name == "." else self.other(file, os.fsencode(name), who)
        home, inside = self.resolve(other, os.fsencode(path), who)
        try:
            source = home.opened(inside)
        except (OSError, ValueError, KeyError) as error:
            raise UnreadableData(f"{who}: {path!r} in {home.path!r} is no dataset") from error
        if not _covers(source.get_space(), creation.get_virtual_srcspace(at), creation.get_virtual_vspace(at)):
            raise UnreadableData(f"{who}: {path!r} in {home.path!r} has fewer values than are read from it")
        self.check(home, source, who, above)

    def _check_external(self, file: HDF5File, dataset: Any, creation: Any, who: str) -> None:
        parts = [creation.get_external(at) for at in range(creation.get_external_count())]
        if not self.follow:
            other = os.fsdecode(parts[0][0])
            raise Unsigned(f"{who}: its values lie in the external file {other!r}, {REFUSED}")
        left = prod(dataset.shape) * dataset.get_type().get_size()
        for name, offset, size in parts:
            path, found = _regular(file, name, who)
            wanted = min(left, size)
            if wanted and found.st_size < offset + wanted:
                raise UnreadableData(f"{who}: the external file {path!r} is too short: {found.st_size} bytes")
            self.read.add(path)
            left -= wanted

    def close(self) -> None:
        """Close all of them."""
        for file in (*self.others.values(), self.first):
            file.close()


def _regular(file: HDF5File, name: bytes, who: str) -> tuple[str, os.stat_result]:
    """The absolute path and status of a file that `file` names."""
    path = os.path.abspath(os.path.join(os.path.dirname(file.path), os.fsdecode(name)))
    try:
        found = os.stat(path)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or error
        raise UnreadableData(f"{who}: the file {path!r} that it leads to cannot be read: {reason}") from error
    if not stat.S_ISREG(found.st_mode):
        raise UnreadableData(f"{who}: {path!r}, which it leads to, is not a regular file")
    return path, found


def _group(file: HDF5File, inside: list[bytes], path: bytes, who: str) -> Any:
    try:
        return h5g.open(file.handle, b"/".join(inside) or b"/")
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _missing(file, path, who) from error


def _link(group: Any, name: bytes, file: HDF5File, path: bytes, who: str) -> int:
    try:
        kind = int(group.links.get_info(name).type)
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _missing(file, path, who) from error
    if kind not in (h5l.TYPE_HARD, h5l.TYPE_SOFT, h5l.TYPE_EXTERNAL):
        raise Unsigned(f"{who}: leads over a link of a kind that a user defined")
    return kind


def _check_there(file: HDF5File, inside: list[bytes], path: bytes, who: str) -> None:
    try:
        file.identity(b"/".join(inside))
    except (OSError, RuntimeError, ValueError, KeyError) as error:
        raise _missing(file, path, who) from error


def _missing(file: HDF5File, path: bytes, who: str) -> UnreadableData:
    return UnreadableData(f"{who}: {os.fsdecode(path)!r} is not there in {file.path!r}")


def _identity(dataset: Any) -> tuple[int, int]:
    info = h5o.get_info(dataset)
    return info.fileno, info.addr


def _covers(space: Any, selected: Any, virtual: Any) -> bool:
    """Whether a dataset of this space has all that is selected of it for the selection `virtual`."""
    if selected.get_select_type() == h5s.SEL_NONE:
        return True
    if selected.get_select_type() == h5s.SEL_ALL:
        return bool(space.get_simple_extent_npoints() == virtual.get_select_npoints())
    try:
        _, last = selected.get_select_bounds()
    except ValueError:  # without limit: it ends where the source does
        return True
    extents = space.get_simple_extent_dims()
    return len(last) == len(extents) and all(at < extent for at, extent in zip(last, extents, strict=True))
