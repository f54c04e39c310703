"""Zarr stores in a ZIP file (`.zarr.zip`): its directory by zipfile, its entries with pread, by many threads at once.

Entries that are stored as they are are read in place, deflated ones whole; what comes out is bounded by what the entry
declares, and that by what the caller expects. As zipfile has it, the last of several entries of one name counts.

    place = Archive("out.zarr.zip")
    place.load("zarr.json", most=1 << 20)
"""

from __future__ import annotations

import io
import os
import zipfile
import zlib
from dataclasses import dataclass

from hpcprov.data.zarr_place import FLAGS, MAX_PARTS, Blob, Listing, Place, joined
from hpcprov.data.zip_names import MAX_DIRECTORY
from hpcprov.record.errors import UnreadableData

#: A local header without name and extra field, and how it begins.
HEADER, SIGNATURE = 30, b"PK\x03\x04"
ENCRYPTED = 0x1
#: No encoding of a byte string by deflate is smaller than that.
MOST_DEFLATED = 1100


@dataclass(frozen=True, slots=True)
class _Entry:
    header: int
    packed: int
    size: int
    method: int
    checksum: int


class Archive(Place):
    """A store in a ZIP file. Raises UnreadableData for damaged archives, and names that leave the store."""

    def __init__(self, path: str) -> None:
        super().__init__()
        self.fd = os.open(path, FLAGS)
        try:
            self.entries = _entries(self.fd)
            self.listings = _listings(self.entries)
        except BaseException:
            os.close(self.fd)
            raise

    def close(self) -> None:
        super().close()
        fd, self.fd = self.fd, -1
        if fd >= 0:
            os.close(fd)

    def load(self, key: str, most: int) -> bytes:
        entry = self.entries[key]
        if entry.size > most:
            raise UnreadableData(f"{key}: {entry.size} bytes, where at most {most} are expected")
        data = _exactly(self.fd, self.start(key, entry), entry.packed, key)
        if entry.method == zipfile.ZIP_DEFLATED:
            data = _inflated(data, entry.size, key)
        if zlib.crc32(data) != entry.checksum:
            raise UnreadableData(f"{key}: its bytes do not match the CRC-32 in the archive")
        return data

    def open(self, key: str, most: int) -> Blob:
        entry = self.entries[key]
        if entry.method == zipfile.ZIP_STORED:
            return _Stored(self.fd, self.start(key, entry), entry.size)
        return _Held(self.load(key, most))

    def start(self, key: str, entry: _Entry) -> int:
        """Where the entry's bytes begin: its own header says how long it is."""
        header = os.pread(self.fd, HEADER, entry.header)
        if len(header) < HEADER or header[:4] != SIGNATURE:
            raise UnreadableData(f"{key}: the archive has no entry at byte {entry.header}")
        return entry.header + HEADER + int.from_bytes(header[26:28], "little") + int.from_bytes(header[28:30], "little")


class _Stored(Blob):
    def __init__(self, fd: int, start: int, size: int) -> None:
        self.fd, self.start, self.size = fd, start, size

    def read(self, at: int, length: int) -> bytes:
        assert self.fd is not None
        return os.pread(self.fd, max(0, min(length, self.size - at)), self.start + at)


class _Held(Blob):
    def __init__(self, data: bytes) -> None:
        self.data, self.size = data, len(data)

    def read(self, at: int, length: int) -> bytes:
        return self.data[at : at + length]


class _Bounded(io.FileIO):
    """The archive as zipfile reads it: it takes the whole directory at once, however long that says it is."""

    def read(self, size: int | None = -1) -> bytes:
        left = max(0, os.fstat(self.fileno()).st_size - self.tell())
        wanted = left if size is None or size < 0 else min(size, left)
        if wanted > MAX_DIRECTORY:
            raise UnreadableData(f"the archive's directory has {wanted} bytes, and at most {MAX_DIRECTORY} are read")
        return super().read(wanted) or b""


def _entries(fd: int) -> dict[str, _Entry]:
    with _Bounded(fd, closefd=False) as file:
        try:
            with zipfile.ZipFile(file) as archive:
                infos = archive.infolist()
        except (zipfile.BadZipFile, NotImplementedError, ValueError, EOFError) as error:
            raise UnreadableData(f"not a readable ZIP archive: {error}") from error
    size = os.fstat(fd).st_size
    return {info.filename: _entry(info, size) for info in infos if not info.is_dir()}


def _entry(info: zipfile.ZipInfo, size: int) -> _Entry:
    name = info.filename
    if "\\" in name or any(part in ("", ".", "..") for part in name.split("/")):
        raise UnreadableData(f"the archive has an entry whose name leaves the store: {name[:200]!r}")
    if name.count("/") >= MAX_PARTS:
        raise UnreadableData(f"the archive has an entry nested deeper than {MAX_PARTS}: {name[:200]!r}")
    if info.flag_bits & ENCRYPTED:
        raise UnreadableData(f"{name}: encrypted")
    if info.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise UnreadableData(f"{name}: compressed by ZIP's method {info.compress_type}, which is not read here")
    if not 0 <= info.header_offset <= size - HEADER or info.compress_size > size - info.header_offset:
        raise UnreadableData(f"{name}: lies outside of the archive")
    if info.file_size > info.compress_size * (MOST_DEFLATED if info.compress_type else 1) or (
        not info.compress_type and info.file_size != info.compress_size
    ):
        raise UnreadableData(f"{name}: {info.compress_size} bytes cannot hold the {info.file_size} that it declares")
    return _Entry(info.header_offset, info.compress_size, info.file_size, info.compress_type, info.CRC)


def _listings(keys: dict[str, _Entry]) -> dict[str, Listing]:
    listings = {"": Listing()}
    for key in keys:
        folder, _, name = key.rpartition("/")
        if folder not in listings:
            _add_folder(listings, folder)
        listings[folder].files.add(name)
    return listings


def _add_folder(listings: dict[str, Listing], folder: str) -> None:
    path = ""
    for part in folder.split("/"):
        listings[path].folders.add(part)
        path = joined(path, part)
        listings.setdefault(path, Listing())


def _exactly(fd: int, at: int, length: int, key: str) -> bytes:
    parts = []
    while length and (part := os.pread(fd, length, at)):
        parts.append(part)
        at, length = at + len(part), length - len(part)
    if length:
        raise UnreadableData(f"{key}: truncated: the archive ends at byte {at}")
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _inflated(data: bytes, size: int, key: str) -> bytes:
    inflater = zlib.decompressobj(-zlib.MAX_WBITS)
    try:
        found = inflater.decompress(data, size + 1)
    except zlib.error as error:
        raise UnreadableData(f"{key}: cannot be inflated: {error}") from error
    if len(found) != size or not inflater.eof:
        raise UnreadableData(f"{key}: does not inflate to the {size} bytes that it declares")
    return found
