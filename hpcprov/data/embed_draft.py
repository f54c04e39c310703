"""The file that takes the place of another: it is made and changed beside it, under a name that only its owner uses.

    with Original("/data/out.nc") as original, Draft("/data/out.nc") as draft:
        draft.copy(original)
        ...                          # edit draft.path
        draft.publish(original)      # sync, check that the original is as it was, rename

A draft is `.out.nc.hpcprov~`, locked while its owner lives. One that a killed process left behind is removed by the
next one. Without `publish` the draft is removed and nothing has happened.
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Iterable
from types import TracebackType
from typing import Self

from hpcprov.data.embed_copy import copy_data, dress
from hpcprov.data.embed_original import NO_LOCKS, NotEmbedded, Original, locked

SUFFIX = ".hpcprov~"
#: Where the root of a Zarr directory has its attributes.
DOCUMENTS = ("zarr.json", ".zattrs", ".zmetadata")
#: Names may have 255 bytes.
MOST_NAME = 200
ATTEMPTS = 5
#: A draft on a file system without locks is taken for left behind when nobody has written to it for so long (s).
OLD = 86_400


class Draft:
    """A file beside `target`, which is its owner's alone."""

    def __init__(self, target: str) -> None:
        self.target, self.folder = target, os.path.dirname(target) or "."
        self.path = draft_of(target)
        self.fd = -1

    def __enter__(self) -> Self:
        for _ in range(ATTEMPTS):
            try:
                fd = os.open(self.path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
            except FileExistsError:
                sweep(self.path)
                continue
            if locked(fd, fcntl.LOCK_EX) and _is_at(fd, self.path):
                self.fd = fd
                return self
            os.close(fd)  # somebody took it for left behind before it was locked
        raise NotEmbedded(f"another process is writing {self.path}")

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self.fd >= 0 and _is_at(self.fd, self.path):
            os.unlink(self.path)
        self.close()

    def close(self) -> None:
        if self.fd >= 0:
            os.close(self.fd)
            self.fd = -1

    def copy(self, original: Original, *, deadline: float | None = None) -> None:
        """Make it the original's copy, as `copy_data` does; the original must be as it was then."""
        copy_data(original.fd, self.fd, deadline=deadline)
        original.check_unchanged()

    def publish(self, original: Original | None, *, times: bool = True) -> None:
        """Give it the original's mode, owner, extended attributes and times, and its name. Raises NotEmbedded when
        somebody has changed the original."""
        if original is not None:
            dress(self.fd, original.fd, original.facts, times=times)
        os.fsync(self.fd)
        if original is not None:
            original.check_writers()  # and keep them out for the moment of the rename
            original.check_unchanged()
        os.rename(self.path, self.target)
        self.close()
        sync_directory(self.folder)


def draft_of(target: str) -> str:
    """The path of a file's draft."""
    folder, name = os.path.split(target)
    return os.path.join(folder or ".", f".{os.fsdecode(os.fsencode(name)[:MOST_NAME])}{SUFFIX}")


def remove_left(path: str, fields: Iterable[str] = ()) -> list[str]:
    """Remove what this user's processes left behind that were ended while they wrote to the artifact at `path`, or to
    those `fields` of a Zarr store; what was removed."""
    return [draft for draft in _drafts(path, fields) if _is_ours(draft) and _swept(draft)]


def _drafts(path: str, fields: Iterable[str]) -> list[str]:
    """The paths that drafts for an artifact have; none for one that has no such name."""
    try:
        real = os.path.realpath(path)
        if not os.path.isdir(real):
            return [draft_of(real)]
        nodes = (os.path.realpath(os.path.join(real, field.strip("/"))) for field in fields)
        folders = dict.fromkeys([real, *(node for node in nodes if node.startswith(f"{real}/"))])
        return [draft_of(os.path.join(folder, name)) for folder in folders for name in DOCUMENTS]
    except (OSError, ValueError):
        return []


def _is_ours(path: str) -> bool:
    try:
        facts = os.stat(path, follow_symlinks=False)
    except (OSError, ValueError):
        return False
    return stat.S_ISREG(facts.st_mode) and facts.st_uid == os.geteuid()


def _swept(path: str) -> bool:
    try:
        sweep(path)
    except (NotEmbedded, OSError):
        return False  # its owner lives, or it is not ours to remove
    return True


def sweep(path: str) -> None:
    """Remove a draft whose owner has gone. Raises NotEmbedded when he lives."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK)
    except FileNotFoundError:
        return
    except OSError as error:
        raise NotEmbedded(f"{path} is in the way: {error.strerror}") from error
    try:
        if not _is_left(fd):
            raise NotEmbedded(f"another process is at it (if none is, remove {path})")
        if _is_at(fd, path):
            os.unlink(path)
    finally:
        os.close(fd)


def _is_left(fd: int) -> bool:
    try:
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS and os.fstat(fd).st_mtime < time.time() - OLD
    return True


def sync_directory(path: str) -> None:
    """Make names in a directory survive a crash of the machine."""
    fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    except OSError as error:
        if error.errno not in (errno.EINVAL, errno.ENOTSUP):  # file systems that sync with each rename
            raise
    finally:
        os.close(fd)


def _is_at(fd: int, path: str) -> bool:
    """Whether the open file is still the one of that name."""
    try:
        there = os.stat(path, follow_symlinks=False)
    except FileNotFoundError:
        return False
    here = os.fstat(fd)
    return (here.st_dev, here.st_ino) == (there.st_dev, there.st_ino)
