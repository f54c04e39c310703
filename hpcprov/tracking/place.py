"""Which rank of which launch is this process, and what is its run called? The rules are the launcher's (place.c,
docs/launcher.md): all ranks of one launch come to the same run id, and nobody has to speak with anybody.

    place = find(os.environ)
    place.rank, place.size, place.run_id   ->  3, 4, "mpi-n1-4711-812345.0"
"""

from __future__ import annotations

import os
import re
import struct
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hpcprov.agent import starts

if TYPE_CHECKING:
    from collections.abc import Mapping

# The first row whose rank variable is set wins: launcher, rank, size, local rank, local size, only with.
LAUNCHERS = (
    *(
        (name, f"{prefix}_RANK", f"{prefix}_SIZE", f"{prefix}_LOCAL_RANK", f"{prefix}_LOCAL_SIZE", None)
        for name, prefix in (("openmpi", "OMPI_COMM_WORLD"), ("mvapich", "MV2_COMM_WORLD"))
    ),
    ("mpich", "PMI_RANK", "PMI_SIZE", "MPI_LOCALRANKID", "MPI_LOCALNRANKS", "PMI_SIZE"),
    ("slurm", "SLURM_PROCID", "SLURM_STEP_NUM_TASKS", "SLURM_LOCALID", None, "SLURM_STEP_ID"),
    ("pmix", "PMIX_RANK", None, None, None, "PMIX_NAMESPACE"),
)
# Processes that start ranks; the kernel keeps 15 bytes of a name.
LAUNCHING = frozenset(
    name[:15]
    for name in (
        *("hydra_pmi_proxy", "slurmstepd", "orted", "prted", "prterun", "mpiexec", "mpirun", "orterun", "palsd"),
        *("flux-shell", "mpispawn", "pbs_demux", "mpiexec.hydra", "pmi_proxy", "jsrund", "hydra_bstrap_p"),
    )
)
NONE = "none"
DEEPEST = 32  # ancestors
LONGEST = 116  # characters of a run id without the count
ENTRY = struct.Struct("=iiq")  # of a launch's counter: rank, pid, ticks


@dataclass(frozen=True)
class Place:
    """One process as a rank; sizes are -1 where nobody tells. `launch` is `<ticks>-<pid>` of what started the ranks."""

    launcher: str
    rank: int
    size: int
    local_rank: int
    local_size: int
    nodes: int | None
    node: str
    launch: str
    n: int
    run_id: str


def find(environ: Mapping[str, str], *, again: int = 0) -> Place:
    """The place of this process, as a new start. `again`: how many runs the process has made of itself before."""
    launcher, rank, size, local_rank, local_size = ranked(environ)
    node = node_name(environ)
    nodes = 1 if size > 0 and local_size == size else None
    by = launching(os.getpid()) if launcher != NONE else None
    pid, ticks = by[:2] if by else (os.getpid(), starts.own_ticks() or 0)
    n = count_starts(rank, pid, ticks) if by else again
    common = (launcher, rank, size, local_rank, local_size, nodes, node, f"{ticks}-{pid}", n)
    if launcher == NONE:
        return Place(*common, new_id())
    text = plain(launch_name(environ, launcher, node, by, one_node=nodes == 1))
    return Place(*common, f"{shortened(text)}.{n}")


def ranked(environ: Mapping[str, str]) -> tuple[str, int, int, int, int]:
    """Launcher, rank, size, local rank and local size."""
    for launcher, rank, size, local_rank, local_size, only_with in LAUNCHERS:
        if number(environ, rank) >= 0 and (only_with is None or only_with in environ):
            told = [number(environ, name) for name in (rank, size, local_rank, local_size)]
            if launcher == "slurm" and told[1] < 0:
                told[1] = number(environ, "SLURM_NTASKS")
            if told[2] < 0:
                told[2] = number(environ, "SLURM_LOCALID")
            return launcher, told[0], told[1], told[2], told[3]
    return NONE, 0, 1, 0, 1


def number(environ: Mapping[str, str], name: str | None) -> int:
    text = environ.get(name, "") if name else ""
    return int(text) if text.isascii() and text.isdigit() and len(text) < 10 else -1


def launching(pid: int) -> tuple[int, int, str] | None:
    """Process id, start time and name of the nearest ancestor that starts ranks."""
    for _ in range(DEEPEST):
        found = stat_of(pid)
        if found is None or found[0] <= 1:
            return None
        pid = found[0]
        above = stat_of(pid)
        if above is not None and above[2] in LAUNCHING:
            return pid, above[1], above[2]
    return None


def stat_of(pid: int) -> tuple[int, int, str] | None:
    """Parent, start time (clock ticks since boot) and name of a process. Source: proc_pid_stat(5)."""
    try:
        with open(f"/proc/{pid}/stat", "rb") as file:
            head, _, tail = file.read().rpartition(b")")
        fields = tail.split()
        return int(fields[1]), int(fields[19]), head.partition(b"(")[2].decode("ascii", "replace")
    except (OSError, IndexError, ValueError):
        return None


def launch_name(
    environ: Mapping[str, str], launcher: str, node: str, by: tuple[int, int, str] | None, *, one_node: bool
) -> str:
    """What the ranks of this launch share."""
    space = environ.get("PMIX_NAMESPACE", "")
    by_hydra = by is not None and by[2].startswith(("hydra", "pmi_proxy"))
    by_slurm = "SLURM_STEP_ID" in environ and not by_hydra and launcher != "openmpi"
    if by_slurm or space.startswith("slurm.pmix."):
        return slurm_name(environ, step=True)
    job = f"{slurm_name(environ, step=False)}." if "SLURM_JOB_ID" in environ else ""
    process = f"mpi-{node[:40]}-{by[0]}-{by[1]}" if by else f"mpi-{node[:40]}-session{os.getsid(0)}"
    if by is None or one_node:
        return f"{job}mpi-{space}" if space and by is None else job + process
    return f"{job}mpi-{space}" if space else f"{job}{control_port(by[0]) or process}"


def slurm_name(environ: Mapping[str, str], *, step: bool) -> str:
    names = ("SLURM_HET_JOB_ID", "SLURM_JOB_ID", "SLURM_JOBID")
    job = next((environ[name] for name in names if name in environ), "0")
    found = f"slurm-{environ.get('SLURM_CLUSTER_NAME', 'cluster')[:64]}-{job[:40]}"
    if step and "SLURM_STEP_ID" in environ:
        found += f".{environ['SLURM_STEP_ID'][:40]}"
    restarts = number(environ, "SLURM_RESTART_COUNT")
    return f"{found}-r{restarts}" if restarts > 0 else found


def control_port(pid: int) -> str | None:
    """`mpi-HOST:PORT` of hydra's mpiexec, from the command line of its proxy."""
    try:
        with open(f"/proc/{pid}/cmdline", "rb") as file:
            words = file.read(2048).split(b"\0")
        return f"mpi-{os.fsdecode(words[words.index(b'--control-port') + 1])}"
    except (OSError, ValueError, IndexError):
        return None


def plain(name: str) -> str:
    """Only what may stand in the names of files and runs."""
    name = re.sub(r"[^A-Za-z0-9._-]", "_", name)
    name = re.sub(r"^[.-]", "_", name)
    return re.sub(r"[.](?=[.]|$)", "_", name)


def shortened(name: str) -> str:
    """A name that is too long keeps its beginning; a digest of the whole keeps it apart from others."""
    from hashlib import sha256

    if len(name) <= LONGEST:
        return name
    return f"{name[: LONGEST - 17]}-{sha256(name.encode()).hexdigest()[:16]}"


def node_name(environ: Mapping[str, str]) -> str:
    """The node as logs name it: the scheduler's name, else the host's."""
    return plain((environ.get("SLURMD_NODENAME") or os.uname().nodename[:64] or "unknown")[:200])


def new_id() -> str:
    """`<UTC time>-<8 hexadecimal digits>`: a run of one process."""
    return f"{time.strftime('%Y%m%dT%H%M%SZ', time.gmtime())}-{os.urandom(4).hex()}"


def count_starts(rank: int, pid: int, ticks: int) -> int:
    """This rank's earlier starts in the launch, by the counter that launchers keep, too: each appends itself."""
    directory = counters()
    if directory is None:
        return 0
    name = f"{plain(starts.pid_namespace())}-{pid}-{ticks}"
    own = ENTRY.pack(rank, os.getpid(), starts.own_ticks() or 0)
    try:
        flags = os.O_RDWR | os.O_CREAT | os.O_APPEND | os.O_NOFOLLOW | os.O_CLOEXEC
        with open(os.open(os.path.join(directory, name), flags, 0o600), "r+b", buffering=0) as file:
            file.write(own)
            file.seek(0)
            data = file.read()
    except OSError:
        return 0
    entries = [data[at : at + ENTRY.size] for at in range(0, len(data) - ENTRY.size + 1, ENTRY.size)]
    last = max(at for at, entry in enumerate(entries) if entry == own)
    return sum(ENTRY.unpack(entry)[0] == rank for entry in entries[:last])


def counters() -> str | None:
    """A directory of our own for counters: never one that somebody else could have made."""
    for place in starts.PLACES:
        path = f"{place}/hpcprov-{os.geteuid()}"
        try:
            os.makedirs(path, mode=0o700, exist_ok=True)
            facts = os.lstat(path)
        except OSError:
            continue
        if facts.st_uid == os.geteuid() and facts.st_mode & 0o170077 == 0o040000:
            return path
    return None
