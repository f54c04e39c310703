"""Directories of event areas (launcher/area.c): found for a descriptor, removed when nobody uses them any more.

An area whose lock can be had alone belongs to nobody: its launchers were killed, and so was their agent.
"""

from __future__ import annotations

import fcntl
import os
import re
import stat
import time

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Mapping

NAME = re.compile(r"hpcprov-([0-9]+)-[0-9a-f]{32}")
AREA = "area"
# s: a spool without an area may be in the making; launchers let go of an area before a slow agent holds it.
YOUNG = 60.0


def places(environ: Mapping[str, str] = os.environ) -> list[str]:
    """Where launchers make spools."""
    temporary = environ.get("TMPDIR", "")
    return ["/dev/shm", *([temporary] if temporary.startswith("/") else []), "/tmp"]


def of(log: str) -> str:
    """The name of the spool of a node's log."""
    import hashlib

    return f"hpcprov-{os.geteuid()}-{hashlib.sha256(os.fsencode(log)).hexdigest()[:32]}"


def find(log: str, identity: tuple[int, int], environ: Mapping[str, str] = os.environ) -> str | None:
    """The spool that holds an area (device, inode) of this log; None where it cannot be seen from here."""
    for place in places(environ):
        path = f"{place}/{of(log)}"
        try:
            status = os.stat(f"{path}/{AREA}", follow_symlinks=False)
        except OSError:
            continue
        if (status.st_dev, status.st_ino) == identity:
            return path
    return None


def remove(path: str) -> None:
    """Everything in a spool and the spool; nothing follows a link."""
    try:
        fd = os.open(path, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError:
        return
    try:
        for name in os.listdir(fd):
            try:
                os.unlink(name, dir_fd=fd)
            except OSError:
                pass  # not ours
    finally:
        os.close(fd)
    try:
        os.rmdir(path)
    except OSError:
        pass


def sweep(environ: Mapping[str, str] = os.environ) -> None:
    """Remove this user's spools that nobody uses."""
    for place in places(environ):
        try:
            names = os.listdir(place)
        except OSError:
            continue
        for name in names:
            found = NAME.fullmatch(name)
            if found and int(found[1]) == os.geteuid() and is_dead(f"{place}/{name}"):
                remove(f"{place}/{name}")


def is_dead(path: str) -> bool:
    """Whether a spool is ours, nobody holds its area, and nobody is about to."""
    try:
        status = os.stat(path, follow_symlinks=False)
        if not stat.S_ISDIR(status.st_mode) or status.st_uid != os.geteuid():
            return False
        fd = os.open(f"{path}/{AREA}", os.O_RDWR | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
    except FileNotFoundError:
        return time.time() - status.st_mtime > YOUNG
    except OSError:
        return False
    try:
        if time.time() - os.fstat(fd).st_mtime <= YOUNG:
            return False
        fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        return True
    except OSError:
        return False
    finally:
        os.close(fd)
