"""Signatures of an image: which objects they cover, whether these are still what was signed, and where labels can go.

Whose signature it is, only `apptainer verify` can say: it has the keys. What was signed can be compared without them.

    check(image, image.sif.signatures[0])
    -> {"objects": [1, 2, 3], "changed": [], "reason": None}
    place(image.sif, group=None, resign=True)
    -> Place(group=2, dropped=[], sign=True): in a group of their own, which is then signed; no signature is touched

Every signature is for a group of objects, and covers all of it: a new object in group 1 breaks a signature of group 1.
Source: pkg/integrity in https://github.com/apptainer/sif.
"""

from __future__ import annotations

import hashlib
import json
import os
import struct

from hpcprov.capture.container.sif import (
    DESCRIPTOR,
    HEADER,
    METADATA_NAME,
    Object,
    blocks,
    data,
)
from hpcprov.capture.container.sif_types import PARTITION, SIGNATURE
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from typing import Any

    from hpcprov.capture.container.sif import Image, Sif

SIGNATURE_LIMIT = 1 << 20
CLEAR = b"-----BEGIN PGP SIGNED MESSAGE-----"
CLEAR_END = b"-----BEGIN PGP SIGNATURE-----"
DIGESTS = ("sha256", "sha384", "sha512")
OTHER_GROUP = "without --group they go in a group of their own; --resign replaces it by one of yours"
NAMELESS = "a key without a fingerprint"
OLD = "a signature of the old kind, which `apptainer verify --legacy-insecure` reads"


class Place:
    """Where labels go: `group`, the ids of the objects `dropped` for them, and whether to `sign` the group then."""

    def __init__(self, group: int, dropped: Sequence[int], *, sign: bool) -> None:
        self.group, self.dropped, self.sign = group, list(dropped), sign


def covering(sif: Sif, group: int | None) -> list[Object]:
    """The signatures of a group, and of objects in it."""
    ids = {item.id for item in sif.objects if item.group == group}
    return [
        item
        for item in sif.signatures
        if group is not None and (item.link == group if item.linked_to_group else item.link in ids)
    ]


def place(sif: Sif, *, group: int | None, resign: bool) -> Place:
    """Where an image's labels go, in `group` when one is given. Raises HpcprovError rather than break a signature."""
    chosen = group if group is not None else usual_group(sif)
    broken = covering(sif, chosen)
    if broken and not resign:
        raise HpcprovError(
            f"labels in group {chosen} would break {told(broken)}",
            hint="--resign replaces it by one of yours" if group is None else OTHER_GROUP,
        )
    if sif.signatures and not broken and not resign and group is None and not unsigned_already(sif, chosen):
        raise HpcprovError(
            f"the image has {told(sif.signatures)}; its labels, in group {chosen}, would not be signed",
            hint=ways(chosen),
        )
    own = [item.id for item in sif.objects if item.group == chosen and is_metadata(item)]
    return Place(chosen, [*own, *(item.id for item in broken)], sign=resign and bool(sif.signatures))


def ways(group: int) -> str:
    """What can be done about labels in a group that is not signed."""
    return (
        "--resign puts them in a group of their own and signs that with your key: every signature stays\n"
        f"--group {group} writes them unsigned: until `apptainer sign --group-id {group}`, `apptainer verify` fails"
    )


def usual_group(sif: Sif) -> int:
    """The group of the labels that there are, unless others' objects in it are signed; else one that is not in use."""
    old = sif.metadata
    if old is None:
        return 1 if not covering(sif, 1) else free_group(sif)
    beside = [item for item in sif.objects if item.group == old.group and item is not old]
    if old.group is not None and (not covering(sif, old.group) or not beside):
        return old.group
    return free_group(sif)


def free_group(sif: Sif) -> int:
    """A group above all that are in use."""
    return max([1, *(item.group or 0 for item in sif.objects)]) + 1


def unsigned_already(sif: Sif, group: int) -> bool:
    """Whether an image's labels are in this group and not signed: then nothing gets worse."""
    return sif.metadata is not None and sif.metadata.group == group and not covering(sif, group)


def is_metadata(item: Object) -> bool:
    return item.name == METADATA_NAME and item.kind != PARTITION


def told(signatures: Sequence[Object]) -> str:
    """The signatures, for people."""
    names = [f"group {item.link} by {item.about['fingerprint'] or NAMELESS}" for item in signatures]
    return f"the signature{'s' if len(names) > 1 else ''} of {', of '.join(names)}"


def check(image: Image, item: Object, *, pulse: Callable[[int], None] | None = None) -> dict[str, Any]:
    """What a signature covers and whether that has changed: {"objects": ids, "changed": ids, "reason"}.

    With a `reason`, it could not be found out. `changed` has 0 for the header. Reads all that is covered; `pulse` as in
    `sif_content.identity`. Raises OSError.
    """
    try:
        signed = payload(data(image, item, SIGNATURE_LIMIT))
        base = min((other.id for other in members(image.sif, item)), default=0)
        changed = [] if same(signed["header"]["digest"], [header(image)]) else [0]
        entries = {int(entry["relativeId"]) + base: entry for entry in signed["objects"]}
        changed += [number for number, entry in entries.items() if not intact(image, number, base, entry, pulse)]
        changed += [other.id for other in members(image.sif, item) if other.id not in entries]
    except (UnreadableData, ValueError, KeyError, TypeError, AttributeError) as error:
        reason = str(error) if isinstance(error, UnreadableData | ValueError) else "what it signs is not understood"
        return {"objects": [], "changed": [], "reason": reason}
    return {"objects": sorted(entries), "changed": sorted(set(changed)), "reason": None}


def members(sif: Sif, signature: Object) -> list[Object]:
    """The objects of the group that a signature is for."""
    return [item for item in sif.objects if item.group is not None and item.group == signature.link]


def payload(text: bytes) -> dict[str, Any]:
    """What a signature signs, in a clear-signed OpenPGP message or a DSSE envelope. Raises ValueError and such."""
    if text.startswith(CLEAR):
        _, _, rest = text.replace(b"\r\n", b"\n").partition(b"\n\n")
        text = rest.partition(CLEAR_END)[0]
    else:
        import base64

        text = base64.b64decode(json.loads(text)["payload"])
    try:
        value = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise ValueError(OLD if b"SIFHASH" in text else "what it signs is not JSON") from error
    if type(value) is not dict:
        raise ValueError("what it signs is not a JSON object")
    return value


def intact(image: Image, number: int, base: int, entry: dict[str, Any], pulse: Callable[[int], None] | None) -> bool:
    """Whether an object is still what was signed."""
    item = next((item for item in image.sif.objects if item.id == number and item.kind != SIGNATURE), None)
    if item is None or not same(entry["descriptorDigest"], [covered(item, base)]):
        return False
    return same(entry["objectDigest"], blocks(image, item), pulse)


def same(told: str, parts: Any, pulse: Callable[[int], None] | None = None) -> bool:
    """Whether bytes have the digest that was told: `sha256:<hex>`. Raises ValueError for another algorithm."""
    name, _, digits = told.partition(":")
    if name not in DIGESTS:
        raise ValueError(f"its digests are {name[:20]!a}, which is not computed here")
    state = hashlib.new(name)
    for part in parts:
        state.update(part)
        if pulse is not None:
            pulse(len(part))
    return state.hexdigest() == digits


def covered(item: Object, base: int) -> bytes:
    """What of a descriptor is signed; `base`: the lowest number in its group."""
    kind, _, _, _, link, _, size, _, created, _, uid, gid, name, extra = DESCRIPTOR.unpack(item.raw)
    return struct.pack("<iBIIqqqq128s384s", kind, 1, item.id - base, link, size, created, uid, gid, name, extra)


def header(image: Image) -> bytes:
    """What of the header is signed: launch script, magic, version, uuid."""
    launch, magic, version, _, uuid, *_ = HEADER.unpack(os.pread(image.descriptor, HEADER.size, 0))
    return bytes(launch + magic + version + uuid)
