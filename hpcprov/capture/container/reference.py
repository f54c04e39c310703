"""Image references that are no plain path: Apptainer's transports and Charliecloud's names.

    scheme("docker://debian:12") == "docker"
    archive("oci-archive:images/step.tar:v1", "/home/ada") == "/home/ada/images/step.tar"

Sources: apptainer's "Support for Docker and OCI containers" (containers-transports(5)), ch-image(1) on its storage.
"""

from __future__ import annotations

import os

from hpcprov.capture.container.runtimes import flag_value

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Transports whose reference is a path here, with or without a `:tag` behind it.
ARCHIVES = ("oci-archive", "docker-archive", "oci")
# Transports whose image comes from somewhere else: a registry, a library, a daemon, a running instance.
REMOTE = (
    "docker", "docker-daemon", "library", "oras", "shub", "http", "https", "instance", "containers-storage",
    "apptainer", "singularity",
)  # fmt: skip


def scheme(image: str) -> str | None:
    """The transport that a reference begins with, or None for a path."""
    name, colon, _ = image.partition(":")
    return name if colon and name in (*ARCHIVES, *REMOTE) else None


def archive(image: str, cwd: str) -> str | None:
    """The absolute path that a reference to an archive or an OCI folder names, or None for other transports."""
    name, _, rest = image.partition(":")
    return os.path.join(cwd, split(rest, cwd)[0]) if name in ARCHIVES else None


def tag(image: str, cwd: str) -> str | None:
    """What stands behind the path of such a reference, or None."""
    name, _, rest = image.partition(":")
    return split(rest, cwd)[1] if name in ARCHIVES else None


def split(text: str, cwd: str) -> tuple[str, str | None]:
    """Path and tag: a path may hold colons, so what exists decides."""
    text = text[2:] if text.startswith("//") and not os.path.lexists(os.path.join(cwd, text)) else text
    path, colon, last = text.partition(":")
    while colon and not os.path.lexists(os.path.join(cwd, path)):
        more, colon, last = last.partition(":")
        path = f"{path}:{more}"
    return (path, last or None) if os.path.lexists(os.path.join(cwd, path)) else (text.partition(":")[0], None)


def charliecloud(image: str, words: list[str], environ: Mapping[str, str]) -> str | None:
    """The folder of an image that `ch-run` finds by name in ch-image's storage, or None when there is none."""
    storage = (
        flag_value(words, ("-s", "--storage"))
        or environ.get("CH_IMAGE_STORAGE")
        or f"/var/tmp/{environ.get('USER', '')}.ch"
    )
    path = os.path.join(storage, "img", image.replace("/", "%").replace(":", "+"))
    return path if os.path.isabs(path) and os.path.isdir(path) else None
