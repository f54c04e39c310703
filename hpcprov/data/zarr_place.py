"""Where a Zarr store lies: a directory, or a ZIP file (`hpcprov.data.zarr_zip`). Keys are read without trusting them.

A key is a path within the store, `a/b/c/0/1`. What there is is listed once, when the store is opened: a chunk that is
not listed is not stored, and one that is listed and gone has vanished.

    place = Folder("out.zarr")
    place.load("zarr.json", most=1 << 20)      # its bytes
    place.has("x/c/0", "1")                    # whether there is a chunk x/c/0/1
"""

from __future__ import annotations

import os
import stat
from abc import ABC, abstractmethod
from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator
from dataclasses import dataclass, field
from threading import Lock
from typing import Any

from hpcprov.record.errors import UnreadableData

#: Never waits at a pipe, never becomes anyone's terminal.
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY
#: Directories that may be reached through symbolic links: links in each of nested directories multiply.
MAX_LINKED = 10_000
#: Things of a store that are kept open, of all its arrays together: as many as threads may ask for at once.
KEPT_OPEN = 64
#: Keys may have this many parts.
MAX_PARTS = 512


@dataclass
class Listing:
    """What one directory of a store holds; `others` are pipes, sockets and devices."""

    folders: set[str] = field(default_factory=set)
    files: set[str] = field(default_factory=set)
    others: set[str] = field(default_factory=set)


class Blob(ABC):
    """The bytes of one key, `size` of them, of which parts can be read. Closed when nobody holds it any more.

    `fd` and `start` say where they lie when they lie in a file as they are, else `fd` is None."""

    fd: int | None = None
    start: int = 0
    size: int

    @abstractmethod
    def read(self, at: int, length: int) -> bytes:
        """Bytes from `at` on; fewer than `length` at the end."""


class Recent:
    """The last few things that were opened; any thread may ask."""

    def __init__(self) -> None:
        self.turn = Lock()
        self.things: OrderedDict[Hashable, Any] = OrderedDict()

    def get(self, name: Hashable, make: Callable[[], Any]) -> Any:
        """The thing of this name, made when it is not there; two threads may make one at a time each."""
        with self.turn:
            if name in self.things:
                self.things.move_to_end(name)
                return self.things[name]
        thing = make()
        with self.turn:
            self.things[name] = thing
            while len(self.things) > KEPT_OPEN:
                self.things.popitem(last=False)
        return thing


class Place(ABC):
    """Keys and their bytes; `listings` has one entry for each directory, the root being the empty path."""

    listings: dict[str, Listing]

    def __init__(self) -> None:
        self.recent = Recent()

    def has(self, folder: str, name: str) -> bool:
        """Whether there is a file. Raises UnreadableData for something else of that name."""
        found = self.listings.get(folder)
        if found is None:
            return False
        if name in found.files:
            return True
        if name in found.folders or name in found.others:
            raise UnreadableData(f"{joined(folder, name)}: not a regular file")
        return False

    def folders(self, folder: str) -> set[str]:
        """Names of the directories in a directory."""
        return self.listings[folder].folders if folder in self.listings else set()

    def below(self, folder: str) -> Iterator[str]:
        """Keys of all files below a directory, relative to it."""
        stack = [""]
        while stack:
            path = stack.pop()
            found = self.listings.get(joined(folder, path))
            if found is not None:
                yield from (joined(path, name) for name in found.files)
                stack += [joined(path, name) for name in found.folders]

    @abstractmethod
    def load(self, key: str, most: int) -> bytes:
        """All bytes of a key that is listed. Raises UnreadableData when they are more than `most`, or gone."""

    @abstractmethod
    def open(self, key: str, most: int) -> Blob:
        """The bytes of a key that is listed, to be read in parts; `most` bounds what must be held in memory."""

    def close(self) -> None:
        """Nothing is read any more."""
        self.recent.things.clear()


def joined(folder: str, name: str) -> str:
    """The key of a name in a folder; either may be empty."""
    return f"{folder}/{name}" if folder and name else folder or name


class Folder(Place):
    """A store in a directory. Symbolic links are followed within it, and refused when they leave it or lead nowhere."""

    def __init__(self, root: str) -> None:
        super().__init__()
        self.root = root
        self.linked: set[str] = set()
        self.listings = {}
        _Scan(self).run()

    def load(self, key: str, most: int) -> bytes:
        fd, size = self._opened(key)
        try:
            if size > most:
                raise UnreadableData(f"{key}: {size} bytes, where at most {most} are expected")
            data = os.read(fd, size)
            return data if len(data) == size else data + _rest(fd, size - len(data))
        finally:
            os.close(fd)

    def open(self, key: str, most: int) -> Blob:
        fd, size = self._opened(key)
        return _FileBlob(fd, size)

    def _opened(self, key: str) -> tuple[int, int]:
        """A descriptor of a regular file and its size. A file that has become a link since it was listed is refused."""
        flags = FLAGS if key in self.linked else FLAGS | os.O_NOFOLLOW
        try:
            fd = os.open(f"{self.root}/{key}", flags)
        except (FileNotFoundError, NotADirectoryError) as error:
            raise UnreadableData(f"{key}: vanished while the store was read") from error
        except OSError as error:
            raise UnreadableData(f"{key}: cannot be read: {error.strerror}") from error
        info = os.fstat(fd)
        if not stat.S_ISREG(info.st_mode):
            os.close(fd)
            raise UnreadableData(f"{key}: not a regular file")
        return fd, info.st_size


class _FileBlob(Blob):
    def __init__(self, fd: int, size: int) -> None:
        self.fd, self.size = fd, size

    def read(self, at: int, length: int) -> bytes:
        assert self.fd is not None
        return os.pread(self.fd, length, at)

    def __del__(self) -> None:
        if self.fd is not None:
            os.close(self.fd)


def _rest(fd: int, length: int) -> bytes:
    """What follows when one call did not read everything: the system stops at 2 GiB, or at the end of a file that was
    cut short."""
    parts = []
    while length and (part := os.read(fd, length)):
        parts.append(part)
        length -= len(part)
    return b"".join(parts)


class _Scan:
    """Lists a directory tree once. A linked directory is listed under its link's name, too."""

    def __init__(self, place: Folder) -> None:
        self.place, self.top = place, os.path.realpath(place.root)
        self.links = 0

    def run(self) -> None:
        # path in the store, and the real directories above it when it was reached through links
        stack: list[tuple[str, tuple[str, ...]]] = [("", (self.top,))]
        while stack:
            path, chain = stack.pop()
            if path.count("/") >= MAX_PARTS:
                raise UnreadableData(f"directories are nested deeper than {MAX_PARTS}")
            listing = self.place.listings[path] = Listing()
            for name, target in self._entries(path, listing):
                stack.append((joined(path, name), self._followed(path, name, target, chain) if target else chain))

    def _entries(self, path: str, listing: Listing) -> list[tuple[str, str]]:
        """The directories in a directory, with where they really lie when they are links."""
        inner = []
        files, folders = listing.files, listing.folders
        with os.scandir(joined(self.place.root, path)) as found:
            for entry in found:
                if entry.is_file(follow_symlinks=False):
                    files.add(entry.name)
                elif entry.is_dir(follow_symlinks=False):
                    folders.add(entry.name)
                    inner.append((entry.name, ""))
                elif entry.is_symlink():
                    inner += self._link(path, entry, listing)
                else:
                    listing.others.add(entry.name)
        return inner

    def _link(self, path: str, entry: os.DirEntry[str], listing: Listing) -> list[tuple[str, str]]:
        key, target = joined(path, entry.name), os.path.realpath(entry.path)
        if os.path.commonpath([self.top, target]) != self.top:
            raise UnreadableData(f"{key}: a link out of the store is not followed")
        if not os.path.exists(target):
            raise UnreadableData(f"{key}: a link that leads nowhere")
        if os.path.isdir(target):
            listing.folders.add(entry.name)
            return [(entry.name, target)]
        (listing.files if os.path.isfile(target) else listing.others).add(entry.name)
        self.place.linked.add(key)
        return []

    def _followed(self, path: str, name: str, target: str, chain: tuple[str, ...]) -> tuple[str, ...]:
        """The chain below a link. Raises UnreadableData for one that leads back to a directory it lies in."""
        self.links += 1
        here = os.path.realpath(joined(self.place.root, path))
        if any(os.path.commonpath([target, above]) == target for above in (*chain, here)):
            raise UnreadableData(f"{joined(path, name)}: a link to a directory that it lies in")
        if self.links > MAX_LINKED:
            raise UnreadableData(f"more than {MAX_LINKED} directories are links")
        return (*chain, here)
