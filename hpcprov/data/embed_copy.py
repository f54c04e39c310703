"""A copy of a file between two descriptors: its bytes, holes left holes, then what else it has.

copy_data(source, target)                   # shares blocks where the file system can
dress(target, source, facts, times=True)    # mode, owner, access list, extended attributes, times
"""

from __future__ import annotations

import errno
import fcntl
import os
import stat
import time
from collections.abc import Callable
from typing import Any

from hpcprov.data.embed_original import NotEmbedded

#: ioctl of the copy that shares its blocks, on file systems that can (btrfs, XFS, bcachefs, ZFS).
FICLONE = 0x40049409
STEP = 64 << 20
#: What a file system answers that cannot copy by itself.
NO_COPY = (errno.EXDEV, errno.ENOSYS, errno.EOPNOTSUPP, errno.EINVAL, errno.EPERM, errno.ETXTBSY)
#: Extended attributes that only the system sets: their loss is no loss.
OF_THE_SYSTEM = ("security.", "trusted.", "system.nfs4_acl")


def copy_data(source: int, target: int, *, deadline: float | None = None) -> None:
    """Make the empty file `target` (both are descriptors) hold what `source` holds, sharing its blocks where the file
    system can, until `deadline` (`time.monotonic()` seconds). Raises NotEmbedded where there is not enough space or
    time, OSError."""
    try:
        fcntl.ioctl(target, FICLONE, source)
    except OSError:
        _copy(source, target, deadline)


def _copy(source: int, target: int, deadline: float | None) -> None:
    facts, room = os.fstat(source), os.fstatvfs(target)
    size = facts.st_size
    needed, free = min(size, facts.st_blocks * 512), room.f_bavail * room.f_frsize
    if needed > free:
        raise NotEmbedded(f"a copy needs {needed} bytes, and {free} are free on its file system")
    os.ftruncate(target, size)
    at = 0
    while (at := _data(source, at, size)) < size:
        end = min(size, os.lseek(source, at, os.SEEK_HOLE))
        while at < end:
            if deadline is not None and time.monotonic() > deadline:
                raise NotEmbedded("time")
            at += _part(source, target, at, min(STEP, end - at))


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


def dress(fd: int, source: int, facts: os.stat_result, *, times: bool) -> None:
    """Give the file `fd` the extended attributes of `source`, and the mode, owner and `times` of its `facts`, taken
    before it was read; and nothing else: a directory gives what is made in it an access list, which the source need
    not have. The mode comes last, when nobody else is on the list any more. Raises OSError, and NotEmbedded for a
    group that is not the user's."""
    if (facts.st_uid, facts.st_gid) != (os.fstat(fd).st_uid, os.fstat(fd).st_gid):
        try:
            os.fchown(fd, facts.st_uid, facts.st_gid)
        except PermissionError as error:
            raise NotEmbedded("its group is one that you are not in: the new version could not be its own") from error
    own = _extended(source)
    for name in own:
        _ours_to_set(name, os.setxattr, fd, name, os.getxattr(source, name))
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
