"""The header of a NetCDF-3 file: what variables there are, and where their values lie.

The file formats are specified in the NetCDF User's Guide, appendix "File Format Specifications": classic (CDF-1),
64-bit offsets (CDF-2) and 64-bit data (CDF-5). All integers are big-endian.

    header = read_header(source, size)
    header.variables[0].shape, header.attributes
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from math import prod
from typing import TypeAlias

from hpcprov.record.errors import UnreadableData

#: The type codes: numpy's names of the external types.
TYPES = {
    1: "i1", 2: "S1", 3: ">i2", 4: ">i4", 5: ">f4", 6: ">f8",
    7: "u1", 8: ">u2", 9: ">u4", 10: ">i8", 11: ">u8",
}  # fmt: skip
#: Types 7 to 11 came with CDF-5.
LAST_CLASSIC = 6
SIZES = {1: 1, 2: 1, 3: 2, 4: 4, 5: 4, 6: 8, 7: 1, 8: 2, 9: 4, 10: 8, 11: 8}
DIMENSIONS, VARIABLES, ATTRIBUTES = 10, 11, 12
#: A header longer than this is refused: a million variables take less.
MAX_HEADER = 256 << 20
MAX_RANK = 1024
STEP = 1 << 16

#: From a byte of the file to another one, which no longer belongs to it.
Span: TypeAlias = tuple[int, int]


@dataclass(frozen=True)
class Attribute:
    """An attribute: its name, its type code, how many values it has and the byte at which they begin; `span` are the
    bytes that it takes with its name."""

    name: bytes
    code: int
    count: int
    begin: int
    span: Span


@dataclass(frozen=True)
class Attributes:
    """A list of attributes, and the bytes that it takes with its tag and length."""

    items: tuple[Attribute, ...]
    span: Span


@dataclass(frozen=True)
class Variable:
    """A variable: its name as it stands in the file, its type code, its extents and where its values begin.

    A record variable (`is_record`) has the number of records as first extent. `begin_at` is the byte of the header that
    says where its values begin."""

    name: bytes
    code: int
    shape: tuple[int, ...]
    begin: int
    is_record: bool
    dimensions: tuple[bytes, ...]
    attributes: Attributes
    begin_at: int

    @property
    def slab(self) -> int:
        """Bytes of all values, or of one record's, without padding."""
        return prod(self.shape[1:] if self.is_record else self.shape) * SIZES[self.code]


@dataclass(frozen=True)
class Header:
    """The variables, the bytes from one record to the next, the attributes of the whole file, the version of the format
    and the bytes of the header."""

    variables: list[Variable]
    step: int
    attributes: Attributes
    version: int
    size: int

    @property
    def wide(self) -> int:
        """Bytes of a count."""
        return wide_of(self.version)


def read_header(pread: Callable[[int, int], bytes], size: int) -> Header:
    """The header of a file of `size` bytes that `pread(count, offset)` reads. Raises UnreadableData."""
    source = _Source(pread, size)
    version = source.take(4)[3]
    wide = wide_of(version)
    source.wide = wide
    records = source.count()
    dimensions = _dimensions(source)
    attributes = _attributes(source)
    entries = [
        _variable(source, dimensions, version) for _ in range(source.list_of(VARIABLES, "variables", 4 * wide + 8))
    ]
    step = _record_size([entry for entry in entries if entry.is_record])
    if records == (1 << 8 * wide) - 1:  # written as a stream: the size of the file says how many
        first = min((entry.begin for entry in entries if entry.is_record), default=size)
        records = max(0, size - first) // step if step else 0
    found = [_with_records(entry, records) for entry in entries]
    for entry in found:
        _check_place(entry, step, size)
    total = sum(prod(entry.shape) * SIZES[entry.code] for entry in found)
    if total > size:
        raise UnreadableData(f"not a valid NetCDF header: {total} bytes of values declared in a file of {size}")
    return Header(found, step, attributes, version, source.at)


def wide_of(version: int) -> int:
    """Bytes of a count."""
    return 8 if version == 5 else 4


def _with_records(entry: Variable, records: int) -> Variable:
    if not entry.is_record:
        return entry
    return replace(entry, shape=(records, *entry.shape[1:]))


def _record_size(entries: list[Variable]) -> int:
    """Each variable's part of a record is padded to 4 bytes, unless it is the only one."""
    if len(entries) == 1:
        return entries[0].slab
    return sum(-(-entry.slab // 4) * 4 for entry in entries)


def _check_place(entry: Variable, step: int, size: int) -> None:
    if not prod(entry.shape):
        return
    end = entry.begin + entry.slab + (step * (entry.shape[0] - 1) if entry.is_record else 0)
    if end > size:
        raise UnreadableData(
            f"truncated: the values of {entry.name.decode('utf-8', 'replace')} would end at byte {end} of {size}"
        )


class _Source:
    """The header's bytes from the beginning on, fetched as they are needed."""

    def __init__(self, pread: Callable[[int, int], bytes], size: int) -> None:
        self.pread, self.size = pread, size
        self.held, self.start, self.at, self.wide = b"", 0, 0, 4

    def take(self, count: int) -> bytes:
        begin = self.at - self.start
        if begin + count > len(self.held):
            self.held, self.start, begin = self.pread(max(STEP, count), self.at), self.at, 0
        self.skip(count)
        part = self.held[begin : begin + count]
        if len(part) < count:
            raise UnreadableData(f"truncated: the header goes on after byte {self.start + len(self.held)}")
        return part

    def skip(self, count: int) -> None:
        self.at += count
        if self.at > min(self.size, MAX_HEADER):
            raise UnreadableData(f"truncated or damaged: the header would go on until byte {self.at}")

    def number(self, width: int = 4) -> int:
        return int.from_bytes(self.take(width), "big")

    def count(self) -> int:
        return self.number(self.wide)

    def name(self) -> bytes:
        length = self.count()
        if length > self.size:
            raise UnreadableData(f"a name of {length} bytes in a file of {self.size}")
        return self.take(-(-length // 4) * 4)[:length]

    def list_of(self, tag: int, what: str, least: int) -> int:
        """The length of a list of things of at least `least` bytes each."""
        found, length = self.number(), self.count()
        if found != (tag if length or found else 0):
            raise UnreadableData(f"not a valid NetCDF header: tag {found} where a list of {what} begins")
        if length * least > self.size:
            raise UnreadableData(f"not a valid NetCDF header: {length} {what} in a file of {self.size} bytes")
        return length


def _dimensions(source: _Source) -> list[tuple[bytes, int]]:
    """The names and extents of all dimensions; 0 is the record dimension."""
    found = []
    for _ in range(source.list_of(DIMENSIONS, "dimensions", 2 * source.wide)):
        name = source.name()
        found.append((name, source.count()))
    if [extent for _, extent in found].count(0) > 1:
        raise UnreadableData("not a valid NetCDF header: more than one record dimension")
    return found


def _attributes(source: _Source) -> Attributes:
    found, start = [], source.at
    for _ in range(source.list_of(ATTRIBUTES, "attributes", 2 * source.wide + 4)):
        first, name = source.at, source.name()
        code, length = source.number(), source.count()
        if code not in SIZES:
            raise UnreadableData(f"not a valid NetCDF header: an attribute of type {code}")
        begin = source.at
        source.skip(-(-length * SIZES[code] // 4) * 4)
        found.append(Attribute(name, code, length, begin, (first, source.at)))
    return Attributes(tuple(found), (start, source.at))


def _variable(source: _Source, dimensions: list[tuple[bytes, int]], version: int) -> Variable:
    name = source.name()
    rank = source.count()
    if rank > MAX_RANK:
        raise UnreadableData(f"not a valid NetCDF header: a variable of {rank} dimensions")
    axes = [source.count() for _ in range(rank)]
    if any(axis >= len(dimensions) for axis in axes):
        raise UnreadableData(f"not a valid NetCDF header: dimension {max(axes)} of {len(dimensions)}")
    attributes = _attributes(source)
    code = source.number()
    if code not in TYPES or (version != 5 and code > LAST_CLASSIC):
        raise UnreadableData(f"not a valid NetCDF header: a variable of type {code}")
    source.count()  # its size, which may not fit and so is computed instead
    begin_at = source.at
    begin = source.number(4 if version == 1 else 8)
    shape = tuple(dimensions[axis][1] for axis in axes)
    if 0 in shape[1:]:
        raise UnreadableData("not a valid NetCDF header: the record dimension is not a variable's first")
    names = tuple(dimensions[axis][0] for axis in axes)
    return Variable(name, code, shape, begin, shape[:1] == (0,), names, attributes, begin_at)
