"""The environment of a recorded run: which variables are set again, and which belonged to its launch alone.

settings({"OMP_NUM_THREADS": "4", "PMI_RANK": "0"}, environ)   ->  environ with the former, without the latter
"""

from __future__ import annotations

import re

from hpcprov.capture.redact import is_allowed

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

# Variables that tell a process its place in one launch or job: with the old values a new launch would fail.
OLD_LAUNCH = re.compile(
    r"(PMI|PMIX|OMPI|PRTE|ORTE|MPI_LOCAL|HYDI|MV2_COMM|SLURM|SLURMD|PBS|LSB|LSF|FLUX|PALS|HPCPROV|SGE)_|PMI_|MPI_LOCAL|HYDI"
)
# What a user set to tune a library (or prefixed for the launcher) is no place in a launch.
USERS_OWN = re.compile(r"(OMPI|PMIX|PRTE)_MCA_(?!ess_|orte_|prte_|pmix_|base_env)")
SHELL_OWN = frozenset(("PWD", "OLDPWD", "SHLVL", "_", "IFS", "PPID", "UID", "EUID", "LINENO", "RANDOM"))
NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")
#: Whoever runs it again is at home elsewhere, and has a directory of his own for temporary files.
PERSONAL = frozenset(("HOME", "USER", "LOGNAME", "SHELL", "HOSTNAME", "TMPDIR", "TMP", "TEMP", "SSH_CONNECTION"))


def is_kept(name: str) -> bool:
    """Whether a recorded variable is set for another launch."""
    if NAME.fullmatch(name) is None or name in SHELL_OWN:
        return False
    return USERS_OWN.match(name) is not None or OLD_LAUNCH.match(name) is None


def kept(common: Mapping[str, str]) -> dict[str, str]:
    """The recorded variables that are set again, sorted by name."""
    return {name: common[name] for name in sorted(common) if is_kept(name)}


def settings(common: Mapping[str, str], environ: Mapping[str, str]) -> dict[str, str]:
    """This environment with what was recorded in it, and without what would have been recorded and was not set."""
    recorded = {name: value for name, value in kept(common).items() if name not in PERSONAL}
    stays = {name: value for name, value in environ.items() if not _is_answered(name)}
    return stays | recorded


def _is_answered(name: str) -> bool:
    """Whether the record says of a variable what it was."""
    return is_allowed(name) and name not in PERSONAL and name not in SHELL_OWN and is_kept(name)
