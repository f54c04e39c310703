"""A file changed by way of a copy beside it: after a kill at any moment it is the old file or the new one.

    with replacement("step.sif") as draft:      # a copy, in the same folder, with the same mode and owner
        edit(draft.path)
                                                # here it is synced and takes the place of step.sif

Two that change one file at the same time would lose one's changes: the second is refused. Programs that have the file
open keep the old one.
"""

from __future__ import annotations

import errno
import fcntl
import hashlib
import os
from contextlib import contextmanager

from hpcprov.capture.reading import BLOCK, open_regular
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

FICLONE = 0x40049409  # linux/fs.h: share the blocks of another file (Btrfs, XFS, ...)
ZEROS = bytes(BLOCK)
# Beside the copy: new metadata, a signature, what the file system needs.
SPARE = 8 << 20
NO_LOCKS = (errno.ENOLCK, errno.EOPNOTSUPP, errno.EINVAL, errno.EBADF, errno.ENOSYS)


class Draft:
    """The copy: its `path`; `target`, whose place it takes; `source`, a descriptor of the file that is copied."""

    def __init__(self, path: str, target: str, source: int) -> None:
        self.path, self.target, self.source = path, target, source


@contextmanager
def replacement(path: str, output: str | None = None, *, pulse: Callable[[int], None] | None = None) -> Iterator[Draft]:
    """A copy of `path` that takes its place (or becomes `output`, which must not exist) when the block ends well.

    `pulse` is told of the bytes that are copied. Raises OSError, and HpcprovError when the file is in use or changes
    meanwhile, when there is no room, or when the copy could not belong to the same user.
    """
    source_path = os.path.realpath(path)
    target = source_path if output is None else os.path.abspath(output)
    if output is not None and os.path.lexists(target):
        raise HpcprovError(f"{output!a} exists already")
    source = open_regular(source_path)
    try:
        alone = locked(source, path)
        before = state(os.stat(source_path))
        if state(os.fstat(source)) != before:
            raise HpcprovError(f"{path!a} is being changed by another process", hint="try again")
        yield from drafted(source, path, target, alone=alone, pulse=pulse)
    finally:
        os.close(source)


def drafted(
    source: int, path: str, target: str, *, alone: bool, pulse: Callable[[int], None] | None
) -> Iterator[Draft]:
    """Make the draft, hand it out, and put it in place; or remove it, whatever happens."""
    folder, prefix = os.path.dirname(target), draft_prefix(os.path.realpath(path), target)
    if alone:
        forget_drafts(folder, prefix)
    draft = Draft(os.path.join(folder, f"{prefix}{os.urandom(6).hex()}"), target, source)
    before = os.fstat(source)
    try:
        descriptor = create(draft.path, folder)
        try:
            copy(source, descriptor, before.st_size, folder, pulse)
            if target == os.path.realpath(path):
                same_owner(descriptor, before, path)
            same_mode(descriptor, draft.path, before, path)
            yield draft
            os.fsync(descriptor)
        finally:
            os.close(descriptor)
        if state(os.fstat(source)) != state(before) or not is_same(path, before):
            raise HpcprovError(f"{path!a} was changed by another process meanwhile; it stays as it is now")
        put(draft, path)
    except BaseException:  # a signal, too, which may come at any moment
        forget(draft.path)
        raise
    sync(folder)


def put(draft: Draft, path: str) -> None:
    """Give the draft its name."""
    if draft.target == os.path.realpath(path):
        os.rename(draft.path, draft.target)
        return
    try:
        os.link(draft.path, draft.target)  # unlike a rename, this takes nobody's place
    except FileExistsError as error:
        raise HpcprovError(f"{draft.target!a} exists already") from error
    except OSError:
        os.rename(draft.path, draft.target)  # a file system without hard links
        return
    os.unlink(draft.path)


def locked(descriptor: int, path: str) -> bool:
    """Lock the file against others who label it, and against containers that write into it; false where there are no
    locks. Raises HpcprovError when one has it."""
    try:
        fcntl.lockf(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        if error.errno in NO_LOCKS:
            return False
        hint = "try again when it has ended"
        raise HpcprovError(f"{path!a} is being labelled, or written to by a container", hint=hint) from error
    return True


def state(status: os.stat_result) -> tuple[int, ...]:
    """What changes when a file is written to or another one takes its name."""
    return status.st_dev, status.st_ino, status.st_size, status.st_mtime_ns


def is_same(path: str, before: os.stat_result) -> bool:
    """Whether a path still leads to the file that it led to."""
    try:
        return state(os.stat(path)) == state(before)
    except OSError:
        return False


def draft_prefix(source: str, target: str) -> str:
    """How the names of drafts for one file begin, short enough for every file system."""
    digest = hashlib.sha256(f"{source}\0{target}".encode("utf-8", "surrogateescape")).hexdigest()
    return f".hpcprov-label-{digest[:12]}-"


def forget_drafts(folder: str, prefix: str) -> None:
    """Remove drafts that killed processes have left: who has the lock is alone."""
    for name in os.listdir(folder or "."):
        if name.startswith(prefix):
            forget(os.path.join(folder, name))


def create(path: str, folder: str) -> int:
    """A new empty file. Raises HpcprovError when the folder cannot be written to."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    except OSError as error:
        hint = "the image is copied, edited and renamed in its folder; --output FILE writes the labelled copy elsewhere"
        raise HpcprovError(f"no file can be made in {folder!a}: {error.strerror}", hint=hint) from error


def copy(source: int, target: int, size: int, folder: str, pulse: Callable[[int], None] | None) -> None:
    """Copy a file: by sharing its blocks where the file system can, else block by block, holes as holes."""
    try:
        fcntl.ioctl(target, FICLONE, source)
        return
    except OSError:
        check_room(folder, min(size, os.fstat(source).st_blocks * 512))
    os.ftruncate(target, size)
    place = 0
    while place < size:
        block = os.pread(source, min(BLOCK, size - place), place)
        if not block:
            raise HpcprovError("the image became shorter while it was copied")
        if block != ZEROS[: len(block)]:
            write(target, block, place)
        place += len(block)
        if pulse is not None:
            pulse(len(block))


def write(descriptor: int, data: bytes, place: int) -> None:
    """Write all of it."""
    rest = memoryview(data)
    while rest:
        done = os.pwrite(descriptor, rest, place)
        rest, place = rest[done:], place + done


def check_room(folder: str, size: int) -> None:
    """Raises HpcprovError when a copy does not fit, before it is begun."""
    status = os.statvfs(folder)
    free = status.f_bavail * status.f_frsize
    if free < size + SPARE:
        hint = "--output FILE writes the labelled copy to another file system"
        raise HpcprovError(f"{folder!a} has {free} bytes free, and a copy needs {size + SPARE}", hint=hint)


def same_owner(descriptor: int, before: os.stat_result, path: str) -> None:
    """Give the copy the owner of the original. Raises HpcprovError where that may not be."""
    now = os.fstat(descriptor)
    if (now.st_uid, now.st_gid) == (before.st_uid, before.st_gid):
        return
    try:
        os.fchown(descriptor, before.st_uid, before.st_gid)
    except OSError as error:
        hint = "--output FILE writes a labelled copy that is yours"
        owner = f"{before.st_uid}:{before.st_gid}"
        raise HpcprovError(f"{path!a} belongs to {owner}, to whom you cannot give a file", hint=hint) from error


def same_mode(descriptor: int, draft: str, before: os.stat_result, path: str) -> None:
    """Give the copy mode and extended attributes of the original."""
    os.fchmod(descriptor, before.st_mode & 0o7777)
    for name in attributes(path):
        try:
            os.setxattr(draft, name, os.getxattr(path, name))
        except OSError:
            pass  # security labels, which the system gives itself


def attributes(path: str) -> list[str]:
    try:
        return os.listxattr(path)
    except OSError:
        return []


def forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass


def sync(folder: str) -> None:
    """Make a rename last."""
    try:
        descriptor = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
