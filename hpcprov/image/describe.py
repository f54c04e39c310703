"""Everything that `hpcprov image show` tells of an image, as one JSON object.

describe(image)["identity"]  ->  {"digest": "sha256:b47e...", "of": "primary partition", "others": []}
describe(image)["built"]     ->  {"with": "apptainer 1.4.5", "created": 1795247502, "bootstrap": "docker", "from": ...}
"""

from __future__ import annotations

from hpcprov.capture.container import sif_content
from hpcprov.capture.container.sif_types import BLOB, PARTITION
from hpcprov.image import definition, labels, signed
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.capture.container.sif import Image


def describe(image: Image, *, pulse: Callable[[int], None] | None = None) -> dict[str, Any]:
    """What an image is, what it was built from, its labels, signatures and objects. Reads all of it. Raises OSError."""
    told = sif_content.labels(image)
    source = known(lambda: sif_content.definition(image))
    return {
        "path": image.path,
        "identity": known(lambda: sif_content.identity(image, pulse=pulse)),
        "labels": told["labels"],
        "reason": told.get("reason"),
        "built": built(image, told["labels"] or {}, source if type(source) is str else None),
        "definition": source,
        "signatures": [
            item.about | {"id": item.id, "group": item.link} | signed.check(image, item, pulse=pulse)
            for item in image.sif.signatures
        ],
    } | image.sif.facts()


def known(ask: Callable[[], Any]) -> Any:
    """What is asked for, or {"reason"} why it cannot be had. Raises OSError."""
    try:
        return ask()
    except HpcprovError as error:
        return {"reason": error.message}


def built(image: Image, told: dict[str, str], source: str | None) -> dict[str, Any]:
    """What built the image, when (s since the epoch; None when it does not say), and from what."""
    head = definition.header(source) if source is not None else {}
    created = image.sif.created if 0 < image.sif.created <= labels.LAST_SECOND else None
    return {
        "with": labels.built_with(told),
        "created": created,
        "bootstrap": head.get("bootstrap"),
        "from": head.get("from"),
        "run": told.get(f"{labels.OURS}run"),
    }


def work(image: Image) -> int:
    """The bytes that `describe` reads at most: what is signed is read once more for each signature."""
    covered = [item.size for one in image.sif.signatures for item in signed.members(image.sif, one)]
    read = [item.size for item in image.sif.objects if item.kind in (PARTITION, BLOB)]
    return sum(read) + sum(covered)
