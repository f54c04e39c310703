"""Files and directories by name, as far as they are kept: renaming a directory moves all that is in it at once.

top = Folder(None, b"")
folder = top.made([b"home", b"ada"])
folder.files[b"out.nc"] = File(folder, b"out.nc")
folder.files[b"out.nc"].path()  ->  b"/home/ada/out.nc"
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

# What is known of a file.
READ = 1  # it was opened for reading, or its old content stayed when it was opened for writing
WRITTEN = 2
OLD = 4  # what was there before this run wrote it has been read
GONE = 8
REPLACED = 16  # it was truncated, made or renamed into place: not only opened for writing
LOOKED = 32  # it was opened for reading, not for writing only
DECLARED = 64
TENTATIVE = 128  # it is OLD only because it was opened for reading and writing
MOST_PROGRAMS = 8


class File:
    """What was done to one file, or to one store."""

    __slots__ = (
        "changed", "count", "first", "folder", "last", "mtime", "name", "origin", "programs", "ranks", "said", "size",
        "state", "told",
    )  # fmt: skip

    def __init__(self, folder: Folder, name: bytes, state: int = 0) -> None:
        """`folder`: what it lies in; a store lies in itself, without a name."""
        self.folder, self.name, self.state = folder, name, state
        self.first = self.last = 0  # ns
        self.ranks = 0  # a bit for each rank, in the order in which ranks were met
        self.programs: tuple[int, ...] = ()
        self.size = self.mtime = -1  # as first read; -1: not known
        self.origin: bytes | None = None  # the name that it was renamed from
        self.told: str | None = None  # the name under which it was told last
        self.said = 0  # digest of what was told of it
        self.changed = False
        self.count = 0

    def path(self) -> bytes:
        return self.folder.path() + b"/" + self.name if self.name else self.folder.path()

    def touch(self, moment: int, bit: int, row: int) -> None:
        """Note who did something to it and when."""
        if not self.first or moment < self.first:
            self.first = moment
        if moment > self.last:
            self.last = moment
        self.ranks |= bit
        if row and row not in self.programs and len(self.programs) < MOST_PROGRAMS:
            self.programs += (row,)

    def absorb(self, other: File) -> None:
        """Take what was done to a file that turns out to be a part of this store."""
        self.state |= other.state & (READ | WRITTEN | OLD | LOOKED | REPLACED | DECLARED)
        if other.first:
            if other.first <= self.first or not self.first:
                self.size, self.mtime = other.size, other.mtime
            self.touch(other.first, other.ranks, 0)
            self.touch(other.last, 0, 0)
        for row in other.programs:
            self.touch(self.first, 0, row)
        self.count += other.count


class Folder:
    """A directory with what is kept of it."""

    __slots__ = ("crowd", "files", "folders", "form", "moved", "name", "origin", "parent", "store")

    def __init__(self, parent: Folder | None, name: bytes) -> None:
        self.parent, self.name = parent, name
        self.files: dict[bytes, File] = {}
        self.folders: dict[bytes, Folder] = {}
        self.store: File | None = None
        self.form = ""  # of a store: zarr, parquet
        self.crowd: Crowd | None = None
        self.origin: bytes | None = None  # the path that it was renamed from
        self.moved = 0  # when, ns

    def path(self) -> bytes:
        """Its path without a slash at the end: empty for the root."""
        parts, folder = [], self
        while folder.parent is not None:
            parts.append(folder.name)
            folder = folder.parent
        parts.append(b"")
        return b"/".join(reversed(parts))

    def walk(self) -> Iterator[Folder]:
        """This folder and all below it."""
        stack = [self]
        while stack:
            folder = stack.pop()
            yield folder
            stack.extend(folder.folders.values())

    def all_files(self) -> Iterator[File]:
        """All files and stores in and below it."""
        for folder in self.walk():
            if folder.store is not None:
                yield folder.store
            yield from folder.files.values()

    def is_within(self, other: Folder) -> bool:
        """Whether it is another folder, or lies below that."""
        folder: Folder | None = self
        while folder is not None and folder is not other:
            folder = folder.parent
        return folder is other


class Crowd:
    """What is beyond the limit in and below a directory: only how often files were read and written."""

    __slots__ = ("folder", "read", "written")

    def __init__(self, folder: Folder) -> None:
        self.folder, self.read, self.written = folder, 0, 0

    def add(self, written: int) -> None:
        """Count one more access."""
        if written:
            self.written += 1
        else:
            self.read += 1
