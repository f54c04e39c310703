"""What is known of an artifact from the last time that it was read: the fields' roots and, of a directory's files, what
they looked like.

    past = Past.load(cache_dir, "out.zarr")
    digests = past.meet("out.zarr", look("out.zarr"))    # of the files that are the same as then
    past.dirty(field)                                     # the boxes of an array whose files are not

It is kept in the cache under the artifact's path, for `hpcprov.signature.reuse`.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Any

from blake3 import blake3

from hpcprov.data.growth import DOCUMENTS, METADATA, Held, held_array
from hpcprov.data.interface import Box, Field
from hpcprov.data.open import format_of
from hpcprov.signature import cache, snapshot, tree
from hpcprov.signature.snapshot import Entry, Snapshot

#: Of larger stores no file is kept: they are read whole each time.
MOST_FILES = 500_000


@dataclass
class Past:
    """`fields` has what a result says of each field, by its path; `files`, by their paths in the artifact, a digest of
    each file's device, inode, size and times, and one of its bytes; `frames` a digest of each array's metadata.

    `meet` adds what is found now: `digests` of files by their paths, how arrays are `held` in files, which files have
    `changed`, by the array that they belong to, and how many are `matching`."""

    fields: dict[str, Any] = field(default_factory=dict)
    files: dict[str, Any] = field(default_factory=dict)
    frames: dict[str, Any] = field(default_factory=dict)
    digests: dict[bytes, str] = field(default_factory=dict)
    held: dict[bytes, Held] = field(default_factory=dict)
    changed: dict[bytes, list[str]] = field(default_factory=dict)
    matching: int = 0

    @classmethod
    def load(cls, cache_dir: str | None, path: str) -> Past:
        """What is known of `path`, if anything."""
        found = (cache.read(cache_dir, _key(path)) if cache_dir is not None else None) or {}
        return cls(_table(found, "fields"), _table(found, "files"), _table(found, "frames"))

    def meet(self, path: str, now: Snapshot) -> dict[bytes, str]:
        """Compare the files with those of the last time; `digests`, for a storage digest to use and to complete. Raises
        UnreadableData, OSError."""
        form = format_of(path)
        if not now.is_directory or form not in DOCUMENTS:
            return self.digests
        self.held = _held(os.fsencode(path), DOCUMENTS[form], now)
        there = set()
        for entry in now.entries[1:]:
            if entry.kind == "dir":
                continue
            there.add(_text(entry.path))
            digest = self._digest(entry)
            if digest is not None:
                self.digests[entry.path] = digest
                self.matching += 1
            else:
                self._count_changed(entry.path)
        for gone in self.files.keys() - there:
            self._count_changed(_bytes(gone))
        return self.digests

    def _digest(self, entry: Entry) -> str | None:
        """The digest of a file's bytes, when it is the same as when that was computed."""
        match self.files.get(_text(entry.path)):
            case [str(facts), str(digest)] if facts == _facts(entry) and len(digest) == 2 * tree.DIGEST:
                return digest
        return None

    def _count_changed(self, name: bytes) -> None:
        for array in _parents(name):
            if array in self.held:
                inner = name[len(array) + 1 :] if array else name
                self.changed.setdefault(array, []).append(_text(inner))
                return

    def dirty(self, target: Field) -> list[Box] | None:
        """The boxes of an array, not clipped, whose files are not as they were; None when that cannot be told."""
        held = self.held.get(target.path)
        if held is None or self.frames.get(target.name) != _frame(held):
            return None
        boxes = []
        for name in self.changed.get(target.path, ()):
            index = held.index(name)
            if index is not None:
                boxes.append(tuple((at * step, (at + 1) * step) for at, step in zip(index, held.extents, strict=True)))
            elif name not in METADATA:
                return None
        return boxes

    def store(self, cache_dir: str, path: str, now: Snapshot, fields: list[dict[str, Any]], began: int) -> None:
        """Keep what a reading that began at `began` (ns) has found, for the next one."""
        limit = cache.server_time(cache_dir, now, began) - snapshot.SETTLED_NS
        files = {_text(entry.path): self._row(entry, limit) for entry in now.entries[1:] if entry.kind != "dir"}
        if len(files) > MOST_FILES or not self.held:
            files = {}
        frames = {_text(array): _frame(held) for array, held in self.held.items()} if files else {}
        by_path = {one["path"]: one for one in fields}
        cache.write(cache_dir, _key(path), {"fields": by_path, "files": files, "frames": frames})

    def _row(self, entry: Entry, limit: int) -> list[str]:
        """What is kept of a file; blank for one that may have changed without a trace while it was read."""
        settled = entry.kind == "file" and max(entry.mtime, entry.ctime) < limit and entry.path in self.digests
        return [_facts(entry), self.digests[entry.path]] if settled else ["", ""]


def _table(found: dict[str, Any], name: str) -> dict[str, Any]:
    value = found.get(name)
    return value if isinstance(value, dict) else {}


def _held(root: bytes, document: bytes, now: Snapshot) -> dict[bytes, Held]:
    """How each array of a store lies in files, by its path."""
    found = {}
    for entry in now.entries[1:]:
        folder, _, name = entry.path.rpartition(b"/")
        if name == document and (held := held_array(os.path.join(root, entry.path))) is not None:
            found[folder] = held
    return found


def _parents(name: bytes) -> Iterator[bytes]:
    """The directories that a file lies in, the innermost first, the artifact itself (empty) last."""
    while name:
        name = name.rpartition(b"/")[0]
        yield name


def _facts(entry: Entry) -> str:
    row = (entry.kind, entry.device, entry.inode, entry.size, entry.mtime, entry.ctime)
    return blake3(repr(row).encode()).hexdigest(16)


def _frame(held: Held) -> str:
    return str(blake3(held.frame).hexdigest())


def _key(path: str) -> str:
    return str(blake3(b"path\0" + os.fsencode(os.path.abspath(path))).hexdigest())


def _text(name: bytes) -> str:
    return name.decode("utf-8", "surrogateescape")


def _bytes(name: str) -> bytes:
    return name.encode("utf-8", "surrogateescape")
