"""Hashing shared out between the ranks of an MPI program: every rank does pieces, rank 0 puts them together.

    comm = world(place_of(os.environ))
    found = share_out(comm, pieces if comm.rank == 0 else None, hand.do)

Pieces are dealt by what they cost (`deal.py`). A rank that fails tells the others, which leave out what is left of that
artifact; nobody waits for work that is not needed. While a rank waits it sleeps: MPI libraries wait by spinning, which
would take the processor from a rank that still computes.
"""

from __future__ import annotations

import os
import time
from typing import NamedTuple

from hpcprov.record.errors import HpcprovError
from hpcprov.signature.deal import deal

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    from hpcprov.signature.launch import Place


#: Tag of messages that say which artifact cannot be read.
FAILED = 1
NAP = 0.002  # s
LONGEST_NAP = 0.05
#: Stands for all artifacts: the rank itself cannot go on.
EVERYTHING = -1


class NoWorld(HpcprovError):
    """MPI does not join the processes that a launcher started."""


class Failure(NamedTuple):
    """Why a rank could not do a piece. `piece` is its number, `at` that of its artifact or EVERYTHING."""

    piece: int
    at: int
    reason: str
    unsigned: bool


class Shared(NamedTuple):
    """What all ranks did: (number of artifact, entry) of each piece, and the failures in the order of the pieces."""

    notes: list[tuple[int, Any]]
    failures: list[Failure]


def world(place: Place) -> Any:
    """MPI's communicator of all ranks, with MPI initialised. Raises NoWorld where mpi4py is missing or belongs to
    another MPI than the launcher."""
    try:
        from mpi4py import MPI
    except (ImportError, RuntimeError) as error:
        text = str(error).strip().splitlines()[0][:300] if str(error).strip() else type(error).__name__
        raise NoWorld(
            f"{_ranks(place)} were launched, but mpi4py cannot be used: {text}",
            hint="pip install 'hpcprov[mpi]' (built for the MPI of your launcher), or launch one process",
        ) from error
    comm = MPI.COMM_WORLD
    if comm.size == 1 and (place.size or 1) > 1:
        library = " ".join(MPI.Get_library_version().split("\n")[0].split(",")[0].strip("\0").split())[:60]
        raise NoWorld(
            f"{_ranks(place)} were launched, but each is alone in its MPI world: mpi4py here uses {library}",
            hint="start it with the mpiexec of that MPI; under Slurm: srun --mpi=pmi2 (MPICH), --mpi=pmix (Open MPI)",
        )
    return comm


def _ranks(place: Place) -> str:
    return f"{place.size} ranks" if place.size is not None else "several ranks"


def share_out(
    comm: Any,
    pieces: list[dict[str, Any]] | None,
    do: Callable[[dict[str, Any]], Any],
    *,
    failure_of: Callable[[Exception], tuple[str, bool]],
    progress: Callable[[int, int], None] | None = None,
) -> Shared | None:
    """Do all pieces, which rank 0 gives; what was found, at rank 0. Collective.

    Each piece has `kind`, `at` (the number of its artifact), `cost` and `octets`. `failure_of` says of an exception of
    `do` what it tells people and whether it means that there is no signature; one that it raises again ends all ranks'
    work. `progress` is told bytes done of bytes to do, of all ranks as far as this one can tell."""
    work, every = _dealt(comm, pieces)
    calls = _Calls(comm)
    notes: list[tuple[int, Any]] = []
    own = sum(piece["octets"] for _, piece in work)
    done = 0
    for number, piece in work:
        if not calls.stopped(piece):
            try:
                notes.append((piece["at"], do(piece)))
            except Exception as error:
                calls.tell(_failure(number, piece["at"], error, failure_of))
        done += piece["octets"]
        if progress is not None:
            progress(round(every * done / own) if own else every, every)
    meet(comm)
    found = comm.gather((notes, calls.own), root=0)
    calls.end()
    if found is None:
        return None
    failures = sorted(failure for _, theirs in found for failure in theirs)
    return Shared([note for theirs, _ in found for note in theirs], failures)


def _dealt(comm: Any, pieces: list[dict[str, Any]] | None) -> tuple[list[tuple[int, dict[str, Any]]], int]:
    """This rank's pieces with their numbers, and the bytes of all pieces."""
    shares = None
    if pieces is not None:
        every = sum(piece["octets"] for piece in pieces)
        hands = deal([piece["cost"] for piece in pieces], comm.size)
        shares = [([(number, pieces[number]) for number in hand], every) for hand in hands]
    found: tuple[list[tuple[int, dict[str, Any]]], int] = comm.scatter(shares, root=0)
    return found


def _failure(number: int, at: int, error: Exception, failure_of: Callable[[Exception], tuple[str, bool]]) -> Failure:
    try:
        return Failure(number, at, *failure_of(error))
    except HpcprovError as fatal:
        return Failure(number, EVERYTHING, fatal.message, False)
    except Exception as fatal:
        return Failure(number, EVERYTHING, f"internal error: {type(fatal).__name__}: {fatal}", False)


class _Calls:
    """What ranks tell each other while they work: which artifacts need no more work."""

    def __init__(self, comm: Any) -> None:
        self.comm = comm
        self.dead: set[int] = set()
        self.own: list[Failure] = []
        self.sent: list[Any] = []
        self.received = 0

    def tell(self, failure: Failure) -> None:
        self.own.append(failure)
        self.dead.add(failure.at)
        others = (rank for rank in range(self.comm.size) if rank != self.comm.rank)
        self.sent += [self.comm.isend(failure.at, dest=rank, tag=FAILED) for rank in others]

    def stopped(self, piece: dict[str, Any]) -> bool:
        """Is a piece not needed any more? The bytes of an artifact are wanted also when its values cannot be read."""
        while self.comm.iprobe(tag=FAILED):
            self._take()
        return EVERYTHING in self.dead or (piece["kind"] == "leaves" and piece["at"] in self.dead)

    def _take(self) -> None:
        self.dead.add(self.comm.recv(tag=FAILED))
        self.received += 1

    def end(self) -> None:
        """Take the calls that are still on their way. Collective."""
        told = self.comm.allgather(len(self.own))
        while self.received < sum(told) - len(self.own):
            self._take()
        for request in self.sent:
            request.wait()


def meet(comm: Any) -> None:
    """Wait asleep until all ranks are here. Collective."""
    request, nap = comm.Ibarrier(), NAP
    while not request.Test():
        time.sleep(nap)
        nap = min(LONGEST_NAP, 1.2 * nap)


def agreed(status: int) -> int:
    """Rank 0's exit status, on all ranks of the world. Collective."""
    from mpi4py import MPI

    meet(MPI.COMM_WORLD)
    told: int = MPI.COMM_WORLD.bcast(status, root=0)
    return told


def one_voice(comm: Any, error: str | None) -> str | None:
    """The error of the lowest rank that has one, on all ranks alike. Collective."""
    return next((text for text in comm.allgather(error) if text is not None), None)


def raise_together(comm: Any, error: Exception | None) -> None:
    """Raises the error of the lowest rank that has one, on all ranks alike. Collective."""
    if error is not None and not isinstance(error, HpcprovError | OSError | TypeError | ValueError):
        error = HpcprovError(f"{type(error).__name__}: {error}")  # what a library raises may not be sent as it is
    first = next((found for found in comm.allgather(error) if found is not None), None)
    if first is not None:
        raise first


def threads_here(comm: Any, allowed: int) -> int:
    """Threads for this rank: of the `allowed` CPUs, its part where ranks of the node share them. Collective."""
    mine = frozenset(os.sched_getaffinity(0))
    sharing = sum(1 for other in _of_node(comm, mine) if other & mine)
    return max(1, allowed // sharing)


def memory_here(comm: Any, allowed: int) -> int:
    """Bytes for this rank: of the `allowed` bytes, its part where ranks share the node. Collective."""
    every = _of_node(comm, allowed)
    least: int = min(every)
    return least // len(every)


def _of_node(comm: Any, value: Any) -> list[Any]:
    """The values of all ranks of this rank's node. Collective."""
    from mpi4py import MPI

    node = comm.Split_type(MPI.COMM_TYPE_SHARED)
    try:
        found: list[Any] = node.allgather(value)
    finally:
        node.Free()
    return found
