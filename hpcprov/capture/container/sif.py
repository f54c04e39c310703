"""A SIF image (Apptainer, Singularity) read without their help: header, objects, labels, definition file, identity.

The file is untrusted: every number is checked against the file before it is followed, and nothing large is held.

    with opened("step.sif") as image:
        image.sif.uuid                    ->  "daa2b726-bc5f-40dc-b2cf-1a5334321737"
        labels(image)["labels"]           ->  {"org.label-schema.build-arch": "amd64", ...}
        identity(image)                   ->  {"digest": "sha256:5f70...", "of": "primary partition", "others": []}

Layout, little-endian and packed: a header of 128 bytes, and a table of descriptors of 585 bytes, one per object.
Source: the specification in https://github.com/apptainer/sif (pkg/sif: sif.go, descriptor.go).
"""

from __future__ import annotations

import os
import struct
from contextlib import contextmanager

from hpcprov.capture.container.sif_types import (
    BLOB,
    DEFINITION,
    LABELS,
    PARTITION,
    ROOT_INDEX,
    SIGNATURE,
    TYPES,
    about,
    architecture,
    text,
)
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
DEFINITION_LIMIT = 1 << 20
# JSON that is built to need memory needs some 20 times its size.
METADATA_LIMIT = 1 << 22
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


def labels(image: Image) -> dict[str, Any]:
    """{"labels": {key: value}, "object": id of the object they are in}, or {"labels": None, "reason": ...}.

    They are those that `apptainer inspect` shows; of an OCI-SIF, those in its configuration (`object` is None).
    Raises OSError.
    """
    try:
        return found_labels(image)
    except UnreadableData as error:
        return {"labels": None, "reason": error.message}


def found_labels(image: Image) -> dict[str, Any]:
    """As `labels`. Raises OSError, UnreadableData."""
    item = image.sif.metadata
    if item is not None:
        return {"labels": metadata_labels(document(image, item), image.path), "object": item.id}
    item = image.sif.first(LABELS)
    if item is not None:
        return {"labels": texts(document(image, item), image.path), "object": item.id}
    if image.sif.first(ROOT_INDEX) is not None:
        return {"labels": texts(configuration(image).get("Labels") or {}, image.path), "object": None}
    reason = f"the image has no object {METADATA_NAME}: its labels, if any, are inside its file system"
    return {"labels": None, "reason": reason}


def configuration(image: Image) -> dict[str, Any]:
    """The configuration of an OCI-SIF's first manifest. Raises OSError, UnreadableData."""
    index = image.sif.first(ROOT_INDEX)
    assert index is not None  # the caller has looked
    entry = document(image, index).get("manifests")
    told = document(image, blob(image, entry[0] if type(entry) is list and entry else None)).get("config")
    found = document(image, blob(image, told)).get("config") or {}
    if type(found) is not dict:
        raise UnreadableData(f"{image.path}: its configuration is not an object")
    return found


def blob(image: Image, reference: Any) -> Object:
    """The blob that a reference, {"digest": ...}, names. Raises UnreadableData."""
    name = reference.get("digest") if type(reference) is dict else None
    for item in image.sif.objects:
        if item.kind == BLOB and item.about["digest"] == name:
            return item
    raise UnreadableData(f"{image.path}: has no blob {str(name)[:80]!a}, which it names")


def metadata_labels(value: dict[str, Any], path: str) -> dict[str, str]:
    """The labels in an inspect-metadata.json; none where it has none. Raises UnreadableData."""
    for key in ("data", "attributes", "labels"):
        value = {} if value.get(key) is None else value[key]
        if type(value) is not dict:
            raise UnreadableData(f"{path}: {key!r} in its {METADATA_NAME} is not an object")
    return texts(value, path)


def texts(value: Any, path: str) -> dict[str, str]:
    """Labels: text by key. Raises UnreadableData."""
    if type(value) is not dict:
        raise UnreadableData(f"{path}: its labels are not an object")
    for key, entry in value.items():
        if type(entry) is not str:
            raise UnreadableData(f"{path}: its label {key!a} is not text")
    return value


def document(image: Image, item: Object) -> dict[str, Any]:
    """The JSON object that an object of the image holds. Raises OSError, UnreadableData."""
    import json

    try:
        value = json.loads(data(image, item, METADATA_LIMIT).decode("utf-8", "replace"), parse_constant=refused)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"{image.path}: its object {item.id}, {item.type}, is not JSON: {error}") from error
    if type(value) is not dict:
        raise UnreadableData(f"{image.path}: its object {item.id}, {item.type}, is not a JSON object")
    return value


def refused(word: str) -> None:
    """NaN and Infinity are no JSON, whatever Python thinks. Raises ValueError."""
    raise ValueError(f"{word} is no number")


def definition(image: Image) -> str | None:
    """The definition file that the image was built from, or None when it keeps none. Raises OSError, UnreadableData."""
    item = image.sif.first(DEFINITION)
    if item is None:
        return None
    return data(image, item, DEFINITION_LIMIT).rstrip(b"\0").decode("utf-8", "surrogateescape")


def identity(image: Image, *, pulse: Callable[[int], None] | None = None) -> dict[str, Any]:
    """Which image this is, whatever labels and signatures it has: {"digest", "of", "others": [{"digest", "of", "id"}]}.

    The digest is that of the primary partition's bytes, or of an OCI-SIF's manifest, whose blobs are then checked
    against their names; `others` are overlay and data partitions. All of it is read: `pulse` is told of each block's
    bytes and may raise to end it. Raises OSError, UnreadableData.
    """
    if sum(item.size for item in image.sif.objects) > image.sif.size:
        raise UnreadableData(f"{image.path}: its objects overlap")  # a small file may hold 4096 times itself
    if image.sif.primary is None and image.sif.first(ROOT_INDEX) is not None:
        return {"digest": manifest(image, pulse), "of": "OCI manifest", "others": partitions(image, pulse)}
    if image.sif.primary is None:
        raise UnreadableData(f"{image.path}: has no primary partition")
    return {
        "digest": digest(image, image.sif.primary, pulse),
        "of": "primary partition",
        "others": partitions(image, pulse),
    }


def partitions(image: Image, pulse: Callable[[int], None] | None) -> list[dict[str, Any]]:
    """Digests of the partitions beside the primary one."""
    return [
        {"digest": digest(image, item, pulse), "of": f"{item.about['role']} partition", "id": item.id}
        for item in image.sif.partitions
        if item is not image.sif.primary
    ]


def digest(image: Image, item: Object, pulse: Callable[[int], None] | None = None) -> str:
    """`sha256:...` of an object's bytes. Raises OSError, UnreadableData."""
    import hashlib

    state = hashlib.sha256()
    for block in blocks(image, item):
        state.update(block)
        if pulse is not None:
            pulse(len(block))
    return f"sha256:{state.hexdigest()}"


def manifest(image: Image, pulse: Callable[[int], None] | None) -> str:
    """The digest of an OCI-SIF's one manifest (of its index when there are several). Raises OSError, UnreadableData."""
    index = image.sif.first(ROOT_INDEX)
    assert index is not None  # the caller has looked
    blobs = {digest(image, item, pulse) for item in image.sif.objects if item.kind == BLOB}
    for item in image.sif.objects:
        if item.kind == BLOB and item.about["digest"] not in blobs:
            raise UnreadableData(f"{image.path}: its blob {item.id} is not what its digest says")
    entries = document(image, index).get("manifests")
    named = [entry.get("digest") for entry in entries if type(entry) is dict] if type(entries) is list else []
    if not named or not all(name in blobs for name in named):
        raise UnreadableData(f"{image.path}: has no manifest that its index names")
    return str(named[0]) if len(named) == 1 else digest(image, index, pulse)


def dashed(digits: str) -> str:
    """A UUID as it is written."""
    return "-".join((digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]))
