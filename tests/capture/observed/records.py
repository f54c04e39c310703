"""Records of an event area made by hand, a file system of tables, and short words for what comes out."""

from __future__ import annotations

import struct
from typing import Any

from hpcprov.capture.observed import Observed, Questions, area

HEAD = struct.Struct("<IHHIIqQQ")
BEGIN = 1_763_712_000_000_000_000  # ns
CWD = "/home/ada/run"
ENVIRON = {"HOME": "/home/ada", "TMPDIR": "/scratch/tmp"}
READ, WRITE, UPDATE = area.READ, area.WRITE | area.CREATE | area.TRUNCATE, area.READ | area.WRITE


def record(
    kind: int,
    *strings: bytes,
    flags: int = 0,
    instance: int = 1,
    pid: int = 100,
    moment: int = 0,
    a: int = 0,
    b: int = 0,
    magic: int = area.COMMITTED,
) -> bytes:
    """One record; `moment`: ns after BEGIN."""
    body = b"".join(text + b"\0" for text in strings)
    size = max((HEAD.size + len(body) + 15) & -16, 48)
    head = HEAD.pack(size << 8 | magic, kind, flags, instance, pid, BEGIN + moment, a, b)
    return (head + body).ljust(size, b"\0")


def program(instance: int, *argv: bytes, parent: int = 0, rank: int = 0, blind: int = 0, **more: Any) -> bytes:
    """A program that begins; its file is its first word below /usr/bin."""
    words = argv or (b"app",)
    numbers = {"a": parent | rank << 32, "b": blind | len(words) << 32}
    return record(area.PROGRAM, b"/usr/bin/" + words[0], CWD.encode(), *words, instance=instance, **numbers, **more)


def access(path: bytes, flags: int, size: int = 0, mtime: int = 0, **more: Any) -> bytes:
    return record(area.ACCESS, below(path), flags=flags, a=size, b=mtime, **more)


def rename(old: bytes, new: bytes, **more: Any) -> bytes:
    return record(area.RENAME, below(old), below(new), **more)


def unlink(path: bytes, **more: Any) -> bytes:
    return record(area.UNLINK, below(path), **more)


def link(old: bytes, new: bytes, **more: Any) -> bytes:
    return record(area.LINK, below(old), below(new), **more)


def below(path: bytes) -> bytes:
    return path if path.startswith((b"/", b"..")) else CWD.encode() + b"/" + path


class Disk(Questions):
    """A file system of tables: `files` by path, (size, mtime) or None for a directory; `links` by path."""

    def __init__(
        self,
        files: dict[str, tuple[int, int] | None] | None = None,
        links: dict[bytes, bytes] | None = None,
        texts: dict[str, str] | None = None,
        *,
        all_there: bool = True,
    ) -> None:
        super().__init__(lambda path: f"digest of {path}")
        self.files, self.links, self.texts, self.all_there = files or {}, links or {}, texts or {}, all_there

    def link(self, path: bytes) -> bytes | None:
        return self.links.get(path)

    def status(self, path: str) -> tuple[str, int, int] | None:
        path = path if path in self.files else path.removeprefix(CWD + "/")
        if path not in self.files:
            kind = "directory" if path.endswith((".zarr", "rain")) else "file"
            return (kind, 9, BEGIN + 99) if self.all_there else None
        found = self.files[path]
        return ("directory", 0, 0) if found is None else ("file", *found)

    def names(self, folder: str) -> list[str]:
        return sorted(
            {path.removeprefix(folder + "/").partition("/")[0] for path in self.texts if path.startswith(folder)}
        )

    def text(self, path: str) -> str:
        return self.texts.get(path, "")


def observed(*records: bytes, disk: Questions | None = None, **more: Any) -> Observed:
    """What comes of these records in one piece."""
    settings = {"cwd": CWD, "environ": ENVIRON, "questions": disk or Disk(), "begin": BEGIN} | more
    seen = Observed(**settings)
    data = b"".join(records)
    assert seen.feed(0, data, 0) == len(data)
    return seen


def latest(*batches: Any) -> dict[str, dict[str, Any]]:
    """What all `access` events together say, by path: the latest entry counts, one that takes back is no entry."""
    found = {}
    for events in batches:
        for event in events:
            if event["event"] == "access":
                found |= {entry["path"]: entry for entry in event["entries"]}
    return {path: entry for path, entry in found.items() if entry["read"] or entry["written"]}


def summary(*records: bytes, **more: Any) -> dict[str, str]:
    """In the end, by path relative to the working directory: r(ead), w(ritten), o(verwritten), g(one)."""
    letters = (("read", "r"), ("written", "w"), ("overwritten", "o"), ("gone", "g"))
    entries = latest(observed(*records, **more).events(final=True))
    return {
        path.removeprefix(CWD + "/"): "".join(letter for key, letter in letters if entry[key])
        for path, entry in entries.items()
    }


def value(seen: Observed) -> dict[str, Any]:
    """The latest observation."""
    return seen.observation()
