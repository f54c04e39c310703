"""A field read piece by piece, each piece as a flat block of elements that can be compared, with what is missing.

    reader = Reader(field, missing=[-9999.0])
    for box in reader.boxes():
        for block in reader.blocks(box):
            block.values, block.missing, block.low, block.high

Numbers come as numbers, times and durations as int64 counts of their unit, text as a list of str. Missing are NaN, NaT,
nulls, and what the field's attributes declare to be so. A chunk that is not stored is one element that stands for all.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from math import prod
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

from hpcprov.data.interface import Box, Field, lengths, part
from hpcprov.data.types import Binary, Plain, Text, Type
from hpcprov.data.values import NOT_A_TIME, Values, encode_each, missing_of, pack, text_of
from hpcprov.quality.elements import numbers_of
from hpcprov.signature import plan

Flags: TypeAlias = NDArray[np.bool_]

#: Bytes that are read at once, and elements that are looked at at once: so many stay in a processor's cache.
LIMIT, AT_ONCE = 16 << 20, 1 << 18
#: Smaller chunks are read many at a time.
SMALL_CHUNK = 64 << 10
#: Elements of unknown length are first read so many at once.
FIRST, STRIDE = 256, 1 << 16
#: What a text takes in memory beside its bytes: a byte string and a string, and the places that point to them.
TEXT = 160

FAMILIES = {
    "bool": "bool", "bf16": "real", "c8": "complex", "c16": "complex",
    **{f"{kind}{size}": "int" for kind in "iu" for size in (1, 2, 4, 8)}, **{f"f{size}": "real" for size in (2, 4, 8)},
}  # fmt: skip
#: Families whose elements are numbers.
NUMERIC = ("bool", "int", "real")


def family_of(kind: Type) -> str:
    """What a type is to constraints: bool, int, real, date, string as in TDDA, or complex, duration, other."""
    if isinstance(kind, Text):
        return "other" if isinstance(kind, Binary) else "string"
    if isinstance(kind, Plain) and kind.text[:2] in ("M8", "m8"):
        return "date" if kind.text.startswith("M8") else "duration"
    return FAMILIES.get(kind.text, "other")


@dataclass
class Block:
    """Elements in C order of their `box`. `low` and `high` are the smallest and largest that are not missing, as Python
    values; None for types without order, and where all are missing. Of a `blank` block there is one element, which all
    of the box are equal to."""

    box: Box
    values: Any
    missing: Flags | None
    low: Any = None
    high: Any = None
    blank: bool = False

    @property
    def count(self) -> int:
        return 1 if self.blank else prod(lengths(self.box))

    @property
    def weight(self) -> int:
        """How many elements of the field each one stands for."""
        return prod(lengths(self.box)) if self.blank else 1

    def there(self, flags: Flags) -> Flags:
        """The flags without those of missing elements."""
        return flags if self.missing is None else flags & ~self.missing

    def present(self) -> Flags:
        return np.ones(self.count, np.bool_) if self.missing is None else ~self.missing


class Reader:
    """Reads one field. `missing` are values that stand for missing ones; `empty_is_missing`: so does an empty text.
    With `whole`, what is not stored is read like all else."""

    def __init__(
        self, field: Field, *, missing: Sequence[Any] = (), empty_is_missing: bool = False, whole: bool = False
    ) -> None:
        self.field, self.missing, self.empty_is_missing = field, missing, empty_is_missing
        self.family = family_of(field.type)
        size = prod(field.chunks or ()) * field.width
        self.by_chunk = (
            field.chunk is not None and field.fill is not None and field.chunks is not None
            and size >= SMALL_CHUNK and not (field.divisible and size > 4 * LIMIT) and not whole
        )  # fmt: skip
        #: Bytes that an element of unknown length has taken at most, on average of a block.
        self.average = 0.0

    @property
    def count(self) -> int:
        return 0 if self.field.shape is None else prod(self.field.shape)

    def boxes(self) -> Iterator[Box]:
        """Boxes that cover the field in C order, as many elements in each as may be held."""
        if not self.count:
            return
        shape = self.field.shape or ()
        whole = tuple((0, extent) for extent in shape)
        if self.by_chunk:
            yield from plan.boxes(whole, self.field.chunks or ())
        elif self.field.type.size is not None and len(shape) != 1:
            yield from plan.boxes(whole, self._extents(shape))
        else:
            for stride in plan.pieces(whole, max(STRIDE, LIMIT // max(1, self.field.width))):
                yield from self._pieces(stride)

    def _pieces(self, box: Box) -> Iterator[Box]:
        """One box after the other, each as large as those before it allow."""
        if len(box) != 1:
            yield from plan.pieces(box, self._most())
            return
        at, end = box[0]
        while at < end:
            stop = min(end, at + self._most())
            yield ((at, stop),)
            at = stop

    def _most(self) -> int:
        if self.field.type.size is None and not self.average:
            return FIRST
        return max(1, int(LIMIT // max(1, self.field.width, self.average)))

    def _extents(self, shape: tuple[int, ...]) -> tuple[int, ...]:
        """Whole chunks, as many as may be held; without chunks whole rows."""
        chunks = self.field.chunks or (1,) * len(shape)
        if self.field.divisible and prod(chunks) * self.field.width > LIMIT:
            chunks = (1,) * len(shape)
        extents = [max(1, min(chunk, extent)) for chunk, extent in zip(chunks, shape, strict=True)]
        for axis in reversed(range(len(extents))):
            room = LIMIT // (max(1, self.field.width) * max(1, prod(extents)))
            if room < 2:
                break
            extents[axis] = min(shape[axis] or 1, extents[axis] * room)
        return tuple(extents)

    def blocks(self, box: Box) -> Iterator[Block]:
        """The elements of a box. Raises what the field's reader raises."""
        values = self._chunk(box) if self.by_chunk else self.field.read(box)
        if values is None:
            yield self._blank(box)
            return
        for piece in plan.pieces(box, AT_ONCE):
            within = tuple((start - at, stop - at) for (start, stop), (at, _) in zip(piece, box, strict=True))
            yield self._block(piece, values[part(within)])

    def _chunk(self, box: Box) -> Values | None:
        assert self.field.chunk is not None and self.field.chunks is not None
        index = tuple(start // chunk for (start, _), chunk in zip(box, self.field.chunks, strict=True))
        values = self.field.chunk(index)
        return None if values is None else values[tuple(slice(0, extent) for extent in lengths(box))]

    def _blank(self, box: Box) -> Block:
        assert self.field.fill is not None
        fill = np.asarray(self.field.fill)
        one = self._block(tuple((0, 1) for _ in box), fill.reshape((1,) * len(box) + fill.shape))
        one.box, one.blank = box, True
        return one

    def _block(self, box: Box, values: Values) -> Block:
        count = prod(lengths(box))
        missing = missing_of(values, count)
        plain = np.ma.getdata(values)
        if self.family == "string":
            return self._texts(box, plain, missing)
        if self.family in ("complex", "other"):
            inner = plain.shape[len(box) :]
            return Block(box, plain.reshape((count, *inner)), missing)
        flat = self._numbers(plain)
        missing = _joined(missing, self._declared(flat))
        block = Block(box, flat, missing)
        there = flat if missing is None else flat[~missing]
        if there.size:
            block.low, block.high = there.min().item(), there.max().item()
        return block

    def _declared(self, flat: NDArray[Any]) -> Flags | None:
        """The numbers that stand for missing ones."""
        missing = None
        if flat.dtype.kind == "f" and np.isnan(flat.min()):
            missing = np.isnan(flat)
        elif self.family in ("date", "duration"):
            missing = flat == NOT_A_TIME
        for value in self.missing:
            missing = _joined(missing, flat == value)
        return missing if missing is not None and missing.any() else None

    def _numbers(self, values: Values) -> NDArray[Any]:
        """Numbers and times in the machine's order; a bool is 0 or 1."""
        kind = self.field.type
        flat = values.reshape(-1)
        if self.family in ("date", "duration"):
            return np.ascontiguousarray(flat).view(_order(flat, "i8")).astype(np.int64, copy=False)
        if self.family == "bool":
            return np.asarray((pack(flat, kind).reshape(-1) != 0).view(np.uint8))
        if flat.dtype.kind in "iuf":
            return np.asarray(flat.astype(flat.dtype.newbyteorder("="), copy=False))
        return numbers_of(flat, kind)

    def _texts(self, box: Box, values: Values, missing: Flags | None) -> Block:
        decode = self.field.type.decode if isinstance(self.field.type, Text) else None
        raw = (decode or text_of)(values.reshape(-1))
        if self.field.type.size is None and raw:
            self.average = max(self.average, sum(map(len, raw)) / len(raw) + TEXT)
        texts = [octets.decode("utf-8", "surrogateescape") for octets in raw]
        gone = set(self.missing) | ({""} if self.empty_is_missing else set())
        if gone and not gone.isdisjoint(texts):
            missing = _joined(missing, np.fromiter((text in gone for text in texts), np.bool_, len(texts)))
        return Block(box, texts, missing)

    def keys(self, block: Block) -> NDArray[np.uint64]:
        """64 bits of each element that equal elements have in common: numbers and times their bits, others a hash."""
        if self.family in ("string", "complex", "other"):
            each = block.values if self.family == "string" else encode_each(block.values, self.field.type)
            return np.fromiter((hash(one) & (1 << 64) - 1 for one in each), np.uint64, block.count)
        if block.values.dtype.kind == "f":
            return np.asarray((block.values.astype(np.float64) + 0.0).view(np.uint64))  # -0.0 equals 0.0
        return np.asarray(block.values.astype(np.int64, copy=False).view(np.uint64))


def _order(flat: Values, kind: str) -> str:
    return (">" if flat.dtype.byteorder == ">" else "=") + kind


def _joined(one: Flags | None, other: Flags | None) -> Flags | None:
    return other if one is None else one if other is None else one | other
