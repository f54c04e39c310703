"""What is in an image's file or folder: its format, and the identity that its makers and registries know it by.

    content("/data/step.sif", None, pulse)
    == {"format": "sif", "identity": {"digest": "sha256:5f70...", "of": "primary partition"}, "uuid": "daa2b726-...",
        "labels": {...}, "signatures": ["A1B2..."]}

A folder (a sandbox, Charliecloud's directory) has no identity of its own: the digest of its tree is one.
"""

from __future__ import annotations

import os

from hpcprov.capture.container import oci, sif, sif_content
from hpcprov.capture.container.inner import inner, kept
from hpcprov.capture.reading import open_regular
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

# The first bytes of a file system image (squashfs, both byte orders) and of a tar archive at 257.
SQUASHFS = (b"hsqs", b"sqsh")
TAR_AT, TAR = 257, b"ustar"
MOST_SIGNATURES = 64


def content(path: str, tag: str | None, pulse: Callable[[int], None] | None) -> dict[str, Any]:
    """Format, and as far as the image has them identity, uuid, labels and signers' fingerprints.

    `pulse` is told of bytes that are read and may raise to end it. Raises OSError, HpcprovError."""
    kind = format_of(path)
    return {"format": kind} | READERS.get(kind, nothing)(path, tag, pulse)


def format_of(path: str) -> str:
    """`sif`, `squashfs`, `archive`, `oci`, `directory` or `file`. Raises OSError, HpcprovError."""
    if os.path.isdir(path):
        return "oci" if oci.is_layout(path) else "directory"
    descriptor = open_regular(path)
    try:
        head = os.pread(descriptor, 512, 0)
    finally:
        os.close(descriptor)
    if head[sif.MAGIC_AT :].startswith(sif.MAGIC):
        return "sif"
    if head.startswith(SQUASHFS):
        return "squashfs"
    return "archive" if head[TAR_AT:].startswith(TAR) else "file"


def nothing(path: str, tag: str | None, pulse: Callable[[int], None] | None) -> dict[str, Any]:
    """For formats whose bytes are all that there is."""
    return {}


def of_sif(path: str, tag: str | None, pulse: Callable[[int], None] | None) -> dict[str, Any]:
    with sif.opened(path) as image:
        found = sif_content.identity(image, pulse=pulse)
        signers = [item.about["fingerprint"] for item in image.sif.signatures[:MOST_SIGNATURES]]
        return {
            "identity": {key: value for key, value in found.items() if value},
            "uuid": image.sif.uuid,
            "labels": kept(sif_content.labels(image)["labels"] or {}),
            "signatures": signers,
        }


def of_oci(path: str, tag: str | None, pulse: Callable[[int], None] | None) -> dict[str, Any]:
    try:
        found = oci.identity(path, tag)
    except UnreadableData as error:
        return {"identity": None, "reason": error.message}
    return {"labels": kept(found.pop("labels", {})), "identity": found}


def of_directory(path: str, tag: str | None, pulse: Callable[[int], None] | None) -> dict[str, Any]:
    return inner("apptainer", path)


READERS: dict[str, Callable[[str, str | None, Callable[[int], None] | None], dict[str, Any]]] = {
    "sif": of_sif,
    "oci": of_oci,
    "archive": of_oci,
    "directory": of_directory,
}
