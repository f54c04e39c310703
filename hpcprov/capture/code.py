"""The code of a run: git's view of its working directory and of the script that its command runs.

    {"directory": {"path": "/home/ada/model", "git": {"root": "/home/ada/model", "commit": "3f1c...", "dirty": False}},
     "script": {"path": "/home/ada/model/solve.py", "sha256": "9b0e...", "size": 2210, "git": {...}}}

The script is the first argument that is a file, when the command is an interpreter; else the command's own file.
"""

from __future__ import annotations

import os

from hpcprov.capture.program import find_program
from hpcprov.capture.reading import digest_file, explain
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

TIMEOUT = 20.0
SCRIPT_LIMIT = 64 << 20
# Interpreters: the start of their name, flags that take the next argument, flags after which no script comes.
INTERPRETERS: tuple[tuple[str, tuple[str, ...], tuple[str, ...]], ...] = (
    ("python", ("-W", "-X", "--check-hash-based-pycs"), ("-c", "-m")),
    ("pypy", ("-W", "-X"), ("-c", "-m")),
    ("ipython", (), ("-c", "-m")),
    ("bash", ("-o", "+o", "-O", "+O", "--rcfile", "--init-file"), ("-c",)),
    ("dash", ("-o", "+o"), ("-c",)),
    ("zsh", ("-o", "+o"), ("-c",)),
    ("ksh", ("-o", "+o"), ("-c",)),
    ("sh", ("-o", "+o"), ("-c",)),
    ("csh", (), ("-c",)),
    ("tcsh", (), ("-c",)),
    ("Rscript", (), ("-e",)),
    ("R", (), ("-e",)),
    ("julia", ("-C", "-J", "-t", "-p", "-L", "--threads"), ("-e", "-E")),
    ("perl", ("-I",), ("-e", "-E")),
    ("ruby", ("-I", "-r"), ("-e",)),
    ("node", ("-r", "--require"), ("-e", "-p")),
    ("lua", ("-l",), ("-e",)),
    ("octave", ("--path", "-p"), ("--eval",)),
    ("ncl", (), ()),
    ("gnuplot", (), ("-e",)),
    ("tclsh", (), ()),
    ("java", ("-cp", "-classpath", "--class-path", "-p", "--module-path"), ("-m", "--module")),
)


def collect(argv: Sequence[str], cwd: str, environ: Mapping[str, str], *, timeout: float = TIMEOUT) -> dict[str, Any]:
    """Code facts of a command in its working directory. `timeout`: seconds for all of git. Raises OSError."""
    from hpcprov.capture import git

    asked: dict[str, dict[str, Any]] = {}

    def repository(path: str) -> dict[str, Any]:
        folder = git.working_folder(path)
        if folder not in asked:
            asked[folder] = known_root(folder, asked) or git.describe(folder, environ, timeout=timeout / 2)
        return asked[folder]

    script = describe_script(argv, cwd, environ)
    directory = {"path": cwd, "git": repository(cwd)}
    return {
        "directory": directory,
        "script": script | ({"git": repository(script["path"])} if "path" in script else {}),
    }


def known_root(folder: str, asked: Mapping[str, dict[str, Any]]) -> dict[str, Any] | None:
    """Facts already had of the working tree that a folder lies in, with no other tree in between."""
    roots = {facts["root"]: facts for facts in asked.values() if "root" in facts and "reason" not in facts}
    while folder not in roots:
        if os.path.lexists(os.path.join(folder, ".git")) or folder == os.path.dirname(folder):
            return None
        folder = os.path.dirname(folder)
    return roots[folder]


def describe_script(argv: Sequence[str], cwd: str, environ: Mapping[str, str]) -> dict[str, Any]:
    """Path (absolute), SHA-256 and size of the script of a command, or why there is none."""
    try:
        path = find_script(list(argv), cwd, environ)
        digest, size = digest_file(path, SCRIPT_LIMIT)
    except HpcprovError as error:
        return {"reason": str(error)}
    except OSError as error:
        return {"reason": f"{error.filename!r}: {explain(error)}"}
    return {"path": path, "sha256": digest, "size": size}


def find_script(argv: list[str], cwd: str, environ: Mapping[str, str]) -> str:
    """The absolute path of the file that a command runs. Raises HpcprovError when it runs none."""
    if not argv:
        raise HpcprovError("the command is empty")
    interpreter = find_interpreter(argv[0])
    if interpreter is None:
        return find_command(argv[0], cwd, environ)
    argument = script_argument(argv, *interpreter[1:])
    path = os.path.normpath(os.path.join(cwd, argument))
    if not os.path.isfile(path):
        raise HpcprovError(f"{argument!r} is not a file")
    return path


def find_interpreter(command: str) -> tuple[str, tuple[str, ...], tuple[str, ...]] | None:
    """The row of INTERPRETERS that a command is: `python`, `python3`, `python3.13t`, but not `pythonize`; else None."""
    name = os.path.basename(command)
    return next((row for row in INTERPRETERS if name.startswith(row[0]) and is_version(name[len(row[0]) :])), None)


def is_version(text: str) -> bool:
    """Whether the rest of an interpreter's name is a version, such as `3.13t`, or empty."""
    return not text.removesuffix("t").strip("0123456789.-") and text != "t"


def script_argument(argv: list[str], valued: tuple[str, ...], inline: tuple[str, ...]) -> str:
    """An interpreter's first argument that is no flag. Raises HpcprovError when it is told otherwise what to run."""
    index = 1
    while index < len(argv) and argv[index].startswith(("-", "+")):
        flag = argv[index]
        if flag == "--":
            index += 1
            break
        if flag == "-" or (not has_value(flag, valued) and any(is_inline(flag, name) for name in inline)):
            raise HpcprovError(f"the command gives its program with {flag}, not as a file")
        index += 2 if flag in valued else 1
    if index >= len(argv):
        raise HpcprovError(f"{argv[0]} is given no script")
    return argv[index]


def has_value(flag: str, valued: tuple[str, ...]) -> bool:
    """Whether a flag is one with a value, attached (`-Wignore`) or not."""
    return any(flag == name or (len(name) == 2 and flag.startswith(name)) for name in valued)


def is_inline(flag: str, name: str) -> bool:
    """Whether a flag is `name`: alone, last in a group, as `-c` in `-lc`, or with its value attached, as in `-mpdb`."""
    if len(name) != 2 or flag.startswith("--"):
        return flag == name
    return flag.startswith(name) or (flag[1:].isalpha() and flag.endswith(name[1]))


def find_command(command: str, cwd: str, environ: Mapping[str, str]) -> str:
    """The file that execvp(3) would run. Raises HpcprovError."""
    found = os.path.join(cwd, command) if "/" in command else find_program(command, environ)
    if found is None or not os.path.isfile(found):
        raise HpcprovError(f"the command {command!r} was not found")
    return os.path.normpath(found)
