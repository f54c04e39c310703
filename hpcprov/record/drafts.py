"""What is written under another name until it is complete, so that a file or directory appears whole or not at all.

    with drafted("out.zarr", replace=False) as draft:    # .out.zarr.draft-4711-1f2e3d4c
        ...                                              # make a file or a directory of that name

A draft is hidden beside its place. Its name has the number of the process that writes: `drafts_of` finds what a process
left that was killed.
"""

from __future__ import annotations

import os
import stat
from contextlib import contextmanager

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator

MOST_NAME = 100  # characters of the name that a draft's own has


@contextmanager
def drafted(path: str, *, replace: bool) -> Iterator[str]:
    """The path of a draft, which gets its name when nothing was raised, and is gone when something was. Raises
    HpcprovError when it cannot be written, or something is there that is not to be replaced."""
    draft = draft_of(path)
    try:
        yield draft
        publish(draft, path, replace=replace)
    except OSError as error:
        raise HpcprovError(f"{path!a} cannot be written: {error.strerror or error}") from error
    finally:
        discard(draft)


def draft_of(path: str) -> str:
    """A new name for a draft of this process."""
    folder, name = os.path.split(path)
    return os.path.join(folder, f"{_begin(name, os.getpid())}{os.urandom(4).hex()}")


def drafts_of(path: str, pid: int) -> list[str]:
    """The drafts that a process has left."""
    folder, name = os.path.split(path)
    try:
        found = os.listdir(folder or ".")
    except OSError:
        return []
    return [os.path.join(folder, one) for one in found if one.startswith(_begin(name, pid))]


def _begin(name: str, pid: int) -> str:
    return f".{name[:MOST_NAME]}.draft-{pid}-"


def take_mode(draft: str, path: str) -> None:
    """Give a draft the mode of what it is to replace, 0600 for one: before anything is written to it. Nothing where
    there is none. Raises OSError."""
    try:
        mode = os.stat(path).st_mode
    except FileNotFoundError:
        return
    os.chmod(draft, stat.S_IMODE(mode) & 0o777)


def publish(draft: str, path: str, *, replace: bool) -> None:
    """Give a draft its name. Raises HpcprovError when something is there that is not to be replaced, OSError."""
    if not os.path.isdir(draft):
        _sync(draft)
        if replace:
            os.replace(draft, path)
        else:
            _name(draft, path)
    elif not os.path.lexists(path):
        os.rename(draft, path)
    elif replace:
        _exchange(draft, path)
    else:
        raise _taken(path)


def _name(draft: str, path: str) -> None:
    """A link, unlike a rename, takes nobody's place."""
    try:
        os.link(draft, path)
    except FileExistsError as error:
        raise _taken(path) from error
    except OSError:
        os.rename(draft, path)  # a file system without hard links


def _exchange(draft: str, path: str) -> None:
    """A directory in the place of another, which comes back when that fails; its name for the moment is none of a
    draft, which others would sweep."""
    folder, name = os.path.split(path)
    old = os.path.join(folder, f".{name[:MOST_NAME]}.replaced-{os.getpid()}-{os.urandom(4).hex()}")
    os.rename(path, old)
    try:
        os.rename(draft, path)
    except BaseException:
        os.rename(old, path)
        raise
    discard(old)


def withdraw(path: str) -> None:
    """Take away what is at `path`, a file or a directory, whole or not at all. Raises HpcprovError."""
    draft = draft_of(path)
    try:
        os.rename(path, draft)
    except OSError as error:
        raise HpcprovError(f"{path!a} cannot be removed: {error.strerror or error}") from error
    discard(draft)


def discard(draft: str) -> None:
    """Remove a file or a directory that may be gone already; what cannot be removed stays."""
    if os.path.isdir(draft) and not os.path.islink(draft):
        import shutil

        shutil.rmtree(draft, ignore_errors=True)
        return
    try:
        os.unlink(draft)
    except OSError:
        pass


def _taken(path: str) -> HpcprovError:
    return HpcprovError(f"{path!a} is there already", hint="--force replaces it")


def _sync(draft: str) -> None:
    fd = os.open(draft, os.O_RDONLY | os.O_CLOEXEC)
    try:
        os.fsync(fd)
    finally:
        os.close(fd)
