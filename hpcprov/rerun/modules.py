"""Environment modules loaded again: in a shell of their own, whose environment is then that of the rerun.

loaded(["gcc/13.1", "hdf5/1.14"], environ)   ->  environ as it is after `module purge; module load gcc/13.1 ...`
"""

from __future__ import annotations

import os

from hpcprov.capture.program import ask, find_program
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

SECONDS = 60.0
# Where the module systems leave what a shell reads to know them: (variable, path below it), then fixed places.
BELOW = (("MODULESHOME", "init/bash"), ("LMOD_PKG", "init/bash"))
FIXED = (
    *("/usr/share/modules/init/bash", "/usr/share/Modules/init/bash", "/usr/share/lmod/lmod/init/bash"),
    *("/etc/profile.d/lmod.sh", "/etc/profile.d/modules.sh"),
)
#: The names of the modules are arguments: nothing in them is read by the shell.
SCRIPT = """
. "$1" >/dev/null 2>&1 || exit 3
shift
module purge >/dev/null 2>&1
for name in "$@"; do
    module load "$name" >/dev/null || exit 4
    case ":$LOADEDMODULES:" in *":$name:"*) ;; *) echo "$name was not loaded" >&2; exit 5 ;; esac
done
exec env -0
"""


class NotLoadable(HpcprovError):
    """The recorded modules cannot be loaded here."""


def loaded(names: list[str], environ: Mapping[str, str]) -> dict[str, str]:
    """The environment with these modules, and no others, loaded in order. `environ` is the recorded one: which module
    system there is, this machine says. Raises NotLoadable."""
    start = next(_starts(os.environ), None)
    shell = find_program("bash", os.environ)
    if start is None or shell is None:
        raise NotLoadable("no module system is found here, neither by MODULESHOME nor in its usual places")
    try:
        output = ask(
            [shell, "--noprofile", "--norc", "-c", SCRIPT, shell, start, *names], environ=environ, timeout=SECONDS
        )
    except HpcprovError as error:
        raise NotLoadable(f"modules cannot be loaded: {error.message}") from error
    pairs = (item.partition(b"=") for item in output.split(b"\0") if b"=" in item)
    return {os.fsdecode(name): os.fsdecode(value) for name, _, value in pairs}


def _starts(environ: Mapping[str, str]) -> Iterator[str]:
    below = [os.path.join(environ[name], inner) for name, inner in BELOW if environ.get(name)]
    return (path for path in [*below, *FIXED] if os.path.isfile(path))
