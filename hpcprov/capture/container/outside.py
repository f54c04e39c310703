"""The container that a command line starts: which image, by the runtime's own rules for flags.

Flags after the image belong to the command inside, so it is enough to know which flags take a value. Example:

    from_argv(["apptainer", "exec", "-B", "/scratch", "step.sif", "python"], "/home/ada")["image"] == "step.sif"

Sources: `apptainer exec --help` (1.4), podman-run(1), `docker run --help`, ch-run(1), `srun --help`, pyxis's README;
the manuals of the others.
"""

from __future__ import annotations

import os

from hpcprov.capture.container import reference
from hpcprov.capture.container.image import describe
from hpcprov.capture.container.runtimes import RUNTIMES, SRUN, flag_value, operand
from hpcprov.capture.container.wrappers import unwrap

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from hpcprov.capture.container.runtimes import Runtime


def from_argv(argv: Sequence[str], cwd: str, environ: Mapping[str, str] | None = None) -> dict[str, Any] | None:
    """The container that a command starts, or None when it is no known runtime or starts none."""
    for words in ([*argv], unwrap(argv)):
        for name, runtime in called(words):
            fact = started(name, runtime, words, Place(cwd, environ or {}))
            if fact is not None:
                return fact
    return None


def called(words: list[str]) -> list[tuple[str, Runtime]]:
    """The runtimes that a command's first word may mean."""
    name = os.path.basename(words[0]) if words else ""
    if name == "srun":
        return list(SRUN.items())
    return [(name, RUNTIMES[name])] if name in RUNTIMES else []


class Place:
    """Where a command was given: its working directory and environment."""

    def __init__(self, cwd: str, environ: Mapping[str, str]) -> None:
        self.cwd, self.environ = cwd, environ


def started(name: str, runtime: Runtime, words: list[str], place: Place) -> dict[str, Any] | None:
    """The container that this runtime starts with that command line, or None."""
    action, rest = subcommand(words[1:], runtime)
    if action is None:
        return None
    found = named(rest, runtime)
    if found is None and runtime["needed"]:
        return None
    fact: dict[str, Any] = {"runtime": name, "how": "argv"} | ({"action": action} if action else {})
    if not found:
        return fact | {"image": "unknown", "reason": "the command line names no image"}
    return fact | {"image": found} | state(found, name, runtime, words, place)


def subcommand(args: list[str], runtime: Runtime) -> tuple[str | None, list[str]]:
    """The action (`exec`, `instance start`, empty for runtimes without) and what follows; None for any other action."""
    if not runtime["actions"]:
        return "", args
    rest = args[operand(args, runtime["global_flags"]) :]
    for action in runtime["actions"]:
        words = action.split(" ")
        if rest[: len(words)] == words:
            return action, rest[len(words) :]
    return None, []


def named(args: list[str], runtime: Runtime) -> str | None:
    """The image that the arguments after the action name, or None."""
    index = operand(args, runtime["flags"])
    if runtime["image_flags"]:
        return flag_value(args[:index], runtime["image_flags"])
    return args[index] if index < len(args) else None


def state(image: str, name: str, runtime: Runtime, words: list[str], place: Place) -> dict[str, Any]:
    """What can be said at once of an image: the state of its file or folder, or whom to ask for it later."""
    if name in ("apptainer", "singularity") and (scheme := reference.scheme(image)):
        path = reference.archive(image, place.cwd)
        return {"transport": scheme} | (describe(path) if path is not None else {})
    if is_path(image, runtime, place.cwd):
        return describe(os.path.join(place.cwd, image))
    if name == "ch-run" and (path := reference.charliecloud(image, words, place.environ)) is not None:
        return describe(path)
    return {}


def is_path(image: str, runtime: Runtime, cwd: str) -> bool:
    """Whether an image reference is a file or folder here: `docker://debian` and, for podman, `debian:12` are not."""
    if "://" in image or not runtime["files"]:
        return False
    return runtime["files"] == "always" or "/" in image or os.path.exists(os.path.join(cwd, image))
