"""Which rank of an MPI launch is this process? From the launcher's variables, before MPI is initialised.

The rows are those of `launchers` in launcher/place.c (a test compares them): the first whose rank variable is set wins,
since inside an allocation mpiexec's ranks also carry the SLURM_PROCID of the daemon that started them.

>>> place_of({"PMI_RANK": "1", "PMI_SIZE": "4"})
Place(launcher='mpich', rank=1, size=4)
"""

from __future__ import annotations

from typing import NamedTuple

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

#: launcher, rank, size, and a variable that must be there too
LAUNCHERS = (
    ("openmpi", "OMPI_COMM_WORLD_RANK", "OMPI_COMM_WORLD_SIZE", None),
    ("mvapich", "MV2_COMM_WORLD_RANK", "MV2_COMM_WORLD_SIZE", None),
    ("mpich", "PMI_RANK", "PMI_SIZE", "PMI_SIZE"),
    ("slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_STEP_ID"),
    ("pmix", "PMIX_RANK", None, "PMIX_NAMESPACE"),
)
LARGEST = 2**31 - 1


class Place(NamedTuple):
    """A process's launcher, rank and number of ranks; the number is None where the launcher does not tell."""

    launcher: str
    rank: int
    size: int | None


ALONE = Place("none", 0, 1)


def place_of(environ: Mapping[str, str]) -> Place:
    """The place that the environment tells; `ALONE` outside of any launch."""
    for launcher, rank_name, size_name, with_name in LAUNCHERS:
        rank = _number(environ.get(rank_name))
        if rank is None or (with_name is not None and with_name not in environ):
            continue
        size = _number(environ.get(size_name)) if size_name is not None else None
        if size is None and launcher == "slurm":
            size = _number(environ.get("SLURM_NTASKS"))
        return Place(launcher, rank, size)
    return ALONE


def _number(text: str | None) -> int | None:
    if text is None or not (text.isascii() and text.isdigit()) or len(text) > 10 or int(text) > LARGEST:
        return None
    return int(text)
