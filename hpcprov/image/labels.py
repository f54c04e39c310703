"""Labels of images: which are allowed, and those that a git repository, a run or the image itself gives.

Keys of the Open Container Initiative where it has one, else of the project's own prefix, `io.hpcprov.`:

    from_git({"commit": "3f1c...", "describe": "v1.2", "remote": {"url": "https://host/model.git"}, ...})
    -> {"org.opencontainers.image.revision": "3f1c...", "org.opencontainers.image.version": "v1.2", ...}

Source: "Pre-Defined Annotation Keys" of the OCI Image Format Specification.
"""

from __future__ import annotations

import re
import shlex

from hpcprov.capture.redact import scrub_argv, scrub_word
from hpcprov.record import model, moment
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hpcprov.capture.container.sif import Image
    from hpcprov.record.model import Record

OCI = "org.opencontainers.image."
OURS = "io.hpcprov."
KEY = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_./-]{0,255}")
# In UTF-8. Apptainer prints labels to terminals; what is longer belongs into the image or a file beside it.
VALUE_LIMIT = 1 << 14
LAST_SECOND = (1 << 63) // moment.SECOND - 1
# The version of the program that built an image, as that program writes it.
BUILDERS = (
    ("apptainer", "org.label-schema.usage.apptainer.version"),
    ("singularity", "org.label-schema.usage.singularity.version"),
)


def parse(texts: Sequence[str]) -> dict[str, str]:
    """Labels from `K=V` words of a command line, the last of one key. Raises HpcprovError."""
    found = {}
    for text in texts:
        key, equals, value = text.partition("=")
        if not equals:
            raise HpcprovError(f"{text!a} is not a label", hint="a label is KEY=VALUE")
        found[key] = open_value(key, value.strip())
    return found


def open_value(key: str, value: str) -> str:
    """A value that may be shown to everyone who has the image. Raises HpcprovError for what looks like a secret."""
    if scrub_word(f"{key}={value}") != f"{key}={value}":
        hint = "labels can be read by everyone who has the image"
        raise HpcprovError(f"the label {key!a} looks like a secret and is not written", hint=hint)
    return value


def check(labels: Mapping[str, str]) -> None:
    """Raises HpcprovError for a key or value that an image or a definition file cannot hold, and says which and why."""
    for key, value in labels.items():
        if KEY.fullmatch(key) is None:
            hint = "a key starts with a letter or digit and holds at most 256 letters, digits, `.`, `_`, `/` and `-`"
            raise HpcprovError(f"{key[:80]!a} cannot be the key of a label", hint=hint)
        if not value.isprintable():
            raise HpcprovError(f"the label {key!a} holds characters that cannot be shown: {value[:80]!a}")
        if len(value.encode()) > VALUE_LIMIT:
            raise HpcprovError(f"the label {key!a} has {len(value.encode())} bytes, more than {VALUE_LIMIT}")


def from_git(facts: Mapping[str, Any]) -> dict[str, str]:
    """Labels from the facts of a working tree (`capture.git.describe`). Raises HpcprovError when it has no commit."""
    if "commit" not in facts:
        raise HpcprovError(f"no commit to label the image with: {facts.get('reason', 'unknown')}")
    found = {f"{OCI}revision": facts["commit"]}
    if "remote" in facts:
        found[f"{OCI}source"] = facts["remote"]["url"].replace("://***@", "://")
    if "describe" in facts:
        found[f"{OCI}version"] = facts["describe"]
    if facts.get("dirty"):
        found[f"{OURS}dirty"] = "true"
    if "diff" in facts:
        found[f"{OURS}diff"] = f"sha256:{facts['diff']['sha256']}"
    return shown(found)


def from_run(record: Record) -> dict[str, str]:
    """Labels from the sealed record of the run that built an image: which, what, and of which commit.

    Raises HpcprovError for a run that is not over.
    """
    run = record["run"]
    if "seal" not in record:
        raise HpcprovError(f"the run {run['id']} has no sealed record yet", hint=f"hpcprov settle {run['id']}")
    found = {f"{OURS}run": run["id"], f"{OURS}record": record["seal"]["record"]}
    if run["argv"]:
        found[f"{OURS}command"] = shlex.join(scrub_argv(run["argv"]))[: VALUE_LIMIT // 16]
    directory = model.fact(record, "code").get("directory")
    tree = directory.get("git") if type(directory) is dict else None
    return shown(found) | (from_git(tree) if type(tree) is dict and "commit" in tree else {})


def from_image(image: Image) -> dict[str, str]:
    """Labels from what an image tells of itself: when it was built, by which program, from which definition file.

    Raises OSError, UnreadableData.
    """
    from hpcprov.capture.container import sif, sif_content
    from hpcprov.capture.container.sif_types import DEFINITION

    found = {}
    if 0 < image.sif.created <= LAST_SECOND:
        found[f"{OCI}created"] = moment.iso(image.sif.created * moment.SECOND).replace(".000000000", "")
    builder = built_with(sif_content.labels(image)["labels"] or {})
    if builder is not None:
        found[f"{OURS}built-with"] = builder
    source = image.sif.first(DEFINITION)
    if source is not None:
        found[f"{OURS}definition"] = sif.digest(image, source)
    return shown(found)


def built_with(labels: Mapping[str, str]) -> str | None:
    """The program that built an image, and its version, from the image's labels: `apptainer 1.4.5`."""
    return next((f"{name} {labels[key]}" for name, key in BUILDERS if labels.get(key)), None)


def shown(labels: Mapping[str, str]) -> dict[str, str]:
    """Values that others wrote, without secrets, and with what cannot be shown as escapes."""
    return {key: printable(scrub_word(value)) for key, value in labels.items()}
