"""A SIF image (Apptainer, Singularity) read without their help: header and objects. What these say: sif_content.py.

The file is untrusted: every number is checked against the file before it is followed, and nothing large is held.

    with opened("step.sif") as image:
        image.sif.uuid                              ->  "daa2b726-bc5f-40dc-b2cf-1a5334321737"
        image.sif.primary.about["file_system"]      ->  "Squashfs"
        digest(image, image.sif.primary)            ->  "sha256:5f70..."

Layout, little-endian and packed: a header of 128 bytes, and a table of descriptors of 585 bytes, one per object.
Source: the specification in https://github.com/apptainer/sif (pkg/sif: sif.go, descriptor.go).
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager

from hpcprov.capture.container.sif_types import PARTITION, SIGNATURE, TYPES, about, architecture, text
from hpcprov.capture.reading import BLOCK, open_regular
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from typing import Any

MAGIC = b"SIF_MAGIC\0"
MAGIC_AT = 32
VERSION = "01"
HEADER = struct.Struct("<32s10s3s3s16sqqqqqqqq")
DESCRIPTOR = struct.Struct("<iBIIIqqqqqqq128s384s")
# Apptainer makes tables of 48; a table of this many has 2.3 MiB.
MOST_OBJECTS = 4096
GROUP = 0xF0000000
METADATA_NAME = "inspect-metadata.json"


class Object:
    """One used descriptor: `slot` is its place in the table, sizes in bytes, times in s since the epoch.

    `group` and `link` are None where there is none; `linked_to_group` says what `link` is the number of. `about` has
    what a type says of itself: {"file_system", "role", "arch"} of a partition, {"hash", "fingerprint"} of a signature,
    {"format"} of an SBOM, {"digest"} of OCI data.
    """

    id: int
    offset: int
    size: int
    created: int
    modified: int
    group: int | None
    link: int | None

    def __init__(self, raw: bytes, slot: int) -> None:
        kind, _, self.id, group, link, *numbers, name, self.extra = DESCRIPTOR.unpack(raw)
        self.raw, self.slot, self.kind = raw, slot, int(kind)
        self.offset, self.size, self.padded, self.created, self.modified, self.uid, self.gid = numbers
        self.group = group & ~GROUP & 0xFFFFFFFF or None
        self.link = link & ~GROUP & 0xFFFFFFFF or None
        self.linked_to_group = link & GROUP == GROUP
        self.name = name.rstrip(b"\0").decode("utf-8", "surrogateescape")
        self.about: dict[str, Any] = about(self.kind, self.extra)

    @property
    def type(self) -> str:
        """The type as `apptainer sif list` names it."""
        return TYPES.get(self.kind, "Unknown")

    def facts(self) -> dict[str, Any]:
        """Everything for people and programs, without what nobody asks for."""
        names = ("id", "type", "group", "link", "linked_to_group", "offset", "size", "created", "modified", "name")
        return {name: getattr(self, name) for name in names} | self.about


class Sif:
    """The header of an image, and its `objects` in table order. Times in s since the epoch, sizes in bytes."""

    created: int
    modified: int
    free: int
    total: int
    table_offset: int
    data_offset: int

    def __init__(self, header: bytes, size: int) -> None:
        launch, _, version, arch, uuid, *numbers = HEADER.unpack(header)
        self.created, self.modified, self.free, self.total = numbers[:4]
        self.table_offset, self.table_size, self.data_offset, self.data_size = numbers[4:]
        self.size = size
        self.launch = text(launch).rstrip("\n")
        self.version, self.arch, self.uuid = text(version), architecture(arch), dashed(uuid.hex())
        self.objects: list[Object] = []

    @property
    def partitions(self) -> list[Object]:
        return [item for item in self.objects if item.kind == PARTITION]

    @property
    def primary(self) -> Object | None:
        """The partition that holds the container's root, or None: an OCI-SIF has none."""
        return next((item for item in self.partitions if item.about["role"] == "primary"), None)

    @property
    def signatures(self) -> list[Object]:
        return [item for item in self.objects if item.kind == SIGNATURE]

    @property
    def metadata(self) -> Object | None:
        """The object that `apptainer inspect` believes: the first one of that name that is no partition."""
        named = (item for item in self.objects if item.name == METADATA_NAME and item.kind != PARTITION)
        return next(named, None)

    def first(self, kind: int) -> Object | None:
        """The first object of a type, or None."""
        return next((item for item in self.objects if item.kind == kind), None)

    def facts(self) -> dict[str, Any]:
        """The header and all objects."""
        names = ("uuid", "version", "arch", "created", "modified", "size")
        return {name: getattr(self, name) for name in names} | {"objects": [item.facts() for item in self.objects]}


class Image:
    """An open image: its `path` as it was given, a `descriptor` to read from, and what is in it."""

    def __init__(self, path: str, descriptor: int) -> None:
        self.path, self.descriptor = path, descriptor
        self.sif = read(descriptor, path)


@contextmanager
def opened(path: str) -> Iterator[Image]:
    """An image to read from. Raises OSError, and HpcprovError for what is no regular file or no sound SIF."""
    descriptor = open_regular(path)
    try:
        yield Image(path, descriptor)
    finally:
        os.close(descriptor)


def read(descriptor: int, path: str) -> Sif:
    """Header and objects of an open file, which `path` names in errors. Raises OSError, UnreadableData."""
    size = os.fstat(descriptor).st_size
    header = os.pread(descriptor, HEADER.size, 0)
    if header[MAGIC_AT : MAGIC_AT + len(MAGIC)] != MAGIC or len(header) < HEADER.size:
        raise UnreadableData(f"{path}: not a SIF image")
    sif = Sif(header, size)
    if sif.version > VERSION:
        raise UnreadableData(f"{path}: a SIF image of version {sif.version!a}; versions up to {VERSION} can be read")
    for slot, raw in enumerate(table(descriptor, sif, path)):
        if raw[4]:
            sif.objects.append(checked(Object(raw, slot), size, path))
    return sif


def table(descriptor: int, sif: Sif, path: str) -> Iterator[bytes]:
    """The table's descriptors, used or not. Raises UnreadableData."""
    length = sif.total * DESCRIPTOR.size
    if not 0 <= sif.total <= MOST_OBJECTS:
        raise UnreadableData(f"{path}: says that it has {sif.total} descriptors; at most {MOST_OBJECTS} are read")
    if sif.table_offset < HEADER.size or sif.table_offset + length > sif.size:
        place = f"{sif.table_offset}-{sif.table_offset + length}"
        raise UnreadableData(f"{path}: its table of objects, at {place}, is not inside its {sif.size} bytes")
    data = os.pread(descriptor, length, sif.table_offset)
    if len(data) < length:
        raise UnreadableData(f"{path}: cut off in its table of objects")
    for start in range(0, length, DESCRIPTOR.size):
        yield data[start : start + DESCRIPTOR.size]


def checked(item: Object, size: int, path: str) -> Object:
    """An object that lies inside the file. Raises UnreadableData."""
    if item.offset < HEADER.size or item.size < 0 or item.offset + item.size > size:
        place = f"{item.offset}-{item.offset + item.size}"
        raise UnreadableData(f"{path}: its object {item.id}, at {place}, is not inside its {size} bytes: cut off?")
    return item


def data(image: Image, item: Object, limit: int) -> bytes:
    """The bytes of an object of at most `limit`. Raises OSError, UnreadableData."""
    if item.size > limit:
        told = f"has {item.size} bytes, more than the {limit} that are read"
        raise UnreadableData(f"{image.path}: its object {item.id}, {item.type}, {told}")
    return b"".join(blocks(image, item))


def blocks(image: Image, item: Object) -> Iterator[bytes]:
    """The bytes of an object, 1 MiB at a time. Raises OSError, UnreadableData when the file has become shorter."""
    place, end = item.offset, item.offset + item.size
    while place < end:
        block = os.pread(image.descriptor, min(BLOCK, end - place), place)
        if not block:
            raise UnreadableData(f"{image.path}: became shorter while it was read")
        place += len(block)
        yield block


def digest(image: Image, item: Object, pulse: Callable[[int], None] | None = None) -> str:
    """`sha256:...` of an object's bytes. Raises OSError, UnreadableData."""
    import hashlib

    state = hashlib.sha256()
    for block in blocks(image, item):
        state.update(block)
        if pulse is not None:
            pulse(len(block))
    return f"sha256:{state.hexdigest()}"


def dashed(digits: str) -> str:
    """A UUID as it is written."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
