"""The two files of a change: the original, which is only read, and the draft beside it, which takes its place.

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
import signal
import stat
import time
from collections.abc import Callable
from types import TracebackType
from typing import Any, Self

from hpcprov.record.errors import HpcprovError

SUFFIX = ".hpcprov~"
#: Where the root of a Zarr directory has its attributes.
DOCUMENTS = ("zarr.json", ".zattrs", ".zmetadata")
#: Names may have 255 bytes.
MOST_NAME = 200
ATTEMPTS = 5
#: A draft on a file system without locks is taken for left behind when nobody has written to it for so long (s).
OLD = 86_400
#: ioctl of the copy that shares its blocks, on file systems that can (btrfs, XFS, bcachefs, ZFS).
FICLONE = 0x40049409
STEP = 64 << 20
#: What a file system answers that has no such call.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)
NO_COPY = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ETXTBSY)
#: Extended attributes that only the system sets: their loss is no loss.
OF_THE_SYSTEM = ("security.", "trusted.", "system.nfs4_acl")


class NotEmbedded(HpcprovError):
    """Nothing was written, and the data is as it was; the message says why."""


class Original:
    """The file that is to be replaced, open for reading. Raises NotEmbedded for one that should not be."""

    def __init__(self, path: str, *, break_links: bool = False) -> None:
        self.path = path
        self.fd = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY)
        try:
            self.facts = os.fstat(self.fd)
            self._check(break_links)
        except BaseException:
            os.close(self.fd)
            raise

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        os.close(self.fd)

    def _check(self, break_links: bool) -> None:
        check_writable(self.path, self.facts)
        if self.facts.st_nlink > 1 and not break_links:
            raise NotEmbedded(
                f"it has {self.facts.st_nlink} names (hard links), and the others would keep the old version:"
                " --break-links makes this one a file of its own"
            )
        self.check_writers()
        locked(self.fd, fcntl.LOCK_UN)  # whoever opens it meanwhile is not kept from it

    def check_writers(self) -> None:
        """Raises NotEmbedded when a process has the file open for writing, as far as that can be known. HDF5 locks what
        it writes, and what is locked for reading it does not open for writing."""
        if not locked(self.fd, fcntl.LOCK_SH) or _has_writer(self.fd):
            raise NotEmbedded("another process has it open for writing")

    def check_is(self, seen: os.stat_result | None) -> None:
        """Raises NotEmbedded when it is not what was seen: what was found out of that would take the place of more."""
        if seen is not None and _identity(seen) != _identity(self.facts):
            raise NotEmbedded("it was changed meanwhile")

    def check_unchanged(self) -> None:
        """Raises NotEmbedded when the file is another one now, or was written to."""
        try:
            now = os.stat(self.path, follow_symlinks=False)
        except FileNotFoundError:
            raise NotEmbedded("it was removed meanwhile") from None
        if _identity(now) != _identity(self.facts):
            raise NotEmbedded("it was changed meanwhile")


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
        """Make it the original's copy, sharing its blocks where the file system can, until `deadline`
        (`time.monotonic()` seconds). Raises NotEmbedded where there is not enough space or time, OSError."""
        try:
            fcntl.ioctl(self.fd, FICLONE, original.fd)
        except OSError:
            self._copy(original, deadline)
        original.check_unchanged()

    def _copy(self, original: Original, deadline: float | None) -> None:
        size, room = original.facts.st_size, os.fstatvfs(self.fd)
        needed, free = min(size, original.facts.st_blocks * 512), room.f_bavail * room.f_frsize
        if needed > free:
            raise NotEmbedded(f"a copy needs {needed} bytes, and {free} are free on its file system")
        os.ftruncate(self.fd, size)
        at = 0
        while (at := _data(original.fd, at, size)) < size:
            end = min(size, os.lseek(original.fd, at, os.SEEK_HOLE))
            while at < end:
                if deadline is not None and time.monotonic() > deadline:
                    raise NotEmbedded("time")
                at += _part(original.fd, self.fd, at, min(STEP, end - at))

    def publish(self, original: Original | None, *, times: bool = True) -> None:
        """Give it the original's mode, owner, extended attributes and times, and its name. Raises NotEmbedded when
        somebody has changed the original."""
        if original is not None:
            _dress(self.fd, original, times)
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


def remove_left(path: str) -> None:
    """Remove what a process left behind that was ended while it wrote to the artifact at `path`."""
    real = os.path.realpath(path)
    names = (os.path.join(real, name) for name in DOCUMENTS) if os.path.isdir(real) else (real,)
    for name in names:
        try:
            sweep(draft_of(name))
        except (NotEmbedded, OSError):
            continue  # another one's, or not ours to remove


def check_writable(path: str, facts: os.stat_result) -> None:
    """Raises NotEmbedded for what is not to be changed: by its mode, its owner, its directory."""
    if not stat.S_ISREG(facts.st_mode):
        raise NotEmbedded("not a regular file")
    if not facts.st_mode & 0o222 or not os.access(path, os.W_OK):
        raise NotEmbedded("it is read-only: chmod u+w gives the word that it may be changed")
    if not os.access(os.path.dirname(path) or ".", os.W_OK | os.X_OK):
        raise NotEmbedded("its directory is read-only, and the new version must be made in it")
    if facts.st_uid != os.geteuid() and os.geteuid() != 0:
        raise NotEmbedded("it belongs to another user, and the new version would be yours")


def locked(fd: int, how: int) -> bool:
    """Take a lock, or give it back; False when another process holds it. File systems without locks always say yes."""
    try:
        fcntl.flock(fd, how | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno in NO_LOCKS
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


def _has_writer(fd: int) -> bool:
    """Whether any process of this machine has the file open for writing, as far as the kernel tells its owner: it gives
    no lease for reading then."""
    fcntl.fcntl(fd, fcntl.F_SETSIG, signal.SIGURG)  # whoever opens it in this moment does not end this process
    try:
        fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_RDLCK)
    except OSError as error:
        return error.errno == errno.EAGAIN
    fcntl.fcntl(fd, fcntl.F_SETLEASE, fcntl.F_UNLCK)
    return False


def _identity(facts: os.stat_result) -> tuple[int, ...]:
    return (facts.st_dev, facts.st_ino, facts.st_size, facts.st_mtime_ns, facts.st_ctime_ns)


def _data(fd: int, at: int, size: int) -> int:
    """Where the next bytes lie that are stored; `size` when there are none."""
    try:
        return os.lseek(fd, at, os.SEEK_DATA)
    except OSError as error:
        if error.errno == errno.ENXIO:
            return size
        raise


def _part(source: int, target: int, at: int, length: int) -> int:
    """Copy some bytes; how many. Raises NotEmbedded when there are none."""
    try:
        count = os.copy_file_range(source, target, length, at, at)
    except OSError as error:
        if error.errno not in NO_COPY:
            raise
        count = os.pwrite(target, os.pread(source, min(length, 1 << 20), at), at)
    if not count:
        raise NotEmbedded("it was changed meanwhile: it has become shorter")
    return count


def _dress(fd: int, original: Original, times: bool) -> None:
    """Give it what the original has, and nothing else: a directory gives what is made in it an access list, which the
    original need not have. Its mode comes last, when nobody else is on the list any more."""
    facts = original.facts
    if (facts.st_uid, facts.st_gid) != (os.fstat(fd).st_uid, os.fstat(fd).st_gid):
        try:
            os.fchown(fd, facts.st_uid, facts.st_gid)
        except PermissionError as error:
            raise NotEmbedded("its group is one that you are not in: the new version could not be its own") from error
    own = _extended(original.fd)
    for name in own:
        _ours_to_set(name, os.setxattr, fd, name, os.getxattr(original.fd, name))
    for name in set(_extended(fd)) - set(own):
        _ours_to_set(name, os.removexattr, fd, name)
    os.fchmod(fd, stat.S_IMODE(facts.st_mode))
    if times:
        os.utime(fd, ns=(facts.st_atime_ns, facts.st_mtime_ns))


def _ours_to_set(name: str, change: Callable[..., None], *words: Any) -> None:
    try:
        change(*words)
    except OSError:
        if not name.startswith(OF_THE_SYSTEM):
            raise


def _extended(fd: int) -> list[str]:
    try:
        return os.listxattr(fd)
    except OSError:
        return []  # a file system without them
