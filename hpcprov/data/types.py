"""Value types of signature version 1: what one element of a field is, whatever file format it came from.

A type has a `token` (the bytes that a signature is computed over), a `text` (for people), a `size` (packed bytes of an
element, or None when elements differ in length) and a `nominal` size that decides the shape of tiles.
docs/signature.md has the rules.

    >>> struct([(b"x", plain("f4")), (b"name", Text())]).text
    'struct(x f4, name str)'
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from math import prod
from typing import Any, TypeAlias

from hpcprov.record.errors import HpcprovError

#: Gives the raw text of each element of a flat array as a reader returned it.
Decode: TypeAlias = Callable[[Any], list[bytes]]

SIZES = {
    "bool": 1,
    **{f"{kind}{size}": size for kind in "iu" for size in (1, 2, 4, 8)},
    **{"f2": 2, "bf16": 2, "f4": 4, "f8": 8, "c8": 8, "c16": 16},
}
UNITS = ("Y", "M", "W", "D", "h", "m", "s", "ms", "us", "ns", "ps", "fs", "as")
#: What the nominal size counts for an element whose length is not fixed.
VARIABLE_NOMINAL = 16
MAX_DEPTH = 32


class Unsigned(HpcprovError):
    """The values are legal but have no signature by the rules (or the limits of this version); the message is the
    reason."""


def check_distinct(names: Iterable[str], reason: str) -> None:
    """Raises Unsigned, with the reason, for a name that stands twice."""
    seen: set[str] = set()
    for name in names:
        if name in seen:
            raise Unsigned(f"{name}: {reason}")
        seen.add(name)


def sized(data: bytes) -> bytes:
    """`s(x)` of the specification: length as u64 little-endian, then the bytes."""
    return len(data).to_bytes(8, "little") + data


@dataclass(frozen=True)
class Plain:
    """An element of fixed size without inner structure: numbers, bool, opaque bytes, times."""

    text: str
    size: int
    depth: int = field(default=0, compare=False)

    @property
    def token(self) -> bytes:
        return self.text.encode()

    @property
    def nominal(self) -> int:
        return self.size


@dataclass(frozen=True)
class Text:
    """Text (`str`); `decode` turns what the reader returns into raw UTF-8 and is no part of the type."""

    decode: Decode | None = field(default=None, compare=False)
    text: str = "str"
    size: None = None
    depth: int = field(default=0, compare=False)

    @property
    def token(self) -> bytes:
        return self.text.encode()

    @property
    def nominal(self) -> int:
        return VARIABLE_NOMINAL


@dataclass(frozen=True)
class Binary(Text):
    """Byte strings of any length (`bytes`)."""

    text: str = "bytes"


@dataclass(frozen=True)
class Struct:
    """Named members in declared order, packed without padding."""

    members: tuple[tuple[bytes, Type], ...]
    depth: int = field(default=0, compare=False)

    @property
    def token(self) -> bytes:
        body = b"".join(sized(name) + sized(kind.token) for name, kind in self.members)
        return b"struct[%d](%s)" % (len(self.members), body)

    @property
    def text(self) -> str:
        inner = (f"{name.decode('utf-8', 'surrogateescape')} {kind.text}" for name, kind in self.members)
        return f"struct({', '.join(inner)})"

    @property
    def size(self) -> int | None:
        sizes = [kind.size for _, kind in self.members]
        return None if None in sizes else sum(size for size in sizes if size is not None)

    @property
    def nominal(self) -> int:
        return sum(kind.nominal for _, kind in self.members)


@dataclass(frozen=True)
class List:
    """Any number of elements of one type."""

    item: Type
    size: None = None
    depth: int = field(default=0, compare=False)

    @property
    def token(self) -> bytes:
        return b"list(%s)" % self.item.token

    @property
    def text(self) -> str:
        return f"list({self.item.text})"

    @property
    def nominal(self) -> int:
        return VARIABLE_NOMINAL


@dataclass(frozen=True)
class Array:
    """A small array of fixed shape as one element."""

    shape: tuple[int, ...]
    item: Type
    depth: int = field(default=0, compare=False)

    @property
    def token(self) -> bytes:
        return b"array[%s](%s)" % (",".join(map(str, self.shape)).encode(), self.item.token)

    @property
    def text(self) -> str:
        return f"array[{','.join(map(str, self.shape))}]({self.item.text})"

    @property
    def size(self) -> int | None:
        return None if self.item.size is None else prod(self.shape) * self.item.size

    @property
    def nominal(self) -> int:
        return prod(self.shape) * self.item.nominal


Type: TypeAlias = Plain | Text | Struct | List | Array


def plain(name: str) -> Plain:
    """A number or bool by its token, such as `f4`."""
    return Plain(name, SIZES[name])


def opaque(size: int) -> Plain:
    """Bytes without meaning, `size` of them."""
    return Plain(f"V{size}", size)


def time(kind: str, unit: str, *, count: int = 1, utc: bool = False) -> Plain:
    """A point in time (`kind` M8) or a duration (m8), 64 bits, counted in `count` times `unit`."""
    if unit not in UNITS:
        raise Unsigned(f"times in the unit {unit!r} have no signature")
    return Plain(f"{kind}[{count}{unit}{',UTC' if utc else ''}]", 8)


def datetime(text: str) -> Plain:
    """The type that numpy's name of a time type gives, such as `M8[25ns]` or `m8[s]`."""
    match = re.fullmatch(r"(M8|m8)\[(\d*)([a-zA-Z]+)\]", text)
    if match is None:
        raise Unsigned(f"times without a unit ({text}) have no signature")
    return time(match[1], match[3], count=int(match[2] or 1))


def struct(members: Sequence[tuple[bytes, Type]]) -> Type:
    """The struct of these members; (r, i) of one float type is complex."""
    if [name for name, _ in members] == [b"r", b"i"] and members[0][1] == members[1][1]:
        whole = {"f4": "c8", "f8": "c16"}.get(members[0][1].text)
        if whole is not None:
            return plain(whole)
    return Struct(tuple(members), depth=_below([kind for _, kind in members]))


def complex_of(part: Type) -> Type:
    """Complex numbers whose parts are of the type `part`; a struct (r, i) where no token names them."""
    return struct([(b"r", part), (b"i", part)])


def array(shape: tuple[int, ...], item: Type) -> Array:
    """An array as one element; an array of arrays is one array."""
    if isinstance(item, Array):
        return Array(shape + item.shape, item.item, depth=item.depth)
    return Array(shape, item, depth=_below([item]))


def list_of(item: Type) -> List:
    """A list of elements of any number."""
    return List(item, depth=_below([item]))


def _below(inner: Sequence[Type]) -> int:
    depth = 1 + max((kind.depth for kind in inner), default=0)
    if depth > MAX_DEPTH:
        raise Unsigned(f"a type nested deeper than {MAX_DEPTH} levels has no signature in this version")
    return depth
