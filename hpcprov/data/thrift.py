"""As much of Thrift's compact protocol as it takes to change one field of a struct: fields are told apart, not read.

    fields = split_struct(footer)          # {1: Piece(type, bytes), 2: ...}, in the order in which they stand
    join_struct(fields) == footer

The specification is https://github.com/apache/thrift/blob/master/doc/specs/thrift-compact-protocol.md.
"""

from __future__ import annotations

from typing import NamedTuple, TypeAlias

from hpcprov.record.errors import UnreadableData

STOP, TRUE, FALSE, BYTE, DOUBLE, BINARY, LIST, SET, MAP, STRUCT, UUID = 0, 1, 2, 3, 7, 8, 9, 10, 11, 12, 13
NUMBERS = (4, 5, 6)  # i16, i32, i64
FIXED = {BYTE: 1, DOUBLE: 8, UUID: 16}
MOST_DEPTH = 64
LONG = 15  # a list of so many elements or more has its length behind its head


class Piece(NamedTuple):
    """A field's type and its value as it stands."""

    kind: int
    octets: bytes


Fields: TypeAlias = dict[int, Piece]


def split_struct(octets: bytes, *, signed_by: int | None = None) -> Fields:
    """The fields of a struct by their numbers. Raises UnreadableData when it does not fill the bytes; one that has the
    field `signed_by` is followed by a signature."""
    fields: Fields = {}
    at = number = 0
    try:
        while (head := octets[at]) != STOP:
            at += 1
            number, at = _number(octets, at, head, number)
            end = _end(octets, at, head & 15, MOST_DEPTH)
            fields[number] = Piece(head & 15, octets[at:end])
            at = end
    except IndexError:
        raise UnreadableData("its footer is damaged: it ends too early") from None
    if at + 1 != len(octets) and signed_by not in fields:
        raise UnreadableData("its footer is damaged: bytes stand behind its end")
    return fields


def join_struct(fields: Fields) -> bytes:
    """The struct of these fields, in the order of their numbers."""
    parts, last = [], 0
    for number, piece in sorted(fields.items()):
        step = number - last
        if 0 < step <= 15:
            parts.append(bytes([step << 4 | piece.kind]))
        else:
            parts.append(bytes([piece.kind]) + _varint(number << 1 ^ number >> 63))
        parts.append(piece.octets)
        last = number
    return b"".join([*parts, b"\0"])


def split_pairs(piece: Piece | None) -> dict[bytes, bytes]:
    """The keys and values of a list of structs (1: key, 2: value); of several values of a key the first one."""
    if piece is None:
        return {}
    octets, found = piece.octets, dict[bytes, bytes]()
    kind, count, at = _list_head(octets, 0)
    if piece.kind != LIST or (count and kind != STRUCT):
        raise UnreadableData("its footer is damaged: its metadata is not a list of pairs")
    for _ in range(count):
        end = _end(octets, at, STRUCT, MOST_DEPTH)
        pair = split_struct(octets[at:end])
        if 1 not in pair or any(part.kind != BINARY for part in pair.values()):
            raise UnreadableData("its footer is damaged: its metadata is not a list of pairs")
        found.setdefault(_text(pair[1]), _text(pair[2]) if 2 in pair else b"")
        at = end
    return found


def join_pairs(pairs: dict[bytes, bytes]) -> Piece:
    """The list of structs of these keys and values."""
    count = len(pairs)
    head = bytes([count << 4 | STRUCT]) if count < LONG else bytes([LONG << 4 | STRUCT]) + _varint(count)
    items = [join_struct({1: _binary(key), 2: _binary(value)}) for key, value in pairs.items()]
    return Piece(LIST, b"".join([head, *items]))


def _binary(octets: bytes) -> Piece:
    return Piece(BINARY, _varint(len(octets)) + octets)


def _text(piece: Piece) -> bytes:
    length, at = _unsigned(piece.octets, 0)
    return piece.octets[at : at + length]


def _number(octets: bytes, at: int, head: int, last: int) -> tuple[int, int]:
    """A field's number, and where its value begins."""
    if head >> 4:
        return last + (head >> 4), at
    zigzag, at = _unsigned(octets, at)
    return zigzag >> 1 ^ -(zigzag & 1), at


def _end(octets: bytes, at: int, kind: int, depth: int) -> int:
    """Where the value that begins at `at` ends. Raises IndexError when that is beyond the bytes."""
    if kind in (TRUE, FALSE):  # as a field: its type says which
        return at
    if kind in NUMBERS:
        while octets[at] & 128:
            at += 1
        return at + 1
    if kind in FIXED:
        return _within(octets, at + FIXED[kind])
    if kind == BINARY:
        length, at = _unsigned(octets, at)
        return _within(octets, at + length)
    if not depth:
        raise UnreadableData("its footer is damaged: it is nested too deeply")
    if kind == STRUCT:
        return _struct_end(octets, at, depth - 1)
    if kind in (LIST, SET):
        inner, count, at = _list_head(octets, at)
        return _items_end(octets, at, count, (inner,), depth - 1)
    if kind == MAP:
        count, at = _unsigned(octets, at)
        kinds = octets[at] if count else 0
        return _items_end(octets, at + bool(count), count, (kinds >> 4, kinds & 15), depth - 1)
    raise UnreadableData(f"its footer is damaged: there is no type {kind}")


def _struct_end(octets: bytes, at: int, depth: int) -> int:
    while (head := octets[at]) != STOP:
        at += 1
        if not head >> 4:
            _, at = _unsigned(octets, at)
        at = _end(octets, at, head & 15, depth)
    return at + 1


def _items_end(octets: bytes, at: int, count: int, kinds: tuple[int, ...], depth: int) -> int:
    if count > len(octets):
        raise UnreadableData(f"its footer is damaged: a list of {count} elements")
    for _ in range(count):
        for kind in kinds:
            # Booleans in lists take a byte each.
            at = _within(octets, at + 1) if kind in (TRUE, FALSE) else _end(octets, at, kind, depth)
    return at


def _list_head(octets: bytes, at: int) -> tuple[int, int, int]:
    """The type of a list's elements, how many there are, and where the first one begins."""
    head, at = octets[at], at + 1
    count = head >> 4
    if count == LONG:
        count, at = _unsigned(octets, at)
    return head & 15, count, at


def _unsigned(octets: bytes, at: int) -> tuple[int, int]:
    value = shift = 0
    while True:
        octet = octets[at]
        at += 1
        value |= (octet & 127) << shift
        if not octet & 128:
            return value, at
        shift += 7
        if shift > 63:
            raise UnreadableData("its footer is damaged: a number of more than 64 bits")


def _varint(value: int) -> bytes:
    parts = bytearray()
    while value > 127:
        parts.append(value & 127 | 128)
        value >>= 7
    parts.append(value)
    return bytes(parts)


def _within(octets: bytes, at: int) -> int:
    if at > len(octets):
        raise IndexError(at)
    return at
