"""The file that a change will replace: it is only read, and refused when it is not to be changed or somebody writes it.

with Original("/data/out.nc") as original:
    original.check_writers()     # nobody has it open for writing
    original.check_unchanged()   # and it is the file that was opened
"""

from __future__ import annotations

import errno
import fcntl
import os
import signal
import stat
from types import TracebackType
from typing import Self

from hpcprov.record.errors import HpcprovError

#: What a file system answers that has no such call.
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.ENOSYS, errno.EBADF, errno.EINVAL)


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
