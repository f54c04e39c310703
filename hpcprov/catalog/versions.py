"""Versions of artifacts as lineage meets them, and what it asks a catalog for: many at once, no more than needed.

    version.key  ->  "hpcprov1:cce8105d..."        two versions with the same key hold the same values

The key is the signature of the values, else the digest of the bytes, else the path and the run that left it there. What
holds next to nothing (an empty file, `done`) is alike without being the same: its key has its path in it.
"""

from __future__ import annotations

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable
    from typing import Any, Protocol, TypeAlias

    #: What versions are looked up by: "signature", "storage", "path", or "field" (the signature of one of theirs).
    By: TypeAlias = str

# Fewer bytes than these are equal by chance.
TELLING = 64
#: The `state` of what a run is known to have had only because it gave it another name.
RENAMED = "renamed"
#: That of a program that a run executed: of its content nothing is known here.
EXECUTED = "executed"


class Version:
    """One row of a record's artifacts, with what matters of its run: `run` (id), `root`, `role`, `path`, `state`,
    `format`, `size`, `mtime`, `signature`, `storage`, `renamed_from`, `fields` (their number); `number`, by which its
    fields are looked up; `began` and `ended`, the run's (ISO text, "" when unknown), and the run's `parent`."""

    __slots__ = (
        *("began", "ended", "fields", "format", "mtime", "number", "parent", "path", "renamed_from", "role", "root"),
        *("run", "signature", "size", "state", "storage"),
    )

    def __init__(self, run: str, role: str, path: str, *, number: Any = None, root: str = "") -> None:
        self.run, self.role, self.path, self.number, self.root = run, role, path, number, root
        self.state = "ok"
        self.format: str | None = None
        self.size: int | None = None
        self.mtime: int | None = None
        self.signature: str | None = None
        self.storage: str | None = None
        self.renamed_from: str | None = None
        self.parent: str | None = None
        self.fields = 0
        self.began = self.ended = ""

    @property
    def is_telling(self) -> bool:
        """Does it hold enough for equal values to mean a common origin?"""
        return self.size is None or self.size >= TELLING

    @property
    def digest(self) -> str | None:
        return self.signature or self.storage

    @property
    def key(self) -> str:
        if self.digest is not None:
            return self.digest if self.is_telling else f"{self.path}@{self.digest}"
        return f"{self.path}@{self.run}" if self.role == "generated" else self.path

    def differs(self, other: Version) -> bool:
        """Is it known that both do not hold the same?"""
        if self.signature is not None and other.signature is not None:
            return self.signature != other.signature
        if self.storage is not None and other.storage is not None:
            return self.storage != other.storage
        return None not in (self.size, other.size) and self.size != other.size


class Field:
    """A field of a version: `path` in it, `signature`, `shape` (None: a null dataspace), and `bytes` or None."""

    __slots__ = ("bytes", "path", "shape", "signature")

    def __init__(self, path: str, signature: str, shape: list[int] | None, size: int | None) -> None:
        self.path, self.signature, self.shape, self.bytes = path, signature, shape, size


def telling(fields: list[Field]) -> list[Field]:
    """The fields whose values say where they come from: neither small ones nor coordinates, which all data on one grid
    have in common. A coordinate is a field of one axis beside another one with more axes, one of them as long."""
    lengths = {length for field in fields if field.shape is not None and len(field.shape) > 1 for length in field.shape}
    return [
        field
        for field in fields
        if (field.bytes is None or field.bytes >= TELLING)
        and field.shape
        and not (len(field.shape) == 1 and field.shape[0] in lengths)
    ]


if TYPE_CHECKING:

    class Lookups(Protocol):
        """What lineage asks; each call is one question about many."""

        def runs(self, ids: Iterable[str]) -> dict[str, dict[str, object]]:
            """What a graph tells of runs, by id; ids without a record are left out."""

        def artifacts(self, runs: Iterable[str], role: str) -> list[Version]:
            """What these runs used or generated, sorted by run and path."""

        def counts(self, by: By, values: Iterable[str], role: str) -> dict[str, int]:
            """How many versions in this role have each value."""

        def found(self, by: By, values: Iterable[str], role: str, most: int) -> list[tuple[str, Version]]:
            """Those versions with the value that they were found by, at most so many."""

        def latest(self, by: By, value: str, before: str, path: str | None = None) -> list[Version]:
            """The few generated versions with this value whose runs began last before a moment."""

        def first_seen(self, by: By, values: Iterable[tuple[str, str | None]]) -> dict[tuple[str, str | None], str]:
            """When the first run began that used this value at this path: of pairs of value and path (of a field None,
            for anywhere)."""

        def fields(self, versions: Iterable[Version]) -> dict[object, list[Field]]:
            """The fields of versions, by their number."""

        def programs(self, runs: Iterable[str]) -> list[Version]:
            """The programs that these runs executed, as used versions that are EXECUTED, unless an artifact of the run
            tells of them; they end when their runs begin, since what is made later is another program."""

        def executed(self, paths: Iterable[str], most: int) -> list[Version]:
            """Those at these paths, at most so many."""

        def executed_below(self, directory: str, most: int) -> list[Version]:
            """Those below a directory, at most so many."""

        def below(self, directory: str, role: str, most: int) -> list[Version]:
            """The versions of what lies below a directory, at most so many, those of the latest runs first."""
