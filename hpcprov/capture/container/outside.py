"""The container that a command line starts: which image, by the runtime's own rules for flags.

Flags after the image belong to the command inside, so it is enough to know which flags take a value. Example:

    from_argv(["apptainer", "exec", "-B", "/scratch", "step.sif", "python"], "/home/ada")["image"] == "step.sif"

Sources: `apptainer exec --help` (1.4), podman-run(1), `docker run --help`, ch-run(1); the manuals of the others.
"""

from __future__ import annotations

import os

from hpcprov.capture.container.image import describe
from hpcprov.capture.container.runtimes import RUNTIMES

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence
    from typing import Any

    from hpcprov.capture.container.runtimes import Flags, Runtime


def from_argv(argv: Sequence[str], cwd: str) -> dict[str, Any] | None:
    """The container that a command starts, or None when it is no known runtime or starts none."""
    runtime = RUNTIMES.get(os.path.basename(argv[0])) if argv else None
    if runtime is None:
        return None
    action, rest = subcommand(list(argv[1:]), runtime)
    if action is None:
        return None
    fact: dict[str, Any] = {"runtime": os.path.basename(argv[0]), "how": "argv"} | (
        {"action": action} if action else {}
    )
    return fact | image(rest, runtime, cwd)


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


def operand(args: list[str], flags: Flags) -> int:
    """Index of the first argument that is neither a flag nor a flag's value; the length when there is none."""
    index = 0
    while index < len(args):
        argument = args[index]
        if argument == "--":
            return index + 1
        if argument == "-" or not argument.startswith("-"):
            return index
        index += 1 + takes_next(argument, flags)
    return len(args)


def takes_next(argument: str, flags: Flags) -> bool:
    """Whether a flag, or a group of short ones such as `-CeW`, has its value in the next argument."""
    if argument.startswith("--"):
        return "=" not in argument and flags(argument)
    for place, letter in enumerate(argument[1:], 1):
        if letter == "=":
            return False
        if flags("-" + letter):
            return place == len(argument) - 1
    return False


def image(args: list[str], runtime: Runtime, cwd: str) -> dict[str, Any]:
    """The image named by the arguments after the action, with the state of its file when it is one."""
    index = operand(args, runtime["flags"])
    named = flag_value(args[:index], runtime["image_flags"])
    reference = named or (args[index] if index < len(args) and not runtime["image_flags"] else None)
    if not reference:
        return {"image": "unknown", "reason": "the command line names no image"}
    return {"image": reference} | (describe(os.path.join(cwd, reference)) if is_path(reference, runtime, cwd) else {})


def flag_value(args: list[str], names: tuple[str, ...]) -> str | None:
    """The last value given to one of these flags, as `--image=X`, `--image X` or `-i X`."""
    found = None
    for place, argument in enumerate(args):
        name, equals, value = argument.partition("=")
        if name in names:
            found = value if equals else next(iter(args[place + 1 : place + 2]), None)
    return found


def is_path(reference: str, runtime: Runtime, cwd: str) -> bool:
    """Whether an image reference is a file or folder here: `docker://debian` and, for podman, `debian:12` are not."""
    if "://" in reference or not runtime["files"]:
        return False
    return runtime["files"] == "always" or "/" in reference or os.path.exists(os.path.join(cwd, reference))
