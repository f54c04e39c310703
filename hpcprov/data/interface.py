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
from types import TracebackType
from typing import Any, TypeAlias

from hpcprov.data.types import Type
from hpcprov.data.values import Values

Box: TypeAlias = tuple[tuple[int, int], ...]

#: A chunk that must be decoded whole may not be larger than this.
MAX_CHUNK = 2 << 30


@dataclass(frozen=True)
class Field:
    """One named array. `shape` is None for HDF5's null dataspace, () for a scalar; `chunks` is None without chunks.

    `width` is how many bytes an element takes in memory after reading. `stored` gives the boxes for which the file
    holds data, all other elements being the fill value; None where it cannot tell."""

    path: bytes
    type: Type
    shape: tuple[int, ...] | None
    chunks: tuple[int, ...] | None
    width: int
    read: Callable[[Box], Values]
    stored: Callable[[], Iterator[Box] | None] = lambda: None

    @property
    def name(self) -> str:
        """The path as text; bytes that are not UTF-8 become lone surrogates (PEP 383)."""
        return self.path.decode("utf-8", "surrogateescape")


@dataclass(frozen=True)
class Dataset:
    """The fields of one artifact, in unsigned byte order of their paths, and its format as docs/frames.md names it."""

    format: str
    fields: tuple[Field, ...] = ()
    close: Callable[[], None] = field(default=lambda: None)

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
