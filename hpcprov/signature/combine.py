"""The end of sharing: what all nodes wrote down becomes the results that `describe` would give."""

from __future__ import annotations

import json
from collections.abc import Callable
from math import prod
from typing import Any, TypeAlias

from hpcprov.data.interface import Box, Field, lengths
from hpcprov.record.artifact import BLANK
from hpcprov.record.errors import HpcprovError
from hpcprov.signature import plan, tiles, tree
from hpcprov.signature.artifact import Work
from hpcprov.signature.counting import Counter, Counting
from hpcprov.signature.cpus import thread_count
from hpcprov.signature.field import Grid, Leaves, Signed, finish, grid_of
from hpcprov.signature.groups import FINAL, GROUP, LEAF, Artifacts, groups, identity, key_of
from hpcprov.signature.share import Note, read_all
from hpcprov.signature.snapshot import Snapshot, look
from hpcprov.signature.storage import storage_digest
from hpcprov.signature.threads import Put, Signer, sign_field
from hpcprov.signature.watch import Watch

#: Is told what could not be kept.
Tell: TypeAlias = Callable[[str], object]


def combine(
    artifacts: Artifacts,
    *,
    shared_dir: str,
    threads: int | None = None,
    deadline: float | None = None,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    tell: Tell | None = None,
    group: int = GROUP,
    statistics: Counting | None = None,
) -> list[dict[str, Any]]:
    """What `describe` would say of each artifact, from what all nodes wrote down and, where that has gaps, read now."""
    notes = notes_in(shared_dir)
    options: dict[str, Any] = {
        "threads": threads, "deadline": deadline, "cache_dir": cache_dir, "tiles_dir": tiles_dir,
        "statistics": statistics,
    }  # fmt: skip
    return [
        combine_one(path, notes.get(key_of(at, path, role), []), **options, tell=tell, group=group)
        for at, (path, role) in enumerate(artifacts)
    ]


def notes_in(shared_dir: str) -> dict[str, list[Note]]:
    """What all nodes wrote down, by the keys of the artifacts."""
    notes: dict[str, list[Note]] = {}
    for note in read_all(shared_dir):
        notes.setdefault(str(note.head.get("artifact")), []).append(note)
    return notes


def combine_one(
    path: str,
    notes: list[Note],
    *,
    threads: int | None = None,
    deadline: float | None = None,
    cache_dir: str | None = None,
    tiles_dir: str | None = None,
    tell: Tell | None = None,
    watch: Watch | None = None,
    group: int = GROUP,
    statistics: Counting | None = None,
) -> dict[str, Any]:
    """As `combine`, for one artifact and the entries about it."""
    fresh = _fresh(path, notes)
    whole = next((result for note in fresh if (result := _whole_result(note)) is not None), None)
    if whole is not None:
        return whole
    work = _work(path, fresh, thread_count(threads), deadline, group, watch, statistics)
    return work.describe(cache_dir=cache_dir, tiles_dir=tiles_dir, tell=tell)


def _fresh(path: str, notes: list[Note]) -> list[Note]:
    """The entries about the artifact as it is now."""
    try:
        stamp = look(path).stamp if notes else ""
    except (OSError, ValueError, HpcprovError):
        stamp = ""
    return [note for note in notes if note.head.get("stamp") == stamp]


def _work(
    path: str,
    fresh: list[Note],
    threads: int,
    deadline: float | None,
    group: int,
    watch: Watch | None,
    statistics: Counting | None,
) -> Work:
    """The artifact, measured by what the entries say, and what they lack read now."""
    digests = [str(note.head.get("digest")) for note in fresh if note.head.get("kind") == "storage"]

    def digest(seen: Snapshot) -> str:
        if digests:
            return digests[0]
        return storage_digest(path, seen, threads=threads, deadline=deadline, watch=watch)

    def sign(field: Field, counter: Counter | None) -> Signed:
        return assembled(field, fresh, threads, deadline, group, watch=watch, counter=counter)

    return Work(path, digest, sign, deadline=deadline, statistics=statistics)


def _whole_result(note: Note) -> dict[str, Any] | None:
    if note.head.get("kind") != "whole":
        return None
    try:
        found = json.loads(note.body)
    except ValueError:
        return None
    sound = isinstance(found, dict) and found.keys() == BLANK.keys() and found["state"] in FINAL
    return found if sound else None


def assembled(
    field: Field,
    notes: list[Note],
    threads: int,
    deadline: float | None,
    group: int,
    *,
    watch: Watch | None = None,
    counter: Counter | None = None,
) -> Signed:
    """A field's signature from the leaves in `notes`, the others computed now; the same with what was counted."""
    if field.shape is None:
        return sign_field(field, counter=counter)
    grid = grid_of(field.shape, field.type)
    leaves, known = Leaves(bytearray(tree.DIGEST * grid.count)), bytearray(grid.count)

    def put(number: int, digest: bytes, size: int) -> None:
        if not known[number]:
            known[number] = 1
            leaves.put(number, digest, size)

    parts = set(groups(field, grid, group, counter)) if counter is not None else set()
    for note in notes:
        if note.head.items() >= identity(field).items():
            _place(note, grid, put, counter, parts)
    if not all(known):
        signer = Signer(field, grid, threads=threads, deadline=deadline, watch=watch)
        _fill_gaps(signer, known, put, group, counter)
    return finish(field, grid, leaves, counter)


def _place(note: Note, grid: Grid, put: Put, counter: Counter | None, parts: set[Box]) -> None:
    """Put the leaves of an entry where they belong; an entry that does not fit the grid is left out. What is counted
    must be so once: of each of the `parts` that are left one entry is taken."""
    try:
        box = tuple((int(start), int(stop)) for start, stop in note.head["box"])
        fits = all(
            0 <= start < stop <= extent and start % step == 0 and (stop % step == 0 or stop == extent)
            for (start, stop), extent, step in zip(box, grid.shape, grid.tile, strict=True)
        )
    except (KeyError, TypeError, ValueError):
        return
    octets = LEAF * prod(tiles.grid_of(lengths(box), grid.tile)) if fits else 0
    if not fits or len(note.body) < octets or (counter is None and len(note.body) > octets):
        return
    if counter is not None:
        if box not in parts:
            return
        try:
            counter.unpack(note.body[octets:])
        except ValueError:
            return
        parts.remove(box)
    for at, tile in enumerate(plan.boxes(box, grid.tile)):
        leaf = note.body[at * LEAF : (at + 1) * LEAF]
        put(grid.number(tile), leaf[: tree.DIGEST], int.from_bytes(leaf[tree.DIGEST :], "little"))


def _fill_gaps(signer: Signer, known: bytearray, put: Put, group: int, counter: Counter | None) -> None:
    grid = signer.grid
    for box in groups(signer.target, grid, group, counter):
        if not all(known[grid.number(tile)] for tile in plan.boxes(box, grid.tile)):
            signer.sign(box, put, counter)
