"""What a reader gives: a Dataset of Fields, each with a type, a shape and values that can be read box by box.

A box is one half-open range of indices per axis. `Field.read` may be called from several threads at once; it returns
the values of the box as a numpy array in any byte order and padding (`hpcprov.data.values` makes them canonical).

    with open_data("out.h5") as data:
        for field in data.fields:
            print(field.path, field.type.text, field.shape)
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from math import prod
from types import TracebackType
from typing import Any, Literal, TypeAlias

from hpcprov.data.types import Type
from hpcprov.data.values import Values

Box: TypeAlias = tuple[tuple[int, int], ...]
#: Which chunk of the grid, along each axis.
Index: TypeAlias = tuple[int, ...]

#: A chunk that must be decoded whole may not be larger than this.
MAX_CHUNK = 2 << 30


@dataclass(frozen=True)
class Field:
    """One named array. `shape` is None for HDF5's null dataspace, () for a scalar; `chunks` is None without chunks.

    `width` is how many bytes an element takes in memory after reading. `read` gives any box; missing values of a
    nullable column are masked (numpy.ma). `stored` gives the boxes for which the file holds data, all other elements
    being the fill value; None where it cannot tell.

    `chunk` is the way around a library's lock: it reads and decodes one chunk of the grid without holding one, so that
    threads decode at once. It gives the whole chunk, of the extents `chunks` (what lies beyond the array's edge has no
    meaning), or None when the chunk is not stored and holds the value `fill` throughout. A reader that has no such way
    leaves it out, and the engine calls `read`. Chunks have no masks.

    `several` gives many small chunks at once, as `chunk` gives each, where that takes fewer calls: threads that decode
    for microseconds wait for each other rather than work.

    `divisible` says that `read` fetches part of a chunk without the rest, as it lies in the file: chunks too large for
    memory are then read box by box."""

    path: bytes
    type: Type
    shape: tuple[int, ...] | None
    chunks: tuple[int, ...] | None
    width: int
    read: Callable[[Box], Values]
    stored: Callable[[], Iterator[Box] | None] = lambda: None
    chunk: Callable[[Index], Values | None] | None = None
    fill: Values | None = None
    divisible: bool = False
    several: Callable[[list[Index]], list[Values | None]] | None = None

    @property
    def octets(self) -> int:
        """What all of its elements take in memory."""
        return 0 if self.shape is None else prod(self.shape) * self.width

    @property
    def name(self) -> str:
        """The path as text; bytes that are not UTF-8 become lone surrogates (PEP 383)."""
        return self.path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Unread:
    """A field whose values are not read, since the rules give its type no signature: its `place` among all fields, the
    `type` as its library calls it, its shape, and the `reason`."""

    name: str
    place: int
    type: str
    shape: tuple[int, ...]
    reason: str


@dataclass(frozen=True)
class Dataset:
    """The fields of one artifact, and its format as docs/frames.md names it.

    The fields of a `tree` are in unsigned byte order of their paths, those of a `table` in the order of its columns.
    `links` are other names within the artifact and what they say (HDF5's soft links): shown, and no part of any digest.
    `files` are the other files that were read because it was asked to follow; `unread` are the fields that were left
    out because it was asked for those that can be read."""

    format: str
    fields: tuple[Field, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)
    kind: Literal["tree", "table"] = "tree"
    links: tuple[tuple[bytes, bytes], ...] = ()
    files: tuple[str, ...] = ()
    unread: tuple[Unread, ...] = ()

    def __enter__(self) -> Dataset:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


def ordered(fields: list[Field]) -> tuple[Field, ...]:
    """The fields in unsigned byte order of their paths."""
    return tuple(sorted(fields, key=lambda item: item.path))


def lengths(box: Box) -> tuple[int, ...]:
    """How many elements a box holds along each axis."""
    return tuple(stop - start for start, stop in box)


def slices(box: Box) -> tuple[slice, ...]:
    """The box as numpy takes it."""
    return tuple(slice(start, stop) for start, stop in box)


def part(box: Box) -> Any:
    """The box as an index that gives an array even of a scalar."""
    return (*slices(box), ...)
