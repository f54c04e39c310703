"""HDF5's filter pipeline undone in Python, outside of the library's lock: one chunk as it is stored to its bytes.

    undo = pipeline([(2, (8,)), (1, (4,))], 65536)     # shuffle of 8-byte elements, then deflate; chunks of 64 KiB
    undo.decode(stored, 0)                             # 65536 bytes as a numpy array

Deflate, shuffle, Fletcher-32, LZF, bzip2, Blosc, Zstandard, LZ4 and bitshuffle are known; a pipeline with any other
filter is None, and the HDF5 library reads the dataset. Nothing is written beyond the declared size, whatever a chunk
says.
"""

from __future__ import annotations

import bz2
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cache
from typing import Any, TypeAlias

import numpy as np

from hpcprov.data.values import Octets, Values

try:
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

#: Takes bytes and how many are to come out.
Undo: TypeAlias = Callable[[Octets, int], Octets]

DEFLATE, SHUFFLE, FLETCHER32 = 1, 2, 3
BZIP2, BITSHUFFLE = 307, 32008
#: code: function of imagecodecs that writes into a given array
CODECS = {
    DEFLATE: "deflate_decode",
    32000: "lzf_decode",
    32001: "blosc_decode",
    32004: "lz4h5_decode",
    32015: "zstd_decode",
}
CHECKSUM = 4
#: Shuffled elements up to this width are gathered byte by byte, which is twice as fast as a transposed copy.
NARROW = 64
#: Of bitshuffle: how its blocks are compressed.
LZ4_BLOCKS, ZSTD_BLOCKS = 2, 3
MAX_BLOCK = 1 << 24


@dataclass(frozen=True)
class Pipeline:
    """Filters in the order in which they were applied, and the bytes of a chunk before all of them."""

    steps: tuple[Undo, ...]
    checksums: tuple[bool, ...]
    size: int

    def decode(self, stored: bytes | Octets, skipped: int) -> Octets:
        """The bytes of a chunk; bit n of `skipped` says that filter n was not applied to it. Raises ValueError, or
        what the codec raises, for bad data."""
        octets = np.frombuffer(stored, np.uint8)
        for at in reversed(range(len(self.steps))):
            if not skipped >> at & 1:
                octets = self.steps[at](octets, self._before(at, skipped))
        if len(octets) != self.size:
            raise ValueError(f"{len(octets)} bytes where {self.size} were declared")
        return octets

    def _before(self, at: int, skipped: int) -> int:
        """How many bytes filter `at` was given."""
        inner = sum(self.checksums[step] and not skipped >> step & 1 for step in range(at))
        return self.size + CHECKSUM * inner

    def is_whole(self, stored: int) -> bool:
        """Whether that many stored bytes may be a chunk to which no filter was applied."""
        return bool(self.steps) and stored == self.size


def pipeline(filters: Sequence[tuple[int, tuple[int, ...]]], size: int) -> Pipeline | None:
    """The pipeline of (code, parameters) for chunks of `size` bytes; None when it needs the HDF5 library."""
    steps = [_step(code, values) for code, values in filters]
    known = [step for step in steps if step is not None]
    compressors = [code for code, _ in filters if code not in (SHUFFLE, FLETCHER32)]
    if len(known) < len(steps) or len(compressors) > 1:
        return None
    return Pipeline(tuple(known), tuple(code == FLETCHER32 for code, _ in filters), size)


def _step(code: int, values: tuple[int, ...]) -> Undo | None:
    if code == SHUFFLE:
        return _shuffle(values[0]) if values and values[0] else None
    if code == FLETCHER32:
        return _checked
    if code == BZIP2:  # imagecodecs drops what is more than declared and says nothing
        return _stream(bz2.BZ2Decompressor)
    codecs = _imagecodecs()
    if codecs is None:
        return _stream(zlib.decompressobj) if code == DEFLATE else None
    if code == BITSHUFFLE:
        return _bitshuffle(codecs, values)
    return _codec(codecs, CODECS[code]) if code in CODECS else None


@cache
def _imagecodecs() -> Any:
    """The library of codecs, or None where it is not installed."""
    try:
        import imagecodecs
    except ImportError:
        return None
    return imagecodecs


def _codec(codecs: Any, name: str) -> Undo:
    decode = getattr(codecs, name)

    def undo(octets: Octets, wanted: int) -> Octets:
        return _filled(decode(octets, out=np.empty(wanted, np.uint8)), wanted)

    return undo


def _filled(found: Any, wanted: int) -> Octets:
    octets = np.frombuffer(found, np.uint8)
    if len(octets) != wanted:
        raise ValueError(f"{len(octets)} bytes where {wanted} were declared")
    return octets


def _stream(new: Callable[[], Any]) -> Undo:
    """For a decompressor of Python's own that can be told where to stop."""

    def undo(octets: Octets, wanted: int) -> Octets:
        stream = new()
        found = stream.decompress(octets.data, wanted + 1)
        if not stream.eof:
            raise ValueError(f"the compressed data does not end after {wanted} bytes")
        return _filled(found, wanted)

    return undo


def _shuffle(width: int) -> Undo:
    def undo(octets: Octets, wanted: int) -> Octets:
        count = len(octets) // width
        if width == 1 or count < 2:
            return octets
        whole = count * width
        columns, found = octets[:whole].reshape(width, count), np.empty_like(octets)
        rows = found[:whole].reshape(count, width)
        if width > NARROW:
            rows[...] = columns.T
        else:
            for at in range(width):
                rows[:, at] = columns[at]
        found[whole:] = octets[whole:]
        return found

    return undo


def _checked(octets: Octets, wanted: int) -> Octets:
    """What stands before its checksum. Raises ValueError when that is another one."""
    if len(octets) < CHECKSUM:
        raise ValueError("too short for its checksum")
    content, stored = octets[:-CHECKSUM], octets[-CHECKSUM:].tobytes()
    # HDF5 before 1.6.3 swapped the bytes of each half on some machines, and later versions accept that.
    swapped = bytes((stored[1], stored[0], stored[3], stored[2]))
    if fletcher32(content).to_bytes(CHECKSUM, "little") not in (stored, swapped):
        raise ValueError("its Fletcher-32 checksum is another one than that of its bytes")
    return content


#: Words are summed as rows of this many, and so many rows at once: sums of either stay below 2^32.
ROW, ROWS = 1024, 1024


def fletcher32(octets: Octets) -> int:
    """HDF5's Fletcher-32: sums of big-endian 16-bit words modulo 65535, a last odd byte being the high one of a word.

    Source: H5_checksum_fletcher32 of libhdf5. As there, a sum that is a multiple of 65535 is 65535 unless all words
    are 0."""
    words = np.frombuffer(octets, ">u2", count=len(octets) // 2)
    first = second = 0
    for start in range(0, len(words), ROW * ROWS):
        part = words[start : start + ROW * ROWS].astype(np.uint16)
        total, placed = _sums(part)
        second += len(part) * (first + total) - placed
        first += total
    if len(octets) % 2:
        first += int(octets[-1]) << 8
        second += first
    return _reduced(second) << 16 | _reduced(first)


def _sums(words: Values) -> tuple[int, int]:
    """The sum of the words, and that of each times its place. By rows and columns, which numpy adds up several times
    faster than products."""
    count = len(words) // ROW * ROW
    table, rest = words[:count].reshape(-1, ROW), words[count:].astype(np.uint64)
    rows = np.add.reduce(table, axis=1, dtype=np.uint32).astype(np.uint64)
    columns = np.add.reduce(table, axis=0, dtype=np.uint32).astype(np.uint64)
    placed = ROW * _placed(rows) + _placed(columns) + count * int(rest.sum()) + _placed(rest)
    return int(rows.sum()) + int(rest.sum()), placed


def _placed(numbers: Values) -> int:
    return int(np.dot(numbers, np.arange(len(numbers), dtype=np.uint64)))


def _reduced(total: int) -> int:
    return total % 65535 or (65535 if total else 0)


def _bitshuffle(codecs: Any, values: tuple[int, ...]) -> Undo | None:
    """Source: https://github.com/kiyo-masui/bitshuffle, bshuf_h5filter.c. The parameters are two version numbers, the
    element's size, elements of a block (0: chosen by the library) and how blocks are compressed."""
    width, block, method = (*values, 0, 0)[2:5] if len(values) >= 3 else (0, 0, 0)
    if not width or method not in (0, LZ4_BLOCKS, ZSTD_BLOCKS):
        return None
    if not method:
        return lambda octets, wanted: _unbitshuffled(codecs, _filled(octets, wanted), width, block)
    decode = codecs.lz4_decode if method == LZ4_BLOCKS else codecs.zstd_decode

    def undo(octets: Octets, wanted: int) -> Octets:
        size = int.from_bytes(octets[8:12].tobytes(), "big")
        if int.from_bytes(octets[:8].tobytes(), "big") != wanted or not 0 < size <= MAX_BLOCK or size % (8 * width):
            raise ValueError("its bitshuffle header does not fit the chunk")
        return _unbitshuffled(codecs, _blocks(decode, octets[12:], wanted, size, 8 * width), width, size // width)

    return undo


def _unbitshuffled(codecs: Any, octets: Octets, width: int, block: int) -> Octets:
    found = np.empty(len(octets), np.uint8)
    # Of an array imagecodecs takes the element's size from its type and not from what it is told.
    return _filled(codecs.bitshuffle_decode(octets.data, itemsize=width, blocksize=block, out=found), len(octets))


def _blocks(decode: Any, octets: Octets, wanted: int, size: int, grain: int) -> Octets:
    """Compressed blocks, each after its length, and at the end less than `grain` bytes as they are."""
    found = np.empty(wanted, np.uint8)
    tail = wanted % grain
    at = 0
    for start in range(0, wanted - tail, size):
        stop = min(start + size, wanted - tail)
        length = int.from_bytes(octets[at : at + 4].tobytes(), "big")
        _filled(decode(octets[at + 4 : at + 4 + length], out=found[start:stop]), stop - start)
        at += 4 + length
    found[wanted - tail :] = _filled(octets[at : at + tail], tail)
    return found
