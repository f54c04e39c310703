"""A table read column by column: the rows lie in groups (row groups, record batches, blocks of text), and a group gives
one column's values as Arrow arrays, one after another.

A thread keeps its place: the group it is in, and the last array of it. Boxes that follow each other so cost one pass;
no more than one array for each thread is held, whatever the size of a group.

    Table(starts=[0, 1000], rows=1500, arrays=..., empty=...).field("t", 0, kind, width=8)
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from threading import local
from typing import Any

from hpcprov.data.arrow_values import numpy_of
from hpcprov.data.interface import Box, Field
from hpcprov.data.open import reason
from hpcprov.data.types import Type, Unsigned
from hpcprov.data.values import Values, joined
from hpcprov.record.errors import HpcprovError, UnreadableData

#: What an element of variable length takes in memory beside its bytes.
OVERHEAD = 64


@dataclass
class _Place:
    """Where a thread is: `first` is the row at which `array` begins."""

    column: int
    group: int
    first: int
    array: Any
    rest: Iterator[Any]


@dataclass
class Table:
    """`starts` are the rows at which groups begin, `arrays(column, group)` gives the values of one, `empty(column)` an
    array of no rows."""

    starts: list[int]
    rows: int
    arrays: Callable[[int, int], Iterator[Any]]
    empty: Callable[[int], Any]
    places: local = field(default_factory=local)

    def field(self, name: str, column: int, kind: Type, *, length: int = 0) -> Field:
        """A column as a field; `length` is the bytes that an element of variable length has on average."""
        width = kind.size if kind.size is not None else OVERHEAD + length
        return Field(
            name.encode("utf-8", "surrogatepass"), kind, (self.rows,), self._grain(), width, self._reader(name, column)
        )

    def _grain(self) -> tuple[int, ...] | None:
        """The rows of the first group, which others have as a rule."""
        return (self.starts[1],) if len(self.starts) > 1 and self.starts[1] else None

    def _reader(self, name: str, column: int) -> Callable[[Box], Values]:
        def read(box: Box) -> Values:
            try:
                return self._read(column, *box[0])
            except Unsigned as refusal:
                raise Unsigned(f"{name}: {refusal}") from refusal
            except (HpcprovError, MemoryError):
                raise
            except Exception as error:
                raise UnreadableData(f"{name}: cannot be decoded: {reason(error)}") from error

        return read

    def _read(self, column: int, start: int, stop: int) -> Values:
        if start == stop:
            return numpy_of(self.empty(column))
        parts = []
        while start < stop:
            place = self._place(column, start)
            part = place.array.slice(start - place.first, stop - start)
            parts.append(numpy_of(part))
            start += len(part)
        return joined(parts)

    def _place(self, column: int, row: int) -> _Place:
        """The thread's place, moved to where the array holds the row."""
        group = bisect_right(self.starts, row) - 1
        place: _Place | None = getattr(self.places, "now", None)
        if place is None or (place.column, place.group) != (column, group) or place.first > row:
            self.places.now = place = _Place(column, group, self.starts[group], None, self.arrays(column, group))
        while place.array is None or place.first + len(place.array) <= row:
            place.first += 0 if place.array is None else len(place.array)
            place.array = next(place.rest, None)
            if place.array is None:
                self.places.now = None
                raise UnreadableData(f"ends after {place.first} of {self.rows} rows")
            # Offsets and indices may point anywhere until they are looked at.
            place.array.validate(full=True)
        return place
