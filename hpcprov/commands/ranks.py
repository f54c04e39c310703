"""`hpcprov hash` as an MPI program: all ranks hash, rank 0 says what was found.

    mpiexec -n 4 hpcprov hash out.zarr

Each rank has a child that reads, started before MPI is initialised. Whatever happens, all ranks end with one status.
"""

from __future__ import annotations

import os
import sys

from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import HpcprovError
from hpcprov.record.text import printable
from hpcprov.signature import mpi
from hpcprov.signature.isolated import Crashed, Described, Isolated, Refused

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

    from hpcprov.commands.bar import Bar
    from hpcprov.signature.launch import Place

FAILED = 2
OTHER_VIEW = "it changed while it was read, or is not the same on all nodes"
INTERNAL_ERROR = 70


def describe_all(
    place: Place, reader: Isolated, paths: list[str], *, threads: int | None, bar: Bar
) -> tuple[list[Described], int]:
    """What is known of each path, at rank 0 (elsewhere nothing), and the status to end with when that is not 0."""
    error = _started(reader)
    try:
        comm = mpi.world(place)
    except mpi.NoWorld as refusal:
        if place.rank == 0:
            _say(refusal.message, refusal.hint)
        return [], FAILED
    try:
        error = mpi.one_voice(comm, error)
        found = None if error is not None else _described(comm, reader, paths, threads, bar)
    except HpcprovError as refusal:
        error, found = refusal.message, None
    except Exception as failure:
        bar.clear()
        _say(f"internal error on rank {comm.rank}: {type(failure).__name__}: {failure}", None)
        comm.Abort(INTERNAL_ERROR)
        raise
    if error is not None and comm.rank == 0:
        _say(error, None)
    return found or [], FAILED if error is not None else 0


def _started(reader: Isolated) -> str | None:
    try:
        reader.start()
    except HpcprovError as error:
        return error.message
    return None


def _described(comm: Any, reader: Isolated, paths: list[str], threads: int | None, bar: Bar) -> list[Described] | None:
    from hpcprov.signature.cpus import thread_count

    here = mpi.threads_here(comm, thread_count())
    reader.limit(mpi.memory_here(comm, reader.memory))
    reader.configure(threads=threads or here)
    surveys = _surveys(comm, reader, paths)
    pieces = None
    if surveys is not None:
        pieces = [{**piece, "at": at} for at, found in enumerate(surveys) for piece in found["pieces"]]
    bar.begin(f"{len(paths)} paths" if len(paths) > 1 else paths[0])
    shared = mpi.share_out(comm, pieces, lambda piece: _done(reader, piece), failure_of=_failure_of, progress=bar.show)
    bar.clear()
    _check(comm, shared)
    if shared is None or surveys is None:
        return None
    return [_finished(reader, path, at, surveys[at], shared) for at, path in enumerate(paths)]


def _check(comm: Any, shared: mpi.Shared | None) -> None:
    """Raises HpcprovError on all ranks when one of them could not go on. Collective."""
    fatal = [one.reason for one in shared.failures if one.at == mpi.EVERYTHING] if shared is not None else []
    reason = comm.bcast(fatal[0] if fatal else None, root=0)
    if reason is not None:
        raise HpcprovError(reason)


def _surveys(comm: Any, reader: Isolated, paths: list[str]) -> list[dict[str, Any]] | None:
    """The pieces of every path, each looked at by one rank; at rank 0. Collective."""
    own = {at: _survey(reader, paths[at], comm.size) for at in range(comm.rank, len(paths), comm.size)}
    mpi.meet(comm)
    gathered = comm.gather(own, root=0)
    if gathered is None:
        return None
    found = {at: survey for theirs in gathered for at, survey in theirs.items()}
    return [found[at] for at in range(len(paths))]


def _survey(reader: Isolated, path: str, ranks: int) -> dict[str, Any]:
    try:
        found = reader.ask({"do": "survey", "path": path, "ranks": ranks})[0].get("found")
        return found if isinstance(found, dict) else {"reason": "its reader gave no sound answer", "pieces": []}
    except (Crashed, Refused) as error:
        return {"reason": error.message, "pieces": []}


def _done(reader: Isolated, piece: dict[str, Any]) -> Described | bytes:
    """What is known of a whole artifact, or the entry that another piece gives."""
    from hpcprov.signature.share import Note, pack

    if piece["kind"] == "whole":
        return reader.describe(piece["path"])
    head, body = reader.ask({"do": "piece", "piece": piece})
    note = head.get("note")
    return pack(Note(note if isinstance(note, dict) else {}, body))


def _same(path: str, described: Described) -> Described:
    """What some rank knows of a whole artifact, unless this rank sees something else by that name."""
    facts, here = described.result, _seen(path)
    alike = (facts["state"] == "missing") == (here is None)
    if here is not None and facts["files"] is None and facts["size"] is not None:
        alike = alike and here == (facts["size"], facts["mtime"])
    if alike:
        return described
    return Described({**BLANK, "state": "unreadable", "reason": OTHER_VIEW}, described.decoding, described.told)


def _seen(path: str) -> tuple[int, int] | None:
    """Size and time of a file; None when there is nothing by that name."""
    try:
        facts = os.stat(path)
    except (FileNotFoundError, NotADirectoryError):
        return None
    except (OSError, ValueError):
        return -1, -1
    return facts.st_size, facts.st_mtime_ns


def _failure_of(error: Exception) -> tuple[str, bool]:
    if isinstance(error, Refused):
        return error.message, error.unsigned
    if isinstance(error, Crashed):
        return error.message, False
    raise error


def _finished(reader: Isolated, path: str, at: int, survey: dict[str, Any], shared: mpi.Shared) -> Described:
    """What is known of one path, put together from what all ranks found."""
    found = [note for number, note in shared.notes if number == at]
    whole = next((note for note in found if isinstance(note, Described)), None)
    if whole is not None:
        return _same(path, whole)
    if survey.get("fingerprint") is None:
        return reader.bytes_only(path, str(survey.get("reason", "its reader ended")))
    failure = next((one for one in shared.failures if one.at == at), None)
    told = None if failure is None else {"reason": failure.reason, "unsigned": failure.unsigned}
    return reader.finish(path, {"fingerprint": survey["fingerprint"], "failure": told}, b"".join(found))


def _say(message: str, hint: str | None) -> None:
    lines = [f"hpcprov hash: {printable(message)}", *([f"  {printable(hint)}"] if hint else [])]
    print("\n".join(lines), file=sys.stderr, flush=True)
