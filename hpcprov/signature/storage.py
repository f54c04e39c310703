"""The storage digest: the same bytes, the same digest. For a file it equals `b3sum`; for a directory it is that of a
listing.

The listing has one line per entry below the directory, except directories named `.hpcprov`, in unsigned byte order of
the relative paths, each ended by a NUL:

    dir - results
    file <hex: BLAKE3 of its bytes> results/out.h5
    link <hex: BLAKE3 of the text it points to> latest
    other - socket

    $ b3sum out.h5          ->  blake3:<the same hex>

Other algorithms (SHA-256, MD5) take the same bytes as they come by, and of a directory the same listing with their own
digests in it.
"""

from __future__ import annotations

import errno
import hashlib
import os
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from typing import Any, TypeAlias

from blake3 import blake3

from hpcprov.signature.deadline import check
from hpcprov.signature.snapshot import Entry, Snapshot
from hpcprov.signature.source import Source
from hpcprov.signature.watch import Watch

PREFIX = "blake3:"
#: Files above that size are shared among threads, others go to one thread each, in batches.
LARGE = 4 << 20
BATCH_FILES, BATCH_BYTES = 256, 16 << 20

#: What `also` may ask for.
ALGORITHMS: dict[str, Callable[[], Any]] = {
    "sha256": lambda: hashlib.sha256(usedforsecurity=False),
    "md5": lambda: hashlib.md5(usedforsecurity=False),
}
#: Hexadecimal digests of one thing: BLAKE3, then the other algorithms.
Digests: TypeAlias = tuple[str, ...]


def storage_digest(
    path: str,
    snapshot: Snapshot,
    *,
    threads: int = 1,
    deadline: float | None = None,
    watch: Watch | None = None,
    known: dict[bytes, str] | None = None,
    also: dict[str, str] | None = None,
) -> str:
    """`blake3:<hex>` of the artifact that `snapshot` lists. Raises OSError or TimeUp.

    `known` has digests of a directory's files by relative path: those are not read, and the others are added. `also`
    has names of other algorithms, whose digests are filled in; it does without `known`."""
    names = tuple(also or ())
    work = _Work(threads, deadline, watch or Watch(), names, {} if known is None or names else known)
    work.watch.expect(snapshot.size)
    try:
        with ThreadPoolExecutor(max(1, threads, len(names))) as pool:
            if snapshot.is_directory:
                found = work.directory(os.fsencode(path), snapshot.entries[1:], pool)
            else:
                found = work.large_file(os.fsencode(path), pool)
    except (MemoryError, RuntimeError) as error:  # RuntimeError: no memory for another thread, or none allowed
        raise OSError(errno.ENOMEM, str(error) or "not enough memory") from error
    if also is not None:
        also.update(zip(names, found[1:], strict=True))
    return PREFIX + found[0]


class _Work:
    """Reading and digesting one artifact."""

    def __init__(
        self, threads: int, deadline: float | None, watch: Watch, names: Sequence[str], known: dict[bytes, str]
    ) -> None:
        self.threads, self.deadline, self.watch = threads, deadline, watch
        self.names, self.known = names, known

    def hashers(self, threads: int) -> list[Any]:
        return [blake3(max_threads=threads), *(ALGORITHMS[name]() for name in self.names)]

    def large_file(self, path: bytes, pool: ThreadPoolExecutor, folder: int | None = None) -> Digests:
        """Digests of one file, read and hashed by all threads; never waits at a pipe."""
        first, *others = hashers = self.hashers(self.threads)
        with Source(path, folder) as source:
            for block in source.blocks(self.threads, pool):
                check(self.deadline)
                beside = [pool.submit(hasher.update, block) for hasher in others]
                first.update(block)
                for task in beside:
                    task.result()
                self.watch.add(len(block))
        return tuple(hasher.hexdigest() for hasher in hashers)

    def directory(self, root: bytes, entries: Sequence[Entry], pool: ThreadPoolExecutor) -> Digests:
        listings = self.hashers(1)
        folder = os.open(root, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
        try:
            for batch, contents in self._contents(folder, entries, pool):
                for at, listing in enumerate(listings):
                    listing.update(b"".join(map(_line, batch, [content[at] for content in contents])))
        finally:
            os.close(folder)
        return tuple(listing.hexdigest() for listing in listings)

    def _contents(
        self, folder: int, entries: Sequence[Entry], pool: ThreadPoolExecutor
    ) -> Iterator[tuple[list[Entry], list[Digests]]]:
        """Batches of entries in order, with their contents; as many at once as there are threads."""
        tasks: list[tuple[list[Entry], Any]] = []
        for batch in _batches(entries):
            check(self.deadline)
            if batch[0].size > LARGE and batch[0].kind == "file":
                yield from ((done, task.result()) for done, task in tasks)
                tasks = []
                yield batch, [self._file(batch[0], lambda entry: self.large_file(entry.path, pool, folder))]
                continue
            tasks.append((batch, pool.submit(self._batch, folder, batch)))
            if len(tasks) > self.threads:
                done, task = tasks.pop(0)
                yield done, task.result()
        yield from ((done, task.result()) for done, task in tasks)

    def _batch(self, folder: int, batch: list[Entry]) -> list[Digests]:
        buffer = bytearray(LARGE)
        found = [self._content(folder, entry, buffer) for entry in batch]
        self.watch.add(sum(entry.size for entry in batch if entry.kind == "file"))
        return found

    def _content(self, folder: int, entry: Entry, buffer: bytearray) -> Digests:
        if entry.kind == "file":
            return self._file(entry, lambda entry: self._small_file(folder, entry, buffer))
        if entry.kind == "link":
            return self._digests(os.readlink(entry.path, dir_fd=folder))
        return ("-",) * (1 + len(self.names))

    def _file(self, entry: Entry, read: Callable[[Entry], Digests]) -> Digests:
        known = self.known.get(entry.path)
        if known is not None:
            return (known,)
        found = read(entry)
        self.known[entry.path] = found[0]
        return found

    def _small_file(self, folder: int, entry: Entry, buffer: bytearray) -> Digests:
        check(self.deadline)
        with Source(entry.path, folder) as source:
            count = source.read(buffer)
            if count == entry.size < len(buffer):
                return self._digests(memoryview(buffer)[:count])
            hashers = self.hashers(1)
            while count:
                for hasher in hashers:
                    hasher.update(memoryview(buffer)[:count])
                check(self.deadline)
                count = source.read(buffer)
        return tuple(hasher.hexdigest() for hasher in hashers)

    def _digests(self, content: bytes | memoryview) -> Digests:
        if not self.names:
            return (blake3(content).hexdigest(),)
        hashers = self.hashers(1)
        for hasher in hashers:
            hasher.update(content)
        return tuple(hasher.hexdigest() for hasher in hashers)


def _line(entry: Entry, content: str) -> bytes:
    return b"%b %b %b\0" % (entry.kind.encode(), content.encode(), entry.path)


def _batches(entries: Sequence[Entry]) -> Iterator[list[Entry]]:
    """The entries in order; a large file is alone."""
    batch: list[Entry] = []
    size = 0
    for entry in entries:
        octets = entry.size if entry.kind == "file" else 0
        if batch and (octets > LARGE or size + octets > BATCH_BYTES or len(batch) >= BATCH_FILES):
            yield batch
            batch, size = [], 0
        batch.append(entry)
        size = BATCH_BYTES if octets > LARGE else size + octets
    if batch:
        yield batch
