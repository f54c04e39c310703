"""MPI ranks that do not know of each other: srun started them without telling MPI, and each is a world of its own.

    apart({"launcher": "slurm", "size": 4}, {}, executables=["/usr/bin/app"], libraries=["/usr/lib/libmpi.so.40"])
    ->  "srun told MPI nothing of its 4 tasks, and libmpi.so.40 was loaded: if it was used, each task is a world ..."

Such a job ends with status 0, and every task has computed the same. Whether MPI was initialised cannot be seen from
outside, so the text asks. Programs that bring an mpiexec of their own are left out.
"""

from __future__ import annotations

import os

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping
    from typing import Any

# What a launcher tells MPI; Slurm's own variables are not read by it.
TOLD = ("PMI_RANK", "PMI_FD", "PMIX_RANK", "PMIX_NAMESPACE", "OMPI_COMM_WORLD_SIZE", "MV2_COMM_WORLD_SIZE")
LIBRARIES = ("libmpi.so", "libmpich.so", "libmpi_cray.so", "libmpifort.so", "libpsmpi.so")
LAUNCHERS = ("mpiexec", "mpirun", "orterun", "prterun", "prte", "hydra_pmi_proxy")


def apart(
    start: Mapping[str, Any], environ: Mapping[str, str], *, executables: Iterable[str], libraries: Iterable[str]
) -> str | None:
    """One line when the tasks of a step could not find each other by MPI, else None.

    `start`: the start event of a rank; `environ`: its environment; paths of what the node's processes ran and loaded.
    """
    size = start.get("size")
    if start.get("launcher") != "slurm" or not isinstance(size, int) or size < 2 or any(map(environ.get, TOLD)):
        return None
    if any(os.path.basename(path).startswith(LAUNCHERS) for path in executables):
        return None
    loaded = next((name for name in map(os.path.basename, libraries) if name.startswith(LIBRARIES)), None)
    if loaded is None:
        return None
    return (
        f"srun told MPI nothing of its {size} tasks, and {loaded} was loaded: if it was used, each task is a world of "
        "its own (srun --mpi=pmi2 for MPICH, --mpi=pmix for Open MPI; srun --mpi=list)"
    )
