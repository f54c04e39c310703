"""Hashing shared out between nodes that meet only in a directory: no messages, no locks, nobody waits.

Every node calls `share` with the same artifacts. It claims work (a whole artifact, or of a large one the storage
digest and groups of tiles of each field) by making a file, and writes down what it found. Whoever comes last calls
`combine`, which reads what all nodes wrote, computes itself what is missing because a claimer died, and returns what
`describe` would.

    share([("out.zarr", "generated")], shared_dir=run, node="n07")
    results = combine([("out.zarr", "generated")], shared_dir=run)
"""

from __future__ import annotations

import json
from dataclasses import dataclass
from typing import Any

from hpcprov.data.interface import Field
from hpcprov.data.open import open_data, readable
from hpcprov.record.errors import HpcprovError
from hpcprov.signature import cache
from hpcprov.signature.artifact import check_declared, describe
from hpcprov.signature.combine import Tell, combine
from hpcprov.signature.counting import Counters, Counting
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.deadline import TimeUp, check
from hpcprov.signature.field import Grid, grid_of
from hpcprov.signature.groups import FINAL, GROUP, LARGE, Artifacts, groups, identity, key_of, leaves_of
from hpcprov.signature.share import Note, append, claim, share_path
from hpcprov.signature.snapshot import Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import Signer
from hpcprov.signature.watch import Watch

__all__ = ["combine", "share"]


def share(
    artifacts: Artifacts,
    *,
    shared_dir: str,
    node: str,
    threads: int | None = None,
    deadline: float | None = None,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    tell: Tell | None = None,
    watch: Watch | None = None,
    first: int = 0,
    large: int = LARGE,
    group: int = GROUP,
    statistics: Counting | None = None,
) -> None:
    """Do this node's part of hashing `artifacts`, numbered from `first`; stops at `deadline`. `large` and `group` are
    bytes, the same on all nodes, as is whether there are `statistics`."""
    own, count = share_path(shared_dir, node), thread_count(threads)
    book = _Book(shared_dir, own, count, deadline, cache_dir, tiles_dir, tell, watch, large, group, statistics)
    for at, (path, role) in enumerate(artifacts, first):
        try:
            check(deadline)
            book.take(key_of(at, path, role), path)
        except TimeUp:
            return
        except (HpcprovError, OSError, ValueError):
            # Damaged, vanished or unsigned: `combine` finds the same and says so.
            continue


@dataclass(frozen=True)
class _Book:
    """Where one node claims work and writes down what it found."""

    shared_dir: str
    file: str
    threads: int
    deadline: float | None
    cache_dir: str | None
    tiles_dir: str | None
    tell: Tell | None
    watch: Watch | None
    large: int
    group: int
    statistics: Counting | None

    def take(self, key: str, path: str) -> None:
        """Do what nobody has claimed of one artifact."""
        seen = look(path)
        if seen.size < self.large or self._is_known(seen):
            self._whole(key, path, seen)
            return
        if claim(self.shared_dir, f"{key}.storage"):
            digest = storage_digest(path, seen, threads=self.threads, deadline=self.deadline, watch=self.watch)
            self._write(key, seen, {"kind": "storage", "digest": digest})
        counters = self.statistics(path) if self.statistics is not None else None
        with readable(path), open_data(path) as data:
            check_declared(data, seen.size)
            for number, field in enumerate(data.fields):
                self._field(key, seen, number, field, counters)

    def _is_known(self, seen: Snapshot) -> bool:
        return cache.load(self.cache_dir, seen, statistics=self.statistics is not None) is not None

    def _whole(self, key: str, path: str, seen: Snapshot) -> None:
        if claim(self.shared_dir, key):
            found = describe(
                path,
                threads=self.threads,
                deadline=self.deadline,
                cache_dir=self.cache_dir,
                tiles_dir=self.tiles_dir,
                tell=self.tell,
                watch=self.watch,
                statistics=self.statistics,
            )
            if found["state"] in FINAL:
                self._write(key, seen, {"kind": "whole"}, json.dumps(found).encode())

    def _field(self, key: str, seen: Snapshot, number: int, field: Field, counters: Counters | None) -> None:
        if field.shape is None:
            return
        grid, signer = grid_of(field.shape, field.type), None
        counter = counters(field) if counters is not None else None
        for at, box in enumerate(groups(field, grid, self.group, counter)):
            check(self.deadline)
            if claim(self.shared_dir, f"{key}.{number:06d}.{at:06d}"):
                signer = signer or self._signer(field, grid)
                counter = counters(field) if counters is not None else None  # of this group alone
                self._write(key, seen, {**identity(field), "box": box}, leaves_of(signer, box, counter))

    def _signer(self, field: Field, grid: Grid) -> Signer:
        return Signer(field, grid, threads=self.threads, deadline=self.deadline, watch=self.watch)

    def _write(self, key: str, seen: Snapshot, head: dict[str, Any], body: bytes = b"") -> None:
        append(self.file, Note({"artifact": key, "stamp": seen.stamp, **head}, body))
