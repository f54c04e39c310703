"""The scripts that command lines name: the user's code, whatever the files are called.

    script_paths(programs)  ->  frozenset({b"/home/ada/run/solve"})    of `python solve` in /home/ada/run

An interpreter is known by its name (capture/code.py).
"""

from __future__ import annotations

import os

from hpcprov.capture.code import find_interpreter, script_argument
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.capture.observed.programs import Programs


def script_paths(programs: Programs) -> frozenset[bytes]:
    """Absolute paths of the scripts of all programs that are interpreters."""
    found = (script_path(argv, cwd) for argv, cwd in programs.scripts())
    return frozenset(os.fsencode(path) for path in found if path is not None)


def script_path(argv: list[str], cwd: str) -> str | None:
    """The file that an interpreter is told to run; None for other programs."""
    interpreter = find_interpreter(argv[0]) if argv else None
    if interpreter is None:
        return None
    try:
        return os.path.normpath(os.path.join(cwd, script_argument(argv, *interpreter[1:])))
    except HpcprovError:
        return None
