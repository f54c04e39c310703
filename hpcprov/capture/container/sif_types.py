"""Types of objects in a SIF image, and what each says of itself, by the names that Apptainer gives them.

about(PARTITION, extra)  ->  {"file_system": "Squashfs", "role": "primary", "arch": "amd64"}

Source: pkg/sif/sif.go and descriptor.go in https://github.com/apptainer/sif.
"""

from __future__ import annotations

import struct

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

DEFINITION, ENVIRONMENT, LABELS, PARTITION, SIGNATURE, JSON, GENERIC, CRYPTO, SBOM, ROOT_INDEX, BLOB = range(
    0x4001, 0x400C
)
# As `apptainer sif list` writes them.
TYPES = {
    DEFINITION: "Def.FILE",
    ENVIRONMENT: "Env.Vars",
    LABELS: "JSON.Labels",
    PARTITION: "FS",
    SIGNATURE: "Signature",
    JSON: "JSON.Generic",
    GENERIC: "Generic/Raw",
    CRYPTO: "Cryptographic Message",
    SBOM: "SBOM",
    ROOT_INDEX: "OCI.RootIndex",
    BLOB: "OCI.Blob",
}
FILE_SYSTEMS = ("unknown", "Squashfs", "Ext3", "Archive", "Raw", "Encrypted squashfs")
PARTITIONS = ("unknown", "system", "primary", "data", "overlay")
HASHES = ("unknown", "SHA-256", "SHA-384", "SHA-512", "BLAKE2s_256", "BLAKE2b_256")
ARCHITECTURES = (
    "unknown", "386", "amd64", "arm", "arm64", "ppc64", "ppc64le", "mips", "mipsle", "mips64", "mips64le", "s390x",
    "riscv64",
)  # fmt: skip
SBOM_FORMATS = (
    "unknown", "cyclonedx-json", "cyclonedx-xml", "github-json", "spdx-json", "spdx-rdf", "spdx-tag-value",
    "spdx-yaml", "syft-json",
)  # fmt: skip


def text(raw: bytes) -> str:
    """Text that is padded with NUL."""
    return raw.rstrip(b"\0").decode("utf-8", "surrogateescape")


def architecture(raw: bytes) -> str:
    """`02` -> amd64."""
    code = raw.rstrip(b"\0")
    return word(ARCHITECTURES, int(code)) if code.isdigit() else "unknown"


def word(words: tuple[str, ...], number: int) -> str:
    """The name of a number in one of the tables above."""
    return words[number] if 0 <= number < len(words) else "unknown"


def partition_extra(extra: bytes) -> dict[str, Any]:
    file_system, role, arch = struct.unpack_from("<ii3s", extra)
    return {"file_system": word(FILE_SYSTEMS, file_system), "role": word(PARTITIONS, role), "arch": architecture(arch)}


def signature_extra(extra: bytes) -> dict[str, Any]:
    """The key's fingerprint, upper-case hexadecimal, is None for a key without one (PEM)."""
    number, fingerprint = struct.unpack_from("<i20s", extra)
    return {"hash": word(HASHES, number), "fingerprint": fingerprint.hex().upper() if any(fingerprint) else None}


def sbom_extra(extra: bytes) -> dict[str, Any]:
    return {"format": word(SBOM_FORMATS, struct.unpack_from("<i", extra)[0])}


def blob_extra(extra: bytes) -> dict[str, Any]:
    return {"digest": text(extra.partition(b"\0")[0])}


ABOUT: dict[int, Callable[[bytes], dict[str, Any]]] = {
    PARTITION: partition_extra,
    SIGNATURE: signature_extra,
    SBOM: sbom_extra,
    ROOT_INDEX: blob_extra,
    BLOB: blob_extra,
}


def about(kind: int, extra: bytes) -> dict[str, Any]:
    """What an object of this type says of itself in the 384 bytes that are the type's own."""
    return ABOUT[kind](extra) if kind in ABOUT else {}
