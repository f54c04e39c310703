"""The container that a process is in, from the marks that runtimes leave: files first, then variables.

Variables leak out of containers (and into jobs that one submits), so a runtime that leaves a file is believed only with
it. Example: `{"runtime": "apptainer", "how": "inside", "sign": "file", "image": "/data/step.sif", "name": "step.sif"}`.

Sources: apptainer's "Environment and Metadata", podman-run(1) on /run/.containerenv, ch-run(1), sbatch(1), Shifter's
manual, pyxis's README (its variables ask for an image; nothing inside says that one was got).
"""

from __future__ import annotations

import os

from hpcprov.capture.cgroup import unescape
from hpcprov.capture.container.image import describe
from hpcprov.capture.reading import read_text
from hpcprov.capture.redact import scrub_word

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping
    from typing import Any

PYXIS = ("SLURM_SPANK__SLURM_SPANK_OPTION_pyxis_container_image", "PYXIS_CONTAINER_IMAGE")
SHIFTER = ("SHIFTER_IMAGEREQUEST", "SLURM_SPANK_SHIFTER_IMAGEREQUEST", "SHIFTER_IMAGE")
# Runtime; file that must be there (or None); variables of which one must be set (or none); those that name the image.
MARKS: tuple[tuple[str, str | None, tuple[str, ...], tuple[str, ...]], ...] = (
    ("apptainer", ".singularity.d", ("APPTAINER_CONTAINER",), ("APPTAINER_CONTAINER",)),
    ("singularity", ".singularity.d", ("SINGULARITY_CONTAINER",), ("SINGULARITY_CONTAINER",)),
    ("apptainer", ".singularity.d", (), ()),
    ("charliecloud", None, ("CH_RUNNING",), ()),
    ("shifter", None, ("SHIFTER_IMAGEREQUEST", "SHIFTER_IMAGE"), SHIFTER),
    ("podman", "run/.containerenv", (), ()),
    ("docker", ".dockerenv", (), ()),
    ("pyxis", None, PYXIS, PYXIS),
    ("slurm", None, ("SLURM_CONTAINER",), ("SLURM_CONTAINER",)),
    ("kubernetes", "run/secrets/kubernetes.io", (), ()),
)
# Which variable tells the container's name, and which the image's id.
NAME_VARIABLES = {"apptainer": "APPTAINER_NAME", "singularity": "SINGULARITY_NAME", "slurm": "SLURM_CONTAINER_ID"}
ID_VARIABLES = {"shifter": "SHIFTER_IMAGE"}
LONGEST = 4096  # of a name
NO_NAME = "the runtime does not tell its image inside the container"
ONLY_ASKED = "a variable that may come from outside the container says so, and nothing else"


def inside(environ: Mapping[str, str], root: str = "/", *, mountinfo: str | None = None) -> dict[str, Any] | None:
    """The innermost container around a process with this environment and root, or None.

    `mountinfo`: that file of the process, by default our own below `root`. `sign` is `file` where the runtime's own
    mark was seen, `environment` where only a variable tells of it.
    """
    mounts = mountinfo or os.path.join(root, "proc/self/mountinfo")
    for runtime, mark, signs, names in MARKS:
        if (mark is None or os.path.exists(os.path.join(root, mark))) and (not signs or first(environ, signs)):
            fact: dict[str, Any] = {"runtime": runtime, "how": "inside"}
            fact |= {"sign": "environment" if mark is None else "file"}
            return fact | image(runtime, first(environ, names), root, mounts) | name(runtime, environ)
    return None


def claimed(environ: Mapping[str, str]) -> dict[str, Any] | None:
    """The container that variables alone tell of, when nobody could look for its mark; or None."""
    for runtime, _, signs, names in MARKS:
        found = first(environ, names)
        if found and first(environ, signs):
            fact: dict[str, Any] = {"runtime": runtime, "how": "environment", "sign": "environment"}
            fact["image"] = named(found)
            return fact | {"reason": ONLY_ASKED} | name(runtime, environ)
    return None


def first(environ: Mapping[str, str], names: tuple[str, ...]) -> str | None:
    """The first of these variables that is set and not empty."""
    return next((environ[name] for name in names if environ.get(name)), None)


def image(runtime: str, told: str | None, root: str, mounts: str) -> dict[str, Any]:
    """The image that a runtime tells: by variable, else by a file of its own, else by the mount of its root."""
    found = told or (podman_image(root) if runtime == "podman" else None)
    found = found or (charliecloud_image(mounts) if runtime == "charliecloud" else None)
    return {"image": named(found)} if found else {"image": "unknown", "reason": NO_NAME}


def named(image: str) -> str:
    """An image's name as it is recorded: a path must be found again, anything else may hold a password."""
    return image if os.path.isabs(image) else scrub_word(image[:LONGEST])


def state(fact: Mapping[str, Any]) -> dict[str, Any]:
    """A fact with the state of its image's file or folder, as far as this process can see it."""
    path = str(fact.get("image"))
    return {**fact, **({"reason": NO_NAME} if path == "unknown" else describe(path) if os.path.isabs(path) else {})}


def name(runtime: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """The container's name and the image's id, where the runtime tells them."""
    found = {"name": environ.get(NAME_VARIABLES.get(runtime, "")), "id": environ.get(ID_VARIABLES.get(runtime, ""))}
    return {key: scrub_word(value[:LONGEST]) for key, value in found.items() if value}


def podman_image(root: str) -> str | None:
    """The image from /run/.containerenv, which is empty unless the container is privileged."""
    try:
        return parse_containerenv(read_text(os.path.join(root, "run/.containerenv"))).get("image")
    except OSError:
        return None


def parse_containerenv(text: str) -> dict[str, str]:
    """`image="docker.io/library/debian:12"` and its like, line by line."""
    pairs = (line.partition("=") for line in text.splitlines())
    return {key: value.strip('"') for key, equals, value in pairs if equals}


def charliecloud_image(mounts: str) -> str | None:
    """The host's folder that is mounted as the container's root, from mountinfo."""
    try:
        return root_mount(read_text(mounts))
    except OSError:
        return None


def root_mount(text: str) -> str | None:
    """What the last mount at `/` shows: a folder of its file system, else the device or image it is made from.

    A file system in user space (a squashfs image under ch-run) does not tell."""
    found = None
    for line in text.splitlines():
        left, _, right = line.partition(" - ")
        fields, source = left.split(" "), right.split(" ")
        if len(fields) > 4 and fields[4] == "/" and len(source) > 1:
            found = unescape(fields[3] if fields[3] != "/" else source[1])
    return None if found == "/dev/fuse" else found
