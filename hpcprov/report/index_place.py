"""The directory of an index: which pages are there, what they were made from, and how a page gets a new content.

place = Place("hpcprov-index", force=False)
place.put("2026-11.html", html)  ->  True          place.made_from("2026-11.html")  ->  "6f7c09d5..."
"""

from __future__ import annotations

import errno
import os
import re
from urllib.parse import quote

from hpcprov.record.errors import HpcprovError

MONTHS = re.compile(r"[0-9]{4}-[0-9]{2}\.html|undated\.html")
MARK = b'<meta name="generator" content="hpcprov '
MADE_FROM = re.compile(rb'data-made-from="([0-9a-f]{64})"')
HEAD = 65_536


class Place:
    """The directory of an index: only names in it are read and written, and no link is followed."""

    def __init__(self, directory: str, *, force: bool) -> None:
        self.directory, self.force = directory, force
        self.names = set(os.listdir(directory))

    def report(self, run_id: str) -> str | None:
        """The address of a run's own report, if it lies here."""
        name = f"report-{run_id}.html"
        return quote(name) if name in self.names else None

    def made_from(self, name: str) -> str | None:
        """The digest that a page bears."""
        found = MADE_FROM.search(self._head(name))
        return found[1].decode() if found else None

    def put(self, name: str, text: str) -> bool:
        """Give a page its content, by one rename; is it another one than before? Raises HpcprovError when the name is
        taken by what is no page of ours."""
        data = text.encode("utf-8", "backslashreplace")
        if self._same(name, data):
            return False
        if name in self.names and not self.force and MARK not in self._head(name):
            raise HpcprovError(
                f"{os.path.join(self.directory, name)!a} is no page of an index", hint="--force overwrites it"
            )
        draft = os.path.join(self.directory, f".draft-{os.getpid()}-{os.urandom(6).hex()}")
        try:
            flags = os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW | os.O_CLOEXEC
            with open(os.open(draft, flags, 0o666), "wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            os.replace(draft, os.path.join(self.directory, name))
        except BaseException:
            _forget(draft)
            raise
        return True

    def remove_others(self, kept: set[str]) -> int:
        """Remove pages of months that have no run any more; how many."""
        old = [name for name in self.names if MONTHS.fullmatch(name) and name not in kept and MARK in self._head(name)]
        for name in old:
            _forget(os.path.join(self.directory, name))
        return len(old)

    def _head(self, name: str) -> bytes:
        return self._read(name, HEAD) or b""

    def _same(self, name: str, data: bytes) -> bool:
        return self._read(name, len(data) + 1) == data

    def _read(self, name: str, most: int) -> bytes | None:
        """The beginning of a regular file here; of a link, a pipe or nothing at all None."""
        if name not in self.names:
            return None
        try:
            fd = os.open(os.path.join(self.directory, name), os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
            with open(fd, "rb") as file:
                return file.read(most)
        except OSError as error:
            if error.errno in (errno.ENOENT, errno.ELOOP, errno.ENXIO, errno.EISDIR, errno.EACCES):
                return None
            raise


def _forget(path: str) -> None:
    try:
        os.unlink(path)
    except OSError:
        pass
