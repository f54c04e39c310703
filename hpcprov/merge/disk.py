"""Writing so that a kill, a full disk or a second writer leaves either the old state or the new one.

put(store, "/scratch/.hpcprov/runs/x/record.json", b"{}")
"""

from __future__ import annotations

import os

from hpcprov.record.layout import temporary

TYPE_CHECKING = False
if TYPE_CHECKING:
    from hpcprov.record.layout import Store


def put(store: Store, path: str, data: bytes) -> None:
    """Give the file `path` the content `data`, synced, by one rename. Raises OSError; nothing is then left behind."""
    draft = temporary(store)
    try:
        write_new(draft, data)
        os.rename(draft, path)
    except BaseException:
        forget(draft)
        raise
    sync_directory(os.path.dirname(path))


def write_new(path: str, data: bytes) -> None:
    """Write and sync a file that did not exist. Raises OSError."""
    fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o666)
    with open(fd, "wb") as file:
        file.write(data)
        file.flush()
        os.fsync(file.fileno())


def keep(store: Store, path: str, name: str) -> None:
    """Let the file `path` also have the `name` beside it, before another takes its place; a taken name stays."""
    other = os.path.join(os.path.dirname(path), name)
    try:
        os.link(path, other, follow_symlinks=False)
    except FileExistsError:
        return
    except OSError:  # a file system without hard links
        with open(path, "rb") as file:
            put(store, other, file.read())


def sync_directory(path: str) -> None:
    """Make renames in a directory durable, where the file system can."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    except OSError:
        return
    try:
        os.fsync(fd)
    except OSError:
        pass
    finally:
        os.close(fd)


def touch(directory: str) -> None:
    """Let a directory's mtime tell that something in it has changed; that of another user stays as it is."""
    try:
        os.utime(directory)
    except OSError:
        pass


def forget(path: str) -> None:
    """Remove a file or an emptied directory that may be gone already; what cannot be removed stays."""
    try:
        os.unlink(path)
    except OSError:
        try:
            os.rmdir(path)
        except OSError:
            pass


def clear(directory: str) -> None:
    """Remove a directory of tickets or claims with what is in it, following no link."""
    try:
        with os.scandir(directory) as entries:
            found = [(entry.path, entry.is_dir(follow_symlinks=False)) for entry in entries]
    except OSError:
        return
    for path, is_directory in found:
        if is_directory:
            clear(path)
        else:
            forget(path)
    forget(directory)


def server_time(directory: str) -> float | None:
    """Now by the file server's clock, s since the epoch: the mtime of a file just made. None where none can be made."""
    probe = os.path.join(directory, f".clock-{os.getpid()}-{os.urandom(4).hex()}")
    try:
        fd = os.open(probe, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC, 0o600)
    except OSError:
        return None
    try:
        return os.fstat(fd).st_mtime
    finally:
        os.close(fd)
        forget(probe)
