"""What an image says of itself to those inside: Apptainer's labels and the digest of its definition file.

    inner("apptainer", "/") == {"labels": {"org.label-schema.build-arch": "amd64"}, "definition": {"sha256": "..."}}

The folder `/.singularity.d` is part of the image: this holds where the image's own file cannot be seen.
"""

from __future__ import annotations

import os

from hpcprov.capture.reading import digest_file, read_text
from hpcprov.capture.redact import scrub
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

FOLDER = ".singularity.d"
LIMIT = 1 << 16
MOST_LABELS = 64
LONGEST = 1000


def inner(runtime: str, root: str) -> dict[str, Any]:
    """Labels and definition of the image whose root is at `root`, as far as it has them."""
    if runtime not in ("apptainer", "singularity"):
        return {}
    found = {"labels": read_labels(root), "definition": read_definition(root)}
    return {key: value for key, value in found.items() if value}


def read_labels(root: str) -> dict[str, str]:
    import json

    try:
        value = json.loads(read_text(own_file(root, "labels.json"), LIMIT))
    except (OSError, ValueError, RecursionError, HpcprovError):
        return {}
    return kept(value) if type(value) is dict else {}


def kept(labels: Mapping[str, Any]) -> dict[str, str]:
    """As many labels as a record takes, without secrets."""
    texts = {str(key): value for key, value in labels.items() if type(value) is str}
    return {key[:LONGEST]: scrub(texts[key][:LONGEST]) for key in sorted(texts)[:MOST_LABELS]}


def read_definition(root: str) -> dict[str, Any]:
    try:
        digest, size = digest_file(own_file(root, "Singularity"), LIMIT)
    except (OSError, HpcprovError):
        return {}
    return {"sha256": digest, "size": size}


def own_file(root: str, name: str) -> str:
    """A file of the image's own folder: no link may lead to what is none of its business. Raises OSError."""
    folder = os.path.join(os.path.realpath(root), FOLDER)
    path = os.path.join(folder, name)
    if os.path.realpath(path) != path:
        raise OSError(f"{path} is a link")
    return path
