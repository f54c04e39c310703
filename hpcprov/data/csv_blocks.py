"""Cuts delimited text into blocks of whole records, so that a large file is read in parts and from anywhere.

A record ends at a line's end with an even number of quotes before it. That holds because quotes stand where RFC 4180
lets them: around a whole cell, and doubled within it. Where one stands elsewhere, the file has no signature.

    for block in blocks(fd, ","):
        os.pread(fd, block.size, block.start)
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np

from hpcprov.data.csv_rule import BOM
from hpcprov.data.types import Unsigned

#: Bytes of a block, and of one that must be larger because of a long record.
BLOCK = 8 << 20
MAX_RECORD = 64 << 20
QUOTE, LINE, RETURN = b'"\n\r'


@dataclass(frozen=True)
class Block:
    """Whole records: `size` bytes from byte `start` of the file."""

    start: int
    size: int


def blocks(fd: int, mark: str) -> Iterator[Block]:
    """The blocks of a file with the delimiter `mark`; the first one holds the header only. Raises Unsigned."""
    size = os.fstat(fd).st_size
    at = len(BOM) if os.pread(fd, len(BOM), 0) == BOM else 0
    header = True
    while at < size:
        data = _records(fd, at, size, mark)
        if header:
            length = _first_record(data)
            yield Block(at, length)
            header, at = False, at + length
        else:
            yield Block(at, len(data))
            at += len(data)


def _records(fd: int, at: int, size: int, mark: str) -> bytes:
    """Whole records from byte `at` on."""
    length = BLOCK
    while True:
        data = os.pread(fd, length, at)
        last = at + len(data) >= size
        end = len(data) if last else _last_end(data)
        if end:
            _check_quotes(data[:end], mark, at)
            return data[:end]
        if last or length >= MAX_RECORD:
            raise Unsigned(f"the record at byte {at} is longer than {length} bytes: more than this version reads")
        length = min(MAX_RECORD, 2 * length)


def _last_end(data: bytes) -> int:
    if QUOTE not in data:
        return max(data.rfind(b"\n"), data.rfind(b"\r")) + 1
    ends = _ends(data)
    return int(ends[-1]) + 1 if len(ends) else 0


def _first_record(data: bytes) -> int:
    """The length of the first record that is not an empty line, with what comes before it."""
    begin = len(data) - len(data.lstrip(b"\r\n"))
    ends = _ends(data)
    after = ends[ends > begin]
    return int(after[0]) + 1 if len(after) else len(data)


def _ends(data: bytes) -> Any:
    octets = np.frombuffer(data, np.uint8)
    ends = np.flatnonzero((octets == LINE) | (octets == RETURN))
    return ends[np.searchsorted(np.flatnonzero(octets == QUOTE), ends) % 2 == 0]


def _check_quotes(data: bytes, mark: str, at: int) -> None:
    """Raises Unsigned for a quote that neither opens nor closes a cell and is not doubled within one."""
    if QUOTE not in data:
        return
    octets = np.frombuffer(data, np.uint8)
    quotes = np.flatnonzero(octets == QUOTE)
    fits = np.zeros(256, bool)
    fits[[QUOTE, LINE, RETURN, ord(mark)]] = True
    opening, closing = quotes[::2], quotes[1::2]
    stray = [
        opening[~(fits[octets[opening - 1]] | (opening == 0))],
        closing[~(fits[octets[np.minimum(closing + 1, len(octets) - 1)]])],
        quotes[-1:] if len(quotes) % 2 else quotes[:0],
    ]
    found = [int(places[0]) for places in stray if len(places)]
    if found:
        raise Unsigned(f"the quote at byte {at + min(found)} does not stand around a whole cell")
