"""SIF images put together by hand from the specification, with whatever in them that real programs do not write."""

from __future__ import annotations

import hashlib
import json
import struct
from pathlib import Path
from typing import Any

UUID = bytes(range(16))
TABLE_AT, DESCRIPTOR = 4096, 585
GROUP = 0xF0000000
DEFINITION, LABELS, PARTITION, SIGNATURE, JSON, GENERIC, ROOT_INDEX, BLOB = (
    0x4001, 0x4003, 0x4004, 0x4005, 0x4006, 0x4007, 0x400A, 0x400B,
)  # fmt: skip
PRIMARY, DATA, OVERLAY = 2, 3, 4
METADATA = "inspect-metadata.json"
DEFINITION_TEXT = b"Bootstrap: docker\nFrom: debian:12\n"


def thing(
    kind: int, data: bytes, *, group: int = 1, link: int = 0, name: str = "", extra: bytes = b""
) -> dict[str, Any]:
    """One object; `link` as it is in the file."""
    return {"kind": kind, "data": data, "group": group, "link": link, "name": name, "extra": extra}


def partition(data: bytes, role: int = PRIMARY, *, group: int = 1) -> dict[str, Any]:
    return thing(PARTITION, data, group=group, extra=struct.pack("<ii3s", 1, role, b"02\0"))


def metadata(labels: Any, *, group: int = 1) -> dict[str, Any]:
    document = {"data": {"attributes": {"labels": labels, "runscript": "#!/bin/sh\n"}}, "type": "container"}
    return thing(JSON, json.dumps(document).encode(), group=group, name=METADATA)


def blob(data: bytes, kind: int = BLOB) -> dict[str, Any]:
    return thing(kind, data, extra=f"sha256:{hashlib.sha256(data).hexdigest()}".encode())


def plain(labels: Any = None) -> list[dict[str, Any]]:
    """The objects of an image as Apptainer builds them."""
    return [thing(DEFINITION, DEFINITION_TEXT), metadata(labels or {"a": "1"}), partition(b"squash" * 1000)]


def image(things: list[dict[str, Any] | None], *, total: int = 48, created: int = 1_700_000_000) -> bytes:
    """The whole file; None is an unused slot."""
    place = TABLE_AT + total * DESCRIPTOR
    data_at, body, table = place, b"", b""
    for slot, one in enumerate(things):
        if one is None:
            table += bytes(DESCRIPTOR)
            continue
        gap = -(place + len(body)) % 4096 if one["kind"] == PARTITION else 0
        body += bytes(gap)
        offset = place + len(body)
        numbers = (offset, len(one["data"]), len(one["data"]) + gap, created, created, 0, 0)
        group = GROUP | one["group"]
        head = (one["kind"], 1, slot + 1, group, one["link"], *numbers, one["name"].encode(), one["extra"])
        table += struct.pack("<iBIIIqqqqqqq128s384s", *head)
        body += one["data"]
    used = sum(one is not None for one in things)
    numbers = (created, created, total - used, total, TABLE_AT, total * DESCRIPTOR, data_at, len(body))
    launch = b"#!/usr/bin/env run-singularity\n"
    header = struct.pack("<32s10s3s3s16sqqqqqqqq", launch, b"SIF_MAGIC\0", b"01\0", b"02\0", UUID, *numbers)
    return header.ljust(TABLE_AT, b"\0") + table.ljust(total * DESCRIPTOR, b"\0") + body


def signature(things: list[dict[str, Any] | None], group: int = 1, *, dsse: bool = False) -> dict[str, Any]:
    """What a signature of the objects of a group holds, with a signature that no key has made."""
    file = image(things)
    members = [(slot + 1, one) for slot, one in enumerate(things) if one is not None and one["group"] == group]
    base = min(number for number, _ in members)
    objects = []
    for number, one in members:
        raw = file[TABLE_AT + (number - 1) * DESCRIPTOR :][:DESCRIPTOR]
        # type, used, relative number, link, size, created, user, group, name, extra
        signed = raw[:5] + struct.pack("<I", number - base) + raw[13:17] + raw[25:33] + raw[41:49] + raw[57:]
        objects.append({"relativeId": number - base, "descriptorDigest": sha(signed), "objectDigest": sha(one["data"])})
    header = {"digest": sha(file[:45] + file[48:64])}
    text = json.dumps({"version": 1, "header": header, "objects": objects})
    return thing(
        SIGNATURE,
        envelope(text) if dsse else clear(text),
        group=0,
        link=GROUP | group,
        extra=struct.pack("<i20s", 1, b"" if dsse else bytes(range(20, 40))),
    )


def clear(text: str) -> bytes:
    head = "-----BEGIN PGP SIGNED MESSAGE-----\nHash: SHA256\n\n"
    return f"{head}{text}\n-----BEGIN PGP SIGNATURE-----\n\nbm8=\n-----END PGP SIGNATURE-----".encode()


def envelope(text: str) -> bytes:
    import base64

    payload = base64.b64encode(text.encode()).decode()
    kind = "application/vnd.sylabs.sif-metadata+json"
    return json.dumps({"payloadType": kind, "payload": payload, "signatures": []}).encode()


def sha(data: bytes) -> str:
    return f"sha256:{hashlib.sha256(data).hexdigest()}"


def written(folder: Path, data: bytes, name: str = "x.sif") -> str:
    path = folder / name
    path.write_bytes(data)
    return str(path)
