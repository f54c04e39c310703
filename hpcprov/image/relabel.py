"""Labels into a SIF image without a rebuild: its metadata object is replaced in a copy, which then takes its place.

    relabel("step.sif", {"org.opencontainers.image.revision": "3f1c..."}, Options())
    -> {"path": "/home/ada/step.sif", "changed": True, "object": 4, "group": 1, "set": [...], "replaced": [], ...}

The copy is read back before it takes the place: the metadata must be there, and everything that stays must be the same
byte for byte.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time

from hpcprov.capture.container import sif, sif_content
from hpcprov.capture.container.sif import Image, Object
from hpcprov.capture.container.sif_content import METADATA_LIMIT
from hpcprov.capture.container.sif_types import ROOT_INDEX
from hpcprov.capture.program import ask, find_program
from hpcprov.image.edit import with_metadata
from hpcprov.image.replace import replacement, write
from hpcprov.image.signed import covering, place
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from typing import Any

    from hpcprov.image.signed import Place

RUNTIMES = ("apptainer", "singularity")
INSPECT_TIMEOUT = 120.0


class Options:
    """How to label: in which `group`, `output` file instead of in place, whether to `resign` and by which `key` (words
    for `apptainer sign`), `pulse` for the bytes that are read and written."""

    def __init__(
        self,
        *,
        group: int | None = None,
        output: str | None = None,
        resign: bool = False,
        key: list[str] | None = None,
        pulse: Callable[[int], None] | None = None,
    ) -> None:
        self.group, self.output, self.resign, self.key, self.pulse = group, output, resign, key or [], pulse


def relabel(path: str, labels: Mapping[str, str], options: Options) -> dict[str, Any]:
    """Give an image these labels; it keeps its others. Raises OSError, HpcprovError; the image is then as it was.

    The result: `changed` is false (and nothing else is said) when it has them all. `replaced` are the fingerprints
    (None of a key without one) of the signatures that were replaced; `signed`: the labels have been signed; `unsigned`:
    the image is signed and its labels are not.
    """
    with sif.opened(path) as image:
        if has_all(image, labels) and not options.resign and options.output is None and options.group is None:
            return {"path": os.path.realpath(path), "changed": False}
        plan(image, labels, options)  # what is refused is refused before anything is copied
    with replacement(path, options.output, pulse=options.pulse) as draft:
        # Others may have labelled it since then; while there is a draft they cannot.
        original = Image(path, draft.source)
        where, document = plan(original, labels, options)
        number, kept = edited(draft.path, original, document, where)
        if where.sign:
            sign(draft.path, where.group, options.key)
        check(draft.path, original, kept, document, options.pulse)
    signatures = original.sif.signatures
    return {
        "path": draft.target,
        "changed": True,
        "object": number,
        "group": where.group,
        "set": sorted(labels),
        "replaced": [item.about["fingerprint"] for item in signatures if item.id in where.dropped],
        "signed": where.sign,
        "unsigned": bool(signatures) and not where.sign,
    }


def plan(image: Image, labels: Mapping[str, str], options: Options) -> tuple[Place, bytes]:
    """Where the labels go, and the metadata with them. Raises OSError, HpcprovError."""
    return place(image.sif, group=options.group, resign=options.resign), metadata(image, labels)


def has_all(image: Image, labels: Mapping[str, str]) -> bool:
    """Whether an image has these labels already. Raises OSError."""
    return (sif_content.labels(image)["labels"] or {}).items() >= labels.items()


def metadata(image: Image, labels: Mapping[str, str]) -> bytes:
    """The image's metadata with these labels: JSON as `apptainer inspect` reads it. Raises OSError, HpcprovError."""
    if image.sif.first(ROOT_INDEX) is not None:
        hint = "label it when it is built, with %labels or LABEL"
        raise HpcprovError(f"{image.path}: the labels of an OCI-SIF are part of what identifies it", hint=hint)
    item = image.sif.metadata
    document = sif_content.document(image, item) if item is not None else inspected(image)
    old = sif_content.metadata_labels(document, image.path)
    body = document.get("data") or {}
    attributes = (body.get("attributes") or {}) | {"labels": dict(sorted((old | dict(labels)).items()))}
    document = {"type": "container"} | document | {"data": body | {"attributes": attributes}}
    try:
        text = json.dumps(document, separators=(",", ":"), allow_nan=False).encode("ascii")
    except ValueError as error:
        raise UnreadableData(f"{image.path}: its metadata cannot be written again: {error}") from error
    if len(text) > METADATA_LIMIT:
        raise HpcprovError(f"{image.path}: its metadata would have {len(text)} bytes, more than {METADATA_LIMIT}")
    return text


def inspected(image: Image) -> dict[str, Any]:
    """The metadata of an image that keeps it only inside its file system. Raises HpcprovError."""
    runtime = program("an image without an object inspect-metadata.json")
    text = ask([runtime, "inspect", "--all", image.path], environ=os.environ, timeout=INSPECT_TIMEOUT)
    try:
        value = json.loads(text)
        old = value["data"]["attributes"]
    except (ValueError, RecursionError, KeyError, TypeError) as error:
        raise UnreadableData(f"{image.path}: `{runtime} inspect` does not say what its labels are") from error
    if type(old) is not dict:
        raise UnreadableData(f"{image.path}: `{runtime} inspect` does not say what its labels are")
    return dict(value)


def edited(path: str, original: Image, document: bytes, where: Place) -> tuple[int, list[int]]:
    """Put the metadata into the copy: the number of its object, and those of the objects that stay."""
    now = int(time.time())
    change = with_metadata(original, document, group=where.group, dropped=where.dropped, now=now)
    descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
    try:
        for offset, data in change.writes:
            write(descriptor, data, offset)
        os.ftruncate(descriptor, change.size)
    finally:
        os.close(descriptor)
    return change.number, change.kept


def sign(path: str, group: int, key: list[str]) -> None:
    """Sign one group; Apptainer asks on the terminal for what it needs. Raises HpcprovError."""
    runtime = program("--resign")
    words = [runtime, "sign", "--group-id", str(group), *key, path]
    stdin = None if sys.stdin is not None and sys.stdin.isatty() else subprocess.DEVNULL
    try:
        # What it says goes to standard error, where everything is that is not the answer.
        done = subprocess.run(words, stdin=stdin, stdout=sys.stderr, stderr=sys.stderr, check=False)
    except OSError as error:
        raise HpcprovError(f"{runtime} could not be started: {error.strerror}") from error
    with sif.opened(path) as image:
        if done.returncode == 0 and len(covering(image.sif, group)) == 1:
            return
    keys = f"`{os.path.basename(runtime)} key list --secret` lists your keys, --key-index N chooses one"
    hint = f"{keys}; the image is as it was"
    raise HpcprovError(f"`{os.path.basename(runtime)} sign` did not sign group {group}", hint=hint)


def program(what: str) -> str:
    """The runtime that does what only it can. Raises HpcprovError."""
    found = next((path for name in RUNTIMES if (path := find_program(name, os.environ))), None)
    if found is None:
        raise HpcprovError(f"{what} needs Apptainer or Singularity, and neither is on PATH")
    return found


def check(path: str, original: Image, kept: list[int], document: bytes, pulse: Callable[[int], None] | None) -> None:
    """Read the edited copy back. Raises OSError, UnreadableData."""
    before = {item.id: item for item in original.sif.objects}
    with sif.opened(path) as image:
        after = {item.id: item for item in image.sif.objects}
        new = image.sif.metadata
        if new is None or sif.data(image, new, METADATA_LIMIT) != document:
            raise UnreadableData(f"{path}: the labels did not read back as they were written")
        for number in kept:
            if number not in after or not equal(original, before[number], image, after[number], pulse):
                raise UnreadableData(f"{path}: object {number} did not read back as it was")


def equal(original: Image, one: Object, image: Image, other: Object, pulse: Callable[[int], None] | None) -> bool:
    """Whether an object of the copy is that of the original, byte for byte."""
    if one.raw != other.raw:
        return False
    for mine, its in zip(sif.blocks(original, one), sif.blocks(image, other), strict=True):
        if mine != its:
            return False
        if pulse is not None:
            pulse(len(mine))
    return True
