"""A package that somebody else made, a ZIP file or a directory, looked into without being unpacked.

    with open_package("run.zip") as package:
        package.sizes            ->  {"record.json": 8266, ...}
        package.read("record.json", most=1 << 20)

Nothing of it is trusted. Names must be relative, without `..` and without anything that another system reads
differently; links and devices are refused in ZIP files and not seen in directories; one name is there once. What is
read is bounded in bytes, and a ZIP file that would grow beyond all measure is refused before anything of it is read.
"""

from __future__ import annotations

import os
import stat
import struct
import zipfile
import zlib
from contextlib import contextmanager
from hashlib import sha256

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import IO, BinaryIO

MOST_MEMBERS = 100_000
MOST_DIRECTORY = 32 << 20  # bytes of a ZIP file's table of contents
LONGEST_NAME = 4096
# A member that is larger than FREELY when unpacked may not be more than MOST_RATIO times what it is packed.
FREELY = 64 << 20
MOST_RATIO = 200
# All of them together may not be more than this, or so many times what the whole file has.
FREELY_TOGETHER = 256 << 20
MOST_NESTED = 10_000_000  # lists and objects in a JSON document
BLOCK = 1 << 20
END, END_64 = b"PK\x05\x06", b"PK\x06\x06"
METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
READ = os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK


class BadPackage(HpcprovError):
    """A package that is damaged, or that nobody who means well makes."""


class Package:
    """`sizes`: of each file in it, in bytes, by name; `digest`: SHA-256 of a ZIP file, None of a directory."""

    def __init__(self, path: str, sizes: dict[str, int], digest: str | None) -> None:
        self.path, self.sizes, self.digest = path, sizes, digest

    def open(self, name: str) -> IO[bytes]:
        """A file in it. Raises OSError, BadPackage."""
        raise NotImplementedError

    def blocks(self, name: str) -> Iterator[bytes]:
        """What a file holds, as much as its size says. Raises BadPackage when that is not so."""
        left = self.sizes[name]
        try:
            with self.open(name) as file:
                while block := file.read(min(BLOCK, left + 1)):
                    left -= len(block)
                    if left < 0:
                        break
                    yield block
        except (zipfile.BadZipFile, EOFError, zlib.error, ValueError) as error:
            raise BadPackage(f"{name!a} in {self.path!a} is damaged: {error}") from error
        if left:
            raise BadPackage(f"{name!a} in {self.path!a} is not as long as it says")

    def read(self, name: str, *, most: int) -> bytes:
        """A file of at most `most` bytes. Raises BadPackage."""
        if self.sizes[name] > most:
            raise BadPackage(f"{name!a} in {self.path!a} has {self.sizes[name]} bytes; {most} is the most that is read")
        return b"".join(self.blocks(name))

    def read_json(self, name: str, *, most: int) -> bytes:
        """The same of a JSON document, when it is not made to fill the memory: `[],` is 3 bytes, and 64 when parsed.
        Raises BadPackage."""
        text = self.read(name, most=most)
        if text.count(b"[") + text.count(b"{") > MOST_NESTED:
            raise BadPackage(f"{name!a} in {self.path!a} holds more than {MOST_NESTED} lists and objects")
        return text


class Archive(Package):
    """A ZIP file."""

    def __init__(self, path: str, file: BinaryIO) -> None:
        _check_end(path, file)
        try:
            self._zip = zipfile.ZipFile(file)
        except (zipfile.BadZipFile, ValueError, struct.error, NotImplementedError, OSError) as error:
            raise BadPackage(f"{path!a} is no ZIP file: {error}") from error
        self._infos = _checked(path, self._zip.infolist(), os.fstat(file.fileno()).st_size)
        super().__init__(path, {name: info.file_size for name, info in self._infos.items()}, _digest(file))

    def open(self, name: str) -> IO[bytes]:
        try:
            return self._zip.open(self._infos[name])
        except (zipfile.BadZipFile, RuntimeError, NotImplementedError) as error:
            raise BadPackage(f"{name!a} in {self.path!a} cannot be read: {error}") from error


class Folder(Package):
    """A directory; what in it is no regular file is not seen, and no link is followed."""

    def __init__(self, path: str) -> None:
        super().__init__(path, dict(_regular_files(path)), None)

    def open(self, name: str) -> IO[bytes]:
        folder = os.open(self.path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            *upper, last = name.split("/")
            for part in upper:
                inner = os.open(part, READ | os.O_DIRECTORY, dir_fd=folder)
                os.close(folder)
                folder = inner
            return open(os.open(last, READ, dir_fd=folder), "rb")
        finally:
            os.close(folder)


@contextmanager
def open_package(path: str) -> Iterator[Package]:
    """The package at a path. Raises BadPackage, OSError."""
    if os.path.isdir(path):
        yield Folder(path)
        return
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        if not stat.S_ISREG(os.fstat(file.fileno()).st_mode):
            raise BadPackage(f"{path!a} is neither a file nor a directory")
        yield Archive(path, file)


def check_name(name: str, path: str) -> str:
    """A member's name without a leading `./`. Raises BadPackage for one that could lead anywhere else."""
    short = name.removeprefix("./")
    parts = short.split("/")
    if not short or len(short) > LONGEST_NAME or any(part in ("", ".", "..") for part in parts):
        raise BadPackage(f"{path!a} holds {name[:200]!a}: a name that leads out of it, or nowhere")
    if "\\" in short or ":" in parts[0] or not short.isprintable() or any(len(part) > 255 for part in parts):
        raise BadPackage(f"{path!a} holds {name[:200]!a}: a name that not every system reads alike")
    return short


def _check_end(path: str, file: BinaryIO) -> None:
    """Refuse a table of contents that would fill the memory, by what the end of the file says of it."""
    size = file.seek(0, os.SEEK_END)
    start = file.seek(max(0, size - (1 << 16) - 98))
    tail = file.read()
    at, at_64 = tail.rfind(END), tail.rfind(END_64)
    if at < 0 or len(tail) < at + 22:
        hint = "hpcprov import reads bundles and RO-Crates, as a ZIP file or as a directory"
        raise BadPackage(f"{path!a} is no ZIP file", hint=hint)
    length = struct.unpack_from("<I", tail, at + 12)[0]
    if 0 <= at_64 < at and len(tail) >= at_64 + 48:
        length = max(length if length != 0xFFFFFFFF else 0, struct.unpack_from("<Q", tail, at_64 + 40)[0])
    if length > min(MOST_DIRECTORY, start + len(tail)):
        raise BadPackage(f"{path!a} has a table of contents of {length} bytes, which is more than is read")


def _checked(path: str, infos: list[zipfile.ZipInfo], size: int) -> dict[str, zipfile.ZipInfo]:
    """The files among members, by name, when there is nothing wrong with any member."""
    if len(infos) > MOST_MEMBERS:
        raise BadPackage(f"{path!a} has {len(infos)} members; {MOST_MEMBERS} is the most that is looked at")
    if sum(info.compress_size for info in infos) > size:
        raise BadPackage(f"{path!a} has members that lie on top of each other")
    grown = sum(info.file_size for info in infos)
    if grown > max(FREELY_TOGETHER, MOST_RATIO * size):
        raise BadPackage(f"{path!a} grows to {grown} bytes from {size}")
    found: dict[str, zipfile.ZipInfo] = {}
    for info in infos:
        name = check_name(info.filename.rstrip("/") if info.is_dir() else info.filename, path)
        kind = stat.S_IFMT(info.external_attr >> 16)
        if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
            raise BadPackage(f"{path!a} holds {name!a}, which is a link or a device")
        if name in found:
            raise BadPackage(f"{path!a} holds {name!a} twice")
        if info.file_size > max(FREELY, MOST_RATIO * info.compress_size):
            grows = f"which grows to {info.file_size} bytes from {info.compress_size}"
            raise BadPackage(f"{path!a} holds {name!a}, {grows}")
        if info.flag_bits & 1 or info.compress_type not in METHODS:
            raise BadPackage(f"{path!a} holds {name!a}, which is encrypted or packed in an unusual way")
        if not info.is_dir():
            found[name] = info
    return found


def _regular_files(top: str) -> Iterator[tuple[str, int]]:
    number = 0
    for folder, folders, names in os.walk(top):
        folders.sort()
        for name in sorted(names):
            path = os.path.join(folder, name)
            facts = os.stat(path, follow_symlinks=False)
            number += 1
            if number > MOST_MEMBERS:
                raise BadPackage(f"{top!a} has more than {MOST_MEMBERS} files, which is the most that is looked at")
            if stat.S_ISREG(facts.st_mode):
                yield os.path.relpath(path, top), facts.st_size


def _digest(file: BinaryIO) -> str:
    file.seek(0)
    found = sha256()
    while block := file.read(BLOCK):
        found.update(block)
    return found.hexdigest()
