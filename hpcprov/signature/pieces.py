"""One artifact's hashing cut into pieces that MPI ranks do for each other, and put together again.

    found = survey("out.zarr", ranks=4)                      # {"pieces": [{"kind": "leaves", ..., "cost": 0.1}, ...]}
    notes = [hand.do(piece) for piece in found["pieces"]]    # on any rank, in any order
    facts = put_together("out.zarr", found["fingerprint"], notes)

`put_together` gives what `describe` gives. Pieces and notes are plain values, so that they can be sent. A small
artifact is one piece, `whole`; of a large one the bytes are pieces (`storage`, or `files` of a directory) and the
groups of tiles of each field are (`leaves`).
"""

from __future__ import annotations

import json
import os
from collections.abc import Callable, Iterator
from math import prod
from typing import Any

from hpcprov.data.interface import Box, Dataset, Field, lengths
from hpcprov.data.open import MissingReader, open_data, readable
from hpcprov.data.types import Unsigned
from hpcprov.record.errors import UnreadableData
from hpcprov.signature import cache, deal, plan
from hpcprov.signature.artifact import Work, check_declared, describe
from hpcprov.signature.combine import assembled
from hpcprov.signature.counting import Counter, Counters, Counting
from hpcprov.signature.field import Grid, Signed, grid_of
from hpcprov.signature.groups import GROUP, groups, identity, leaves_of
from hpcprov.signature.share import Note
from hpcprov.signature.snapshot import CHANGED, Entry, Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import Signer
from hpcprov.signature.watch import Watch

#: Artifacts of fewer bytes and files are one piece.
LARGE = 32 << 20
#: Ranks on other nodes may see another file by the same name: node-local directories, caches of attributes.
OTHER = "it changed while it was read, or is not the same on all nodes"
MANY = 2000
#: A group of tiles is between these; each rank should get several.
SMALLEST_GROUP = 8 << 20
PIECES_PER_RANK = 8
FILES_BYTES = 64 << 20
FILES_COUNT = 1000


def survey(
    path: str,
    *,
    ranks: int,
    cache_dir: str | None = None,
    follow: bool = False,
    algorithms: tuple[str, ...] = (),
    statistics: Counting | None = None,
) -> dict[str, Any]:
    """The pieces of an artifact for `ranks` ranks, each with its estimated cost in seconds, and the artifact's
    fingerprint. `algorithms` are those beside BLAKE3, which no ranks can share."""
    try:
        seen = look(path)
    except (OSError, ValueError, UnreadableData):
        return {"fingerprint": None, "pieces": [_whole(path, 0, 1)]}
    small = seen.size < LARGE and (seen.files or 1) < MANY
    counted = statistics is not None
    if small or (not (follow or algorithms) and cache.load(cache_dir, seen, statistics=counted) is not None):
        return {"fingerprint": None, "pieces": [_whole(path, seen.size, seen.files or 1)]}
    stored = _stored_pieces(path, seen, algorithms)
    leaves = ({**piece, "stamp": seen.stamp} for piece in _leaf_pieces(path, seen, ranks, follow, statistics))
    return {"fingerprint": seen.fingerprint, "pieces": [*stored, *leaves]}


def _whole(path: str, size: int, files: int) -> dict[str, Any]:
    cost = size * (deal.PER_STORED_BYTE + deal.PER_DECODED_BYTE) + files * deal.PER_FILE + deal.PER_PIECE
    return {"kind": "whole", "path": path, "octets": 2 * size, "cost": cost}


def _stored_pieces(path: str, seen: Snapshot, algorithms: tuple[str, ...]) -> Iterator[dict[str, Any]]:
    if not seen.is_directory or algorithms:
        per_byte = deal.PER_OTHER_BYTE if algorithms else deal.PER_STORED_BYTE
        cost = seen.size * per_byte + len(seen.entries) * deal.PER_FILE
        yield {"kind": "storage", "path": path, "octets": seen.size, "cost": cost, "stamp": seen.stamp}
        return
    files: list[tuple[str, int, int]] = []
    size = 0
    for entry in seen.entries:
        if entry.kind == "file":
            files.append((os.fsdecode(entry.path), entry.size, entry.mtime))
            size += entry.size
            if size >= FILES_BYTES or len(files) >= FILES_COUNT:
                yield _files(path, files, size)
                files, size = [], 0
    if files:
        yield _files(path, files, size)


def _files(path: str, files: list[tuple[str, int, int]], size: int) -> dict[str, Any]:
    cost = size * deal.PER_STORED_BYTE + len(files) * deal.PER_FILE + deal.PER_PIECE
    return {"kind": "files", "path": path, "files": files, "octets": size, "cost": cost}


def _leaf_pieces(
    path: str, seen: Snapshot, ranks: int, follow: bool, statistics: Counting | None
) -> Iterator[dict[str, Any]]:
    """The groups of tiles of every field; none of data that cannot be signed, as `put_together` will find."""
    try:
        counters = statistics(path) if statistics is not None else None
        with readable(path), open_data(path, follow=follow) as data:
            check_declared(data, seen.size)
            yield from leaf_pieces(data, ranks, path=path, counters=counters)
    except (Unsigned, UnreadableData, MissingReader, OSError):
        return


def leaf_pieces(
    data: Dataset, ranks: int, *, path: str = "", counters: Counters | None = None
) -> Iterator[dict[str, Any]]:
    """The groups of tiles of every field of an open dataset, with their costs."""
    total = sum(one.octets for one in data.fields)
    size = max(SMALLEST_GROUP, min(GROUP, total // (PIECES_PER_RANK * ranks)))
    for number, target in enumerate(data.fields):
        if target.shape is not None:
            grid = grid_of(target.shape, target.type)
            boxes = list(groups(target, grid, size, counters(target) if counters is not None else None))
            for box, cost in zip(boxes, _costs(target, grid, boxes, size), strict=True):
                yield {
                    **identity(target), "path": path, "number": number, "box": box, "group": size,
                    "octets": prod(lengths(box)) * target.width, "cost": cost,
                }  # fmt: skip


def _costs(target: Field, grid: Grid, boxes: list[Box], size: int) -> list[float]:
    """What each group takes: by its bytes, those that no chunk stores being nearly free."""
    plain = [prod(lengths(box)) * target.width for box in boxes]
    if target.chunks is None:
        return [octets * deal.PER_PLAIN_BYTE + deal.PER_PIECE for octets in plain]
    stored = target.stored() if len(boxes) > 1 else None
    per_chunk = prod(target.chunks) * target.width * deal.PER_DECODED_BYTE + deal.PER_CHUNK
    if stored is None:
        return [octets * deal.PER_DECODED_BYTE + deal.PER_PIECE for octets in plain]
    costs = [octets * deal.PER_BLANK_BYTE + deal.PER_PIECE for octets in plain]
    numbers = {tuple(start for start, _ in box): at for at, box in enumerate(boxes)}
    extents = plan.unit_extents(grid.shape, grid.tile, target.chunks, target.width, limit=size, target=size)
    for chunk in stored:
        outer = tuple((start // step * step, stop) for (start, stop), step in zip(chunk, extents, strict=True))
        for box in plan.boxes(outer, extents):
            costs[numbers[tuple(start for start, _ in box)]] += per_chunk
    return costs


class Hand:
    """Does pieces; keeps the dataset of the last piece open, since the next is likely to be of the same."""

    def __init__(
        self,
        *,
        threads: int,
        follow: bool = False,
        cache_dir: str | None = None,
        tiles_dir: str | None = None,
        algorithms: tuple[str, ...] = (),
        statistics: Counting | None = None,
    ) -> None:
        self.threads, self.follow, self.algorithms = threads, follow, algorithms
        self.cache_dir, self.tiles_dir, self.statistics = cache_dir, tiles_dir, statistics
        self.open: tuple[str, Dataset] | None = None
        self.counters: Counters | None = None
        self.signers: dict[int, Signer] = {}

    def do(self, piece: dict[str, Any], watch: Watch) -> Note:
        """What a piece gives. Raises UnreadableData, Unsigned, MissingReader or OSError."""
        work: Callable[[dict[str, Any], Watch], Note] = {
            "whole": self._whole, "storage": self._storage, "files": self._files, "leaves": self._leaves
        }[piece["kind"]]  # fmt: skip
        return work(piece, watch)

    def close(self) -> None:
        """Close the dataset that is still open."""
        if self.open is not None:
            self.open[1].close()
        self.open, self.signers = None, {}

    def use(self, data: Dataset, path: str) -> None:
        """Take the pieces of `path` from a dataset that is open already."""
        self.close()
        self.open = path, data

    def _whole(self, piece: dict[str, Any], watch: Watch) -> Note:
        facts = describe(
            piece["path"],
            threads=self.threads,
            follow=self.follow,
            cache_dir=self.cache_dir,
            tiles_dir=self.tiles_dir,
            algorithms=self.algorithms,
            watch=watch,
            statistics=self.statistics,
        )
        return Note({"kind": "whole"}, json.dumps(facts).encode())

    def _storage(self, piece: dict[str, Any], watch: Watch) -> Note:
        path, also = piece["path"], dict.fromkeys(self.algorithms, "")
        seen = look(path)
        if seen.stamp != piece["stamp"]:
            raise UnreadableData(OTHER)
        digest = storage_digest(path, seen, threads=self.threads, watch=watch, also=also)
        return Note({"kind": "storage", "digest": digest, "also": also})

    def _files(self, piece: dict[str, Any], watch: Watch) -> Note:
        entries = [Entry(os.fsencode(name), "file", 0, 0, size, 0, 0) for name, size, _ in piece["files"]]
        known: dict[bytes, str] = {}
        part = Snapshot((Entry(b"", "dir", 0, 0, 0, 0, 0), *entries))
        storage_digest(piece["path"], part, threads=self.threads, watch=watch, known=known)
        for name, size, mtime in piece["files"]:
            facts = os.lstat(os.path.join(piece["path"], name))
            if (facts.st_size, facts.st_mtime_ns) != (size, mtime):
                raise UnreadableData(OTHER)
        found = {os.fsdecode(name): content for name, content in known.items()}
        return Note({"kind": "files"}, json.dumps(found).encode())

    def _leaves(self, piece: dict[str, Any], watch: Watch) -> Note:
        signer = self._signer(piece["path"], piece["number"], piece.get("stamp"))
        known = identity(signer.target)
        if any(piece[key] != value for key, value in known.items()):
            raise UnreadableData(CHANGED)
        signer.watch = watch
        box = tuple((int(start), int(stop)) for start, stop in piece["box"])
        counter = self.counters(signer.target) if self.counters is not None else None
        with readable(piece["path"]):
            return Note({**known, "box": box, "group": piece["group"]}, leaves_of(signer, box, counter))

    def _signer(self, path: str, number: int, stamp: str | None) -> Signer:
        if self.open is None or self.open[0] != path:
            self.close()
            self.counters = self.statistics(path) if self.statistics is not None else None
            with readable(path):
                self.open = path, open_data(path, follow=self.follow)
                if stamp is not None and look(path).stamp != stamp:  # opening makes file systems look again
                    self.close()
                    raise UnreadableData(OTHER)
        fields = self.open[1].fields
        if number >= len(fields) or (shape := fields[number].shape) is None:
            raise UnreadableData(CHANGED)
        if number not in self.signers:
            self.signers[number] = Signer(fields[number], grid_of(shape, fields[number].type), threads=self.threads)
        return self.signers[number]


def put_together(
    path: str,
    fingerprint: str,
    notes: list[Note],
    *,
    failure: dict[str, Any] | None = None,
    threads: int = 1,
    follow: bool = False,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    algorithms: tuple[str, ...] = (),
    watch: Watch | None = None,
    statistics: Counting | None = None,
) -> dict[str, Any]:
    """What `describe` says of an artifact, from the notes of all ranks. `failure` is why one of them could not read
    it: `{"reason": text, "unsigned": bool}`."""

    also = dict.fromkeys(algorithms, "")

    def digest(seen: Snapshot) -> str:
        if seen.fingerprint != fingerprint:
            raise UnreadableData(CHANGED)
        return _stored_digest(path, seen, notes, threads, also, watch)

    def sign(target: Field, counter: Counter | None) -> Signed:
        if failure is not None:
            raise (Unsigned if failure["unsigned"] else UnreadableData)(failure["reason"])
        return sign_from(target, notes, threads, watch, counter)

    work = Work(path, digest, sign, follow=follow, also=also, statistics=statistics)
    return work.describe(cache_dir=cache_dir, tiles_dir=tiles_dir)


def sign_from(
    target: Field, notes: list[Note], threads: int, watch: Watch | None = None, counter: Counter | None = None
) -> Signed:
    """A field's signature from the leaves in the notes; what they lack is read now."""
    sizes = [int(note.head["group"]) for note in notes if note.head.get("kind") == "leaves"]
    return assembled(target, notes, threads, None, sizes[0] if sizes else GROUP, watch=watch, counter=counter)


def _stored_digest(
    path: str, seen: Snapshot, notes: list[Note], threads: int, also: dict[str, str], watch: Watch | None
) -> str:
    whole = [note.head for note in notes if note.head.get("kind") == "storage"]
    if whole:
        also.update(whole[0]["also"])
        return str(whole[0]["digest"])
    known: dict[bytes, str] = {}
    for note in notes:
        if note.head.get("kind") == "files":
            known.update((os.fsencode(name), content) for name, content in json.loads(note.body).items())
    return storage_digest(path, seen, threads=threads, watch=watch, known=known, also=also)
