"""What a SIF image says: its labels, the definition file that it was built from, and which image it is.

    with opened("step.sif") as image:
        labels(image)["labels"]     ->  {"org.label-schema.build-arch": "amd64", ...}
        identity(image)             ->  {"digest": "sha256:5f70...", "of": "primary partition", "others": []}

The file is untrusted: documents are bounded, and each value is looked at before it is used.
Source: `apptainer inspect`; of an OCI-SIF, the OCI image specification.
"""

from __future__ import annotations

from hpcprov.capture.container.sif import METADATA_NAME, data, digest
from hpcprov.capture.container.sif_types import BLOB, DEFINITION, LABELS, ROOT_INDEX
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.capture.container.sif import Image, Object

DEFINITION_LIMIT = 1 << 20
# JSON that is built to need memory needs some 20 times its size.
METADATA_LIMIT = 1 << 22


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
