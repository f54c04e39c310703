"""What the observer's pure part asks of the file system, in one place: replaced by tables in its tests.

    Questions().status(b"/home/ada/run/out.nc") == (True, 8112, 1763712000000000000)

What cannot be asked (closed, gone, a damaged name) is as if it were not there.
"""

from __future__ import annotations

import os
import stat

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable

FILE, DIRECTORY, OTHER = "file", "directory", "other"
TEXT_LIMIT = 1 << 16


class Questions:
    """The answers of the real file system. Paths are bytes, or text with lone surrogates."""

    def __init__(self, digest: Callable[[str], str | None] = lambda path: None) -> None:
        """`digest`: the SHA-256 of a file, None where there is none (yet); asked again at every checkpoint."""
        self.digest = digest

    def link(self, path: bytes) -> bytes | None:
        """Where a symbolic link leads to, as it is written there; None for what is no link."""
        try:
            return os.readlink(path)
        except (OSError, ValueError):
            return None

    def status(self, path: str) -> tuple[str, int, int] | None:
        """What a path is itself, its size (bytes) and time of modification (ns); None when it is not there."""
        try:
            found = os.lstat(path)
        except (OSError, ValueError):
            return None
        kind = FILE if stat.S_ISREG(found.st_mode) else DIRECTORY if stat.S_ISDIR(found.st_mode) else OTHER
        return kind, found.st_size, max(found.st_mtime_ns, 0)

    def names(self, folder: str) -> list[str]:
        """The names in a directory; none where it cannot be read."""
        try:
            return sorted(os.listdir(folder))
        except (OSError, ValueError):
            return []

    def text(self, path: str) -> str:
        """The beginning of a small file; empty where it cannot be read."""
        try:
            with open(
                os.open(path, os.O_RDONLY | os.O_NONBLOCK | os.O_CLOEXEC), encoding="utf-8", errors="replace"
            ) as file:
                return file.read(TEXT_LIMIT)
        except (OSError, ValueError):
            return ""
