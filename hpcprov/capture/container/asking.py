"""Images that only their runtime knows: podman and docker tell ids and digests, apptainer where an instance's image is.

    inspected(["podman", "--log-level=error", "run", "debian:12"], "debian:12", environ)
    == {"identity": {"digest": "sha256:9c1f...", "of": "OCI manifest", "config": "sha256:77aa..."}, "labels": {...}}

The program that the run called is asked, with its own global flags, for at most a few seconds, when the run has ended.
Of a record, which may be another user's, nothing is run: whoever settles it gives the program's name alone.
Sources: podman-image-inspect(1), `docker image inspect`, `apptainer instance list --json`.
"""

from __future__ import annotations

import json
import os

from hpcprov.capture import program
from hpcprov.capture.container.inner import kept
from hpcprov.capture.container.oci import DIGEST
from hpcprov.capture.container.runtimes import RUNTIMES, operand
from hpcprov.capture.container.wrappers import unwrap
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

ENGINES = ("podman", "docker", "nerdctl")
PROGRAMS = (*ENGINES, "apptainer", "singularity")
PATIENCE = 5.0  # s, at the end of a run, which waits for it
NO_ANSWER = "{} image inspect gave no digest"


def inspected(argv: Sequence[str], image: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Identity and labels of an image that the engine in `argv` has. Raises ProgramFailed, UnreadableData."""
    words = unwrap(argv)
    name = os.path.basename(words[0]) if words else ""
    if name not in ENGINES:
        raise UnreadableData(f"{name or 'nothing'!a} is no program to ask")
    begin = 1 + operand(words[1:], RUNTIMES[name]["global_flags"])
    command = [*words[:begin], "image", "inspect", "--", image]
    return parse_inspect(program.ask(command, environ=environ, timeout=PATIENCE), name)


def parse_inspect(answer: bytes, name: str) -> dict[str, Any]:
    """What `image inspect` printed: the manifest's digest where the engine has one, else the configuration's, its id.
    Raises UnreadableData."""
    try:
        value = json.loads(answer)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"{name} image inspect: {error}") from error
    facts = value[0] if type(value) is list and value and type(value[0]) is dict else {}
    config = digest_in(facts.get("Id"))
    repositories = facts.get("RepoDigests")
    named = [digest_in(text) for text in repositories] if type(repositories) is list else []
    manifest = digest_in(facts.get("Digest")) or next(filter(None, named), None)
    if not manifest and not config:
        raise UnreadableData(NO_ANSWER.format(name))
    identity = {"digest": manifest or config, "of": "OCI manifest" if manifest else "OCI configuration"}
    identity |= {"config": config} if config else {}
    inner = facts.get("Config")
    labels = facts.get("Labels") or (inner.get("Labels") if type(inner) is dict else None)
    return {"identity": identity} | ({"labels": kept(labels)} if type(labels) is dict else {})


def digest_in(text: Any) -> str | None:
    """`sha256:...` from an id (podman's have no prefix) or a `name@sha256:...`; None for anything else."""
    found = str(text).rpartition("@")[2]
    found = found if ":" in found else f"sha256:{found}"
    return found if DIGEST.fullmatch(found) else None


def instance_image(argv: Sequence[str], image: str, environ: Mapping[str, str]) -> str:
    """The path of the image of a running `instance://name`. Raises ProgramFailed, UnreadableData."""
    words, name = unwrap(argv), image.partition("://")[2]
    if not words or os.path.basename(words[0]) not in PROGRAMS:
        raise UnreadableData("there is no program to ask")
    answer = program.ask([words[0], "instance", "list", "--json", "--", name], environ=environ, timeout=PATIENCE)
    try:
        found = json.loads(answer)["instances"]
        paths = {one["img"] for one in found if one["instance"] == name}
    except (ValueError, KeyError, TypeError, RecursionError) as error:
        raise UnreadableData(f"{words[0]} instance list: {error}") from error
    if len(paths) != 1:
        raise UnreadableData(f"no instance named {name!a} runs any more")
    return str(paths.pop())
