"""OCI image layouts and docker archives: which image they hold, by the digests that registries know it by.

    identity("/data/step.tar", "v1") == {"digest": "sha256:9c1f...", "of": "OCI manifest", "config": "sha256:77aa...",
                                         "labels": {...}}

Only the small documents are read (index, manifest, configuration), and each is checked against its digest; layers are
named by the manifest. Sources: the OCI image specification (image-layout.md, manifest.md, config.md) and `docker save`.
"""

from __future__ import annotations

import hashlib
import io
import json
import os
import re
import tarfile

from hpcprov.capture.reading import BLOCK, open_regular, read_descriptor
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Get = Callable[[str], bytes]

DOCUMENT_LIMIT = 1 << 20  # bytes of one document
MOST_AT_ONCE = 1 << 24
MOST_MEMBERS = 100_000  # of an archive
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
REF_NAME = "org.opencontainers.image.ref.name"
INDEXES = ("application/vnd.oci.image.index.v1+json", "application/vnd.docker.distribution.manifest.list.v2+json")


class Bounded(io.BufferedReader):
    """A file of which no more is read at once than an honest archive asks for: headers and small documents."""

    def read(self, size: int | None = -1, /) -> bytes:
        """As of any file. Raises UnreadableData."""
        if size is None or not 0 <= size <= MOST_AT_ONCE:
            raise UnreadableData(f"a header of the archive says that it has {size} bytes")
        return super().read(size)


def is_layout(path: str) -> bool:
    """Whether a folder is an OCI image layout."""
    return os.path.isfile(os.path.join(path, "oci-layout")) and os.path.isfile(os.path.join(path, "index.json"))


def identity(path: str, tag: str | None = None) -> dict[str, Any]:
    """Digests and labels of the image in a layout's folder or in an archive. Raises OSError, UnreadableData."""
    if os.path.isdir(path):
        return of_layout(lambda name: in_folder(path, name), tag)
    with Bounded(io.FileIO(open_regular(path))) as file:
        try:
            with tarfile.open(fileobj=file, mode="r:") as archive:
                members = listed(archive)
                return of_archive(lambda name: in_archive(archive, members, name), members, tag)
        except (tarfile.TarError, EOFError, ValueError, OverflowError, RecursionError) as error:
            raise UnreadableData(f"not an image archive: {error}") from error


def listed(archive: tarfile.TarFile) -> dict[str, tarfile.TarInfo]:
    """The regular files of an archive by name. Raises UnreadableData when it has too many."""
    found: dict[str, tarfile.TarInfo] = {}
    for count, member in enumerate(archive):
        if count >= MOST_MEMBERS:
            raise UnreadableData(f"an archive with more than {MOST_MEMBERS} members")
        if member.isreg() and not member.issparse():
            found[os.path.normpath(member.name)] = member
    return found


def in_archive(archive: tarfile.TarFile, members: dict[str, tarfile.TarInfo], name: str) -> bytes:
    """A small document of an archive. Raises UnreadableData."""
    member = members.get(name)
    if member is None:
        raise UnreadableData(f"the archive has no {name!a}")
    if member.size > DOCUMENT_LIMIT:
        raise UnreadableData(f"{name!a} has {member.size} bytes, more than the {DOCUMENT_LIMIT} that are read")
    file = archive.extractfile(member)
    return file.read(DOCUMENT_LIMIT) if file else b""


def in_folder(folder: str, name: str) -> bytes:
    """A small document of a layout. Raises OSError, UnreadableData."""
    descriptor = open_regular(os.path.join(folder, name), DOCUMENT_LIMIT)
    try:
        return read_descriptor(descriptor, BLOCK)
    finally:
        os.close(descriptor)


def of_archive(get: Get, members: dict[str, Any], tag: str | None) -> dict[str, Any]:
    """An archive is a layout when it has an index; what older `docker save` wrote has a manifest.json only."""
    return of_layout(get, tag) if "index.json" in members else of_docker(get, tag)


def of_layout(get: Get, tag: str | None) -> dict[str, Any]:
    """The image of that tag, or the only one. Raises OSError, UnreadableData."""
    entry = chosen(entries(document(get("index.json"), "index.json")), tag)
    digest = checked(entry.get("digest"))
    manifest = document(blob(get, digest), "manifest")
    if entry.get("mediaType") in INDEXES or "manifests" in manifest:
        return {"digest": digest, "of": "OCI index"}  # one of its platforms ran
    config = manifest.get("config")
    return {"digest": digest, "of": "OCI manifest"} | configured(get, config if type(config) is dict else {})


def of_docker(get: Get, tag: str | None) -> dict[str, Any]:
    """The image of an archive of `docker save`: its configuration's digest, which is docker's image id."""
    try:
        value = json.loads(get("manifest.json"))
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"manifest.json is not JSON: {error}") from error
    images = [item for item in value if type(item) is dict] if type(value) is list else []
    named = [item for item in images if any(str(name).endswith(f":{tag}") for name in texts(item.get("RepoTags")))]
    images = named if tag and named else images
    if len(images) != 1:
        raise UnreadableData(f"manifest.json lists {len(images)} images, and the reference does not say which")
    raw = get(os.path.normpath(str(images[0].get("Config"))))
    digest = f"sha256:{hashlib.sha256(raw).hexdigest()}"
    return {"digest": digest, "of": "OCI configuration", "config": digest} | labels(raw)


def texts(value: Any) -> list[str]:
    return [item for item in value if type(item) is str] if type(value) is list else []


def entries(index: dict[str, Any]) -> list[dict[str, Any]]:
    """The manifests that an index lists."""
    found = index.get("manifests")
    return [item for item in found if type(item) is dict] if type(found) is list else []


def chosen(found: list[dict[str, Any]], tag: str | None) -> dict[str, Any]:
    """The entry with that name, else the only one. Raises UnreadableData."""
    named = [item for item in found if tag is not None and ref_name(item) == tag]
    found = named or found
    if len(found) != 1:
        raise UnreadableData(f"its index lists {len(found)} images, and the reference does not say which")
    return found[0]


def ref_name(entry: dict[str, Any]) -> str | None:
    annotations = entry.get("annotations")
    found = annotations.get(REF_NAME) if type(annotations) is dict else None
    return found if type(found) is str else None


def configured(get: Get, entry: dict[str, Any]) -> dict[str, Any]:
    """The configuration that a manifest names, with its labels. Raises OSError, UnreadableData."""
    digest = checked(entry.get("digest"))
    return {"config": digest} | labels(blob(get, digest))


def labels(config: bytes) -> dict[str, Any]:
    """The labels in an image's configuration."""
    inner = document(config, "configuration").get("config")
    found = inner.get("Labels") if type(inner) is dict else None
    return {"labels": found} if type(found) is dict else {}


def blob(get: Get, digest: str) -> bytes:
    """A document by its digest, which it must have. Raises OSError, UnreadableData."""
    raw = get(f"blobs/sha256/{digest.partition(':')[2]}")
    if hashlib.sha256(raw).hexdigest() != digest.partition(":")[2]:
        raise UnreadableData(f"the blob {digest} is not what its digest says")
    return raw


def checked(digest: Any) -> str:
    """A SHA-256 digest as text. Raises UnreadableData."""
    if type(digest) is not str or not DIGEST.fullmatch(digest):
        raise UnreadableData(f"{digest!a} is not a SHA-256 digest")
    return digest


def document(raw: bytes, name: str) -> dict[str, Any]:
    """A JSON object. Raises UnreadableData."""
    try:
        value = json.loads(raw)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"its {name} is not JSON: {error}") from error
    if type(value) is not dict:
        raise UnreadableData(f"its {name} is not a JSON object")
    return value
