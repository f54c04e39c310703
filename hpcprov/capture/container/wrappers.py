"""Programs that start another one, so that `env A=1 nice apptainer exec x.sif app` is found to start x.sif.

    unwrap(["env", "A=1", "nice", "-n", "5", "apptainer", "exec", "x.sif"]) == ["apptainer", "exec", "x.sif"]

Only what is plain is followed: a shell's command line that is one simple command, no option that changes what runs.
Sources: the manuals of coreutils, util-linux, numactl(8), time(1), `srun --help`.
"""

from __future__ import annotations

import os

from hpcprov.capture.container.runtimes import SRUN_PLAIN, operand, plain, valued

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    from hpcprov.capture.container.runtimes import Flags

MOST = 16  # wrappers around wrappers
# Flags, and how many operands stand before the command.
WRAPPERS: dict[str, tuple[Flags, int]] = {
    "env": (valued("-u --unset -C --chdir --argv0 -a"), 0),
    "time": (valued("-f --format -o --output"), 0),
    "nice": (valued("-n --adjustment"), 0),
    "ionice": (valued("-c --class -n --classdata -p --pid -P --pgid -u --uid"), 0),
    "nohup": (valued(""), 0),
    "setsid": (valued(""), 0),
    "stdbuf": (valued("-i --input -o --output -e --error"), 0),
    "timeout": (valued("-k --kill-after -s --signal"), 1),
    "numactl": (
        valued(
            "-i --interleave -w --weighted-interleave -p --preferred -P --preferred-many -m --membind -N --cpunodebind"
            " -C --physcpubind"
        ),
        0,
    ),
    "taskset": (valued(""), 1),
    "exec": (valued("-a"), 0),
    "srun": (plain(SRUN_PLAIN), 0),
}
SHELLS = ("sh", "bash", "dash", "zsh")
# What may stand outside of quotes in a command line that needs no shell to be understood.
PLAIN = frozenset("ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789_@%+=:,./ -")


def unwrap(argv: Sequence[str]) -> list[str]:
    """The command that the wrappers in `argv` start; `argv` itself when the first word is none."""
    words = list(argv)
    for _ in range(MOST):
        inner = step(words)
        if inner is None:
            return words
        words = inner
    return words


def step(words: list[str]) -> list[str] | None:
    """What one wrapper starts; None when the first word is no wrapper that could be followed."""
    name = os.path.basename(words[0]) if words else ""
    if name in SHELLS:
        return shell_command(words[1:])
    if name not in WRAPPERS or (name == "env" and any(word.startswith(("-S", "--split")) for word in words)):
        return None
    flags, operands = WRAPPERS[name]
    rest = words[1:]
    rest = rest[operand(rest, flags) + operands :]
    while name in ("env", "exec") and rest and is_assignment(rest[0]):
        rest = rest[1:]
    return rest or None


def shell_command(args: list[str]) -> list[str] | None:
    """The words of `-c 'a simple command'`; None for scripts and for whatever needs a shell to be understood."""
    import shlex

    if len(args) < 2 or args[0] not in ("-c", "-ec", "-lc") or not is_simple(args[1]):
        return None
    words = shlex.split(args[1])
    while words and is_assignment(words[0]):
        words = words[1:]
    return words or None


def is_assignment(word: str) -> bool:
    """`NAME=value`, as the shell and env take it."""
    name, equals, _ = word.partition("=")
    return bool(equals) and name.isascii() and name.isidentifier()


def is_simple(text: str) -> bool:
    """Whether a command line is plain words, some in quotes: no expansion, redirection or second command."""
    quote = ""
    for letter in text:
        if quote:
            if letter != quote and quote == '"' and letter in "$`\\":
                return False
            quote = "" if letter == quote else quote
        elif letter in ("'", '"'):
            quote = letter
        elif letter not in PLAIN:
            return False
    return not quote
