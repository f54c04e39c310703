"""The numbered versions of one small document in a directory: 1.json, 2.json, ... Standard library only.

    publish(folder, 3, b"{...}")    # Taken, when somebody else has written a third version meanwhile
    numbers(folder)                 ->  [1, 2, 3]

A version is written whole, under a name that starts with a dot, and then gets its own by a hard link, which only one
of two writers can do. A kill leaves the versions before; the last few stay.
"""

from __future__ import annotations

import errno
import json
import os
import re
import time

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

VERSION = re.compile(r"([1-9][0-9]{0,8})\.json")
DRAFT = ".draft-"
LEFT = 24 * 3600  # s after which a draft is nobody's
KEPT = 20
LARGEST = 64 << 20  # bytes of one version
NEW = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
READ = os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC | os.O_NONBLOCK
#: What a file system without hard links says.
NO_LINKS = (errno.EPERM, errno.ENOTSUP, errno.EOPNOTSUPP, errno.ENOSYS, errno.EMLINK)


class Taken(HpcprovError):
    """Somebody else has written a version meanwhile."""


def numbers(folder: str) -> list[int]:
    """The versions that are there, the newest last."""
    try:
        names = os.listdir(folder)
    except OSError:
        return []
    return sorted(int(match[1]) for match in map(VERSION.fullmatch, names) if match)


def place(folder: str, number: int) -> str:
    return os.path.join(folder, f"{number}.json")


def read(path: str) -> dict[str, Any] | None:
    """The JSON object in a file; None for anything else."""
    try:
        with open(os.open(path, READ), "rb") as file:
            if os.fstat(file.fileno()).st_size > LARGEST:
                return None
            told = json.loads(file.read(LARGEST))
    except (OSError, ValueError, RecursionError, MemoryError):
        return None
    return told if type(told) is dict else None


def publish(folder: str, number: int, content: bytes) -> None:
    """Write a version, and let old ones go. Raises Taken when it is there, or a later one; OSError."""
    os.makedirs(folder, exist_ok=True)
    path, draft = place(folder, number), os.path.join(folder, f"{DRAFT}{os.getpid()}-{os.urandom(6).hex()}")
    try:
        _write(draft, content)
        try:
            os.link(draft, path)
        except OSError as error:
            if error.errno not in NO_LINKS:
                raise
            _write(path, content)
    except FileExistsError as error:
        raise Taken(f"version {number} was written by somebody else") from error
    finally:
        _forget(draft)
    if numbers(folder)[-1] != number:  # it had been there, and had gone as an old one
        _forget(path)
        raise Taken(f"versions after {number} were written by somebody else")
    _tidy(folder)


def replace(path: str, content: bytes) -> None:
    """Write a file that takes the place of an earlier one."""
    os.makedirs(os.path.dirname(path), exist_ok=True)
    draft = f"{path}.{os.getpid()}-{os.urandom(6).hex()}"
    try:
        _write(draft, content)
        os.rename(draft, path)
    except BaseException:
        _forget(draft)
        raise


def _write(path: str, content: bytes) -> None:
    with open(os.open(path, NEW, 0o666), "wb") as file:
        file.write(content)
        file.flush()
        os.fsync(file.fileno())


def _tidy(folder: str) -> None:
    """Let old versions go, and what writers that were killed have left."""
    for old in numbers(folder)[:-KEPT]:
        _forget(place(folder, old))
    for name in os.listdir(folder):
        if name.startswith(DRAFT) and _age(os.path.join(folder, name)) > LEFT:
            _forget(os.path.join(folder, name))


def _age(path: str) -> float:
    """Seconds since a file was written; 0 when it is gone."""
    try:
        return time.time() - os.lstat(path).st_mtime
    except OSError:
        return 0.0


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
