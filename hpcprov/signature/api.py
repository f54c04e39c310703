"""`hpcprov.signature(...)`: signatures in Python, of files, of arrays in memory, and of arrays that MPI ranks share.

    >>> print(hpcprov.signature("out.h5"))                      # what `hpcprov hash` prints as the signature
    hpcprov1:6f0c...
    >>> hpcprov.signature(numpy.zeros((3, 4))).digest           # an array: that of the field it would be in a file
    'hpcprov1:1b7d...'
    >>> hpcprov.signature(block, comm=comm, offset=(100 * comm.rank, 0), shape=(100 * comm.size, 50)).digest

A file that the program has open is best given as the open object: HDF5 refuses to open one file in two ways.

Everything is read in this process. `hpcprov hash` reads in a child: do so with files that nobody trusts.
"""

from __future__ import annotations

import os
from dataclasses import dataclass
from typing import Any, Literal, TypeAlias

from hpcprov.data.interface import Dataset
from hpcprov.data.no_fields import NO_FIELDS
from hpcprov.data.open import MissingReader, format_of, open_data, readable, reason
from hpcprov.data.opened import opened
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import HpcprovError, UnreadableData
from hpcprov.signature import blocks, mpi, tree
from hpcprov.signature.artifact import check_declared
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.field import Signed
from hpcprov.signature.pieces import OTHER, Hand, leaf_pieces, sign_from
from hpcprov.signature.snapshot import CHANGED, Snapshot, look
from hpcprov.signature.threads import sign_field
from hpcprov.signature.watch import Watch

Path: TypeAlias = str | os.PathLike[str]


@dataclass(frozen=True)
class FieldSignature:
    """One array: its path (empty for an array that stands alone), type, shape (None for HDF5's null dataspace), extents
    of a tile, digest, and the bytes of its values."""

    path: str
    type: str
    shape: tuple[int, ...] | None
    tile: tuple[int, ...]
    digest: str
    bytes: int


@dataclass(frozen=True)
class Signature:
    """The digest of values, `hpcprov1:<hex>`: of an `array`, or of a `tree` or `table` of fields."""

    digest: str
    kind: Literal["array", "tree", "table"]
    fields: tuple[FieldSignature, ...]

    def __str__(self) -> str:
        return self.digest


def signature(
    thing: Any,
    *,
    comm: Any = None,
    threads: int | None = None,
    offset: tuple[int, ...] | None = None,
    shape: tuple[int, ...] | None = None,
    follow: bool = False,
) -> Signature:
    """The signature of `thing`: the path of a file or store, or an open object of numpy, h5py, zarr, xarray, pandas,
    polars or pyarrow.

    With `comm` (mpi4py) the call is collective, the ranks share the work and all get the same answer. Then `thing` is
    the same path or open dataset on every rank, or, with `offset` and `shape`, this rank's block of a distributed
    array: `offset` says where in the whole array of `shape` it begins, and the blocks of all ranks must fill it
    without overlapping. `threads` are this rank's. `follow` reads values that lie in other files.

    Raises UnreadableData, Unsigned where the rules give no signature, MissingReader, TypeError, and with `comm` the
    same on all ranks."""
    if (offset is None) != (shape is None) or (offset is not None and comm is None):
        raise TypeError("a distributed array needs comm, offset and shape")
    if comm is not None:
        return _together(thing, comm, threads, offset, shape, follow)
    with _Opened(thing, follow) as data:
        return _signature(data, [sign_field(one, threads=thread_count(threads)) for one in data.fields], thing)


class _Opened:
    """The dataset of a path or an open object, closed at the end; a file must not change meanwhile."""

    def __init__(self, thing: Any, follow: bool) -> None:
        self.path = os.fspath(thing) if isinstance(thing, str | os.PathLike) else None
        self.thing, self.follow = thing, follow
        self.seen: Snapshot | None = None

    def __enter__(self) -> Dataset:
        if self.path is None:
            self.data = opened(self.thing)
            return self.data
        try:
            return self._open(self.path)
        except (UnreadableData, Unsigned, MissingReader) as error:
            raise type(error)(f"{self.path}: {error}") from error

    def _open(self, path: str) -> Dataset:
        with readable(path):
            form = format_of(path)
            if form in NO_FIELDS:
                raise Unsigned(NO_FIELDS[form])
            self.seen = look(path)
            self.data = open_data(path, follow=self.follow)
        try:
            check_declared(self.data, self.seen.size)
        except BaseException:
            self.data.close()
            raise
        return self.data

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: Any) -> None:
        if self.path is None:
            return
        self.data.close()
        if error is None and look(self.path) != self.seen:
            raise UnreadableData(f"{self.path}: {CHANGED}")


def _signature(data: Dataset, signed: list[Signed], thing: Any) -> Signature:
    fields = tuple(map(_field, signed))
    if not isinstance(thing, str | os.PathLike) and len(fields) == 1 and not fields[0].path:
        return Signature(fields[0].digest, "array", fields)
    root = tree.dataset_root(data.kind, [(one.path, one.root) for one in signed])
    return Signature(tree.text(root), data.kind, fields)


def _field(one: Signed) -> FieldSignature:
    path = one.path.decode("utf-8", "surrogateescape")
    return FieldSignature(path, one.type.text, one.shape, one.tile, tree.text(one.root), one.size)


def _together(
    thing: Any,
    comm: Any,
    threads: int | None,
    offset: tuple[int, ...] | None,
    shape: tuple[int, ...] | None,
    follow: bool,
) -> Signature:
    own = comm.Dup()  # our messages never meet the program's
    try:
        count = mpi.threads_here(own, thread_count())
        count = threads or count
        if offset is not None and shape is not None:
            signed = blocks.sign_blocks(thing, own, tuple(offset), tuple(shape), threads=count)
            return _signature(Dataset("numpy"), [signed], thing)
        return _shared(thing, own, count, follow)
    finally:
        own.Free()


def _shared(thing: Any, comm: Any, threads: int, follow: bool) -> Signature:
    """The signature of what every rank has open, or can open."""
    around = _Opened(thing, follow)
    data, error = None, None
    try:
        data = around.__enter__()
    except Exception as failure:
        error = failure
    mpi.raise_together(comm, error)
    assert data is not None
    if len(set(comm.allgather(around.seen.stamp if around.seen is not None else ""))) > 1:
        data.close()
        raise UnreadableData(f"{around.path}: {OTHER}")
    hand = Hand(threads=threads, follow=follow, cache_dir=None, tiles_dir=None)
    hand.use(data, "")
    pieces = None
    try:
        if comm.rank == 0:
            pieces = [{**piece, "at": 0} for piece in leaf_pieces(data, comm.size)]
    except Exception as failure:
        error = failure
    mpi.raise_together(comm, error)
    shared = mpi.share_out(comm, pieces, lambda piece: hand.do(piece, Watch()), failure_of=_failure_of)
    result = None
    try:
        if shared is not None:
            if shared.failures:
                first = shared.failures[0]
                raise (Unsigned if first.unsigned else UnreadableData)(first.reason)
            notes = [note for _, note in shared.notes]
            result = _signature(data, [sign_from(one, notes, threads) for one in data.fields], thing)
    except Exception as failure:
        error = failure
    try:
        around.__exit__(None, None, None)
    except Exception as failure:
        error = error or failure
    mpi.raise_together(comm, error)
    found: Signature = comm.bcast(result, root=0)
    return found


def _failure_of(error: Exception) -> tuple[str, bool]:
    if isinstance(error, Unsigned):
        return str(error), True
    if isinstance(error, UnreadableData | MissingReader | OSError):
        return reason(error), False
    raise HpcprovError(f"{type(error).__name__}: {error}") from error
