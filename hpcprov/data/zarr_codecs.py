"""Zarr's codecs from bytes to bytes, decoded in the calling thread: no lock, no event loop, room for the result only.

A step takes encoded bytes and how many come out (None when the metadata does not say), and never gives more than that:
a chunk that decodes to another size is damaged, or made to fill the memory.

    step = step_of("zstd", {})
    step.decode(encoded, 16384)
"""

from __future__ import annotations

import bz2
import lzma
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, TypeAlias

import numpy as np
from numpy.typing import NDArray

try:
    from isal import isal_zlib as zlib
except ImportError:
    import zlib  # type: ignore[no-redef]

Octets: TypeAlias = Any

#: Memory that LZMA may take for its dictionary.
MAX_LZMA = 1 << 28


class Damaged(Exception):
    """The encoded bytes are not what the metadata says."""


@dataclass(frozen=True)
class Step:
    """One codec. `grows` is what it adds to the bytes it is given, None for compressors, whose result has any size."""

    name: str
    decode: Callable[[Octets, int | None], Octets]
    grows: int | None = None


def steps(codecs: list[tuple[str, dict[str, Any]]], size: int) -> list[tuple[Step, int | None]] | None:
    """The steps that decode chunks of `size` bytes, in the order of decoding, each with how many bytes come out of it;
    `codecs` are in the order of encoding. None when one is not known here, or its result has no bound."""
    found: list[tuple[Step, int | None]] = []
    expected: int | None = size
    for name, options in codecs:
        step = step_of(name, options)
        if step is None or (step.grows is None and expected is None):
            return None
        found.insert(0, (step, expected))
        expected = None if step.grows is None or expected is None else expected + step.grows
    return found


def most_encoded(found: list[tuple[Step, int | None]], size: int) -> int:
    """Encoded chunks longer than that are not read: no codec is so wasteful."""
    return 2 * size + (1 << 20) if found else size


def step_of(name: str, options: dict[str, Any]) -> Step | None:
    """The step of a codec by its name in numcodecs, or None."""
    maker = MAKERS.get(name)
    return maker(name, options) if maker is not None else None


def _zlib(name: str, options: dict[str, Any]) -> Step:
    window = 31 if name == "gzip" else 15
    return Step(name, lambda data, size: _drained(data, size, lambda: zlib.decompressobj(window)))


def _bz2(name: str, options: dict[str, Any]) -> Step:
    return Step(name, lambda data, size: _drained(data, size, bz2.BZ2Decompressor))


def _lzma(name: str, options: dict[str, Any]) -> Step | None:
    if options.get("format", 1) not in (lzma.FORMAT_XZ, lzma.FORMAT_ALONE) or options.get("filters") is not None:
        return None
    return Step(
        name, lambda data, size: _drained(data, size, lambda: lzma.LZMADecompressor(lzma.FORMAT_AUTO, MAX_LZMA))
    )


def _drained(data: Octets, size: int | None, begin: Callable[[], Any]) -> Octets:
    """What streams that follow each other decode to, `size` bytes."""
    assert size is not None
    parts, left, rest = [], size, bytes(data)
    while rest:
        decoder = begin()
        part = decoder.decompress(rest, left + 1)
        parts.append(part)
        left -= len(part)
        if left < 0:
            raise Damaged(f"more than the {size} bytes declared come out")
        if not decoder.eof:
            raise Damaged("truncated")
        rest = decoder.unused_data
    return parts[0] if len(parts) == 1 else b"".join(parts)


def _zstd(name: str, options: dict[str, Any]) -> Step:
    from numcodecs import zstd

    def decode(data: Octets, size: int | None) -> Octets:
        assert size is not None
        declared = _zstd_size(bytes(data[:18]))
        if declared is not None and declared != size:
            raise Damaged(f"{declared} bytes come out, not {size}")
        return zstd.decompress(data, np.empty(size, np.uint8))

    return Step(name, decode)


def are_joinable(found: list[tuple[Step, int | None]]) -> bool:
    """Whether encoded chunks may follow each other and be decoded in one call: Zstandard frames may."""
    return [step.name for step, _ in found] == ["zstd"]


def decoded_together(chunks: list[bytes], size: int) -> NDArray[np.uint8] | None:
    """The bytes of several chunks of Zstandard, each of which is one whole frame of `size` bytes; None when one is not,
    or damaged. One call instead of many: threads wait for each other at each."""
    from numcodecs import zstd

    try:
        if not all(_zstd_size(chunk) == size and _zstd_length(chunk) == len(chunk) for chunk in chunks):
            return None
        octets = np.empty(len(chunks) * size, np.uint8)
        zstd.decompress(b"".join(chunks), octets)
    except (Damaged, RuntimeError, ValueError):
        return None
    return octets


def _zstd_size(frame: bytes) -> int | None:
    """The content size that a Zstandard frame declares (RFC 8878, 3.1.1.1), or None."""
    at, width = _zstd_header(frame)
    declared = int.from_bytes(frame[at : at + width], "little")
    return None if not width else declared + 256 if width == 2 else declared


def _zstd_header(frame: bytes) -> tuple[int, int]:
    """Where a frame's content size lies and how many bytes it has, which is where its blocks begin."""
    if frame[:4] != b"\x28\xb5\x2f\xfd" or len(frame) < 5:
        raise Damaged("not a Zstandard frame")
    described = frame[4]
    single = described >> 5 & 1
    return 6 - single + (0, 1, 2, 4)[described & 3], (single, 2, 4, 8)[described >> 6]


def _zstd_length(frame: bytes) -> int:
    """How long a frame is by its own account: its header, its blocks and its checksum (RFC 8878, 3.1.1.2)."""
    at, last = sum(_zstd_header(frame)), 0
    while not last and at < len(frame):
        block = int.from_bytes(frame[at : at + 3], "little")
        last = block & 1
        at += 3 + (1 if block >> 1 & 3 == 1 else block >> 3)
    return at + (4 if frame[4] & 4 else 0) if last else -1


def _blosc(name: str, options: dict[str, Any]) -> Step:
    from numcodecs import blosc

    # As zarr-python has it: the threads are the caller's, and Blosc's own pool is guarded by a lock.
    blosc.use_threads = False

    def decode(data: Octets, size: int | None) -> Octets:
        header = bytes(data[:16])
        if len(header) < 16 or int.from_bytes(header[12:16], "little") > len(data):
            raise Damaged("truncated")
        _expect(int.from_bytes(header[4:8], "little"), size)
        return blosc.decompress(data, np.empty(size or 0, np.uint8))

    return Step(name, decode)


def _lz4(name: str, options: dict[str, Any]) -> Step:
    from numcodecs import lz4

    def decode(data: Octets, size: int | None) -> Octets:
        _expect(int.from_bytes(bytes(data[:4]), "little"), size)
        return lz4.decompress(data, np.empty(size or 0, np.uint8))

    return Step(name, decode)


def _expect(declared: int, size: int | None) -> None:
    if declared != size:
        raise Damaged(f"{declared} bytes come out, not {size}")


def _crc32c(name: str, options: dict[str, Any]) -> Step | None:
    if options.get("location", "end") != "end":
        return _numcodec(name, options, 4)
    import google_crc32c

    def decode(data: Octets, size: int | None) -> Octets:
        octets = np.frombuffer(data, np.uint8)
        if len(octets) < 4:
            raise Damaged("truncated")
        declared, found = int.from_bytes(octets[-4:].tobytes(), "little"), google_crc32c.value(octets[:-4])
        if declared != found:
            raise Damaged(f"the crc32c checksum is {found:08x}, and {declared:08x} is stored")
        return octets[:-4]

    return Step(name, decode, 4)


def _shuffle(name: str, options: dict[str, Any]) -> Step:
    return _numcodec(name, options, 0)


def _checksum(name: str, options: dict[str, Any]) -> Step:
    return _numcodec(name, options, 4)


def _numcodec(name: str, options: dict[str, Any], grows: int) -> Step:
    import numcodecs

    codec = numcodecs.get_codec({"id": name, **options})
    return Step(name, lambda data, size: codec.decode(np.frombuffer(data, np.uint8)), grows)


MAKERS: dict[str, Callable[[str, dict[str, Any]], Step | None]] = {
    **{"zlib": _zlib, "gzip": _zlib, "bz2": _bz2, "lzma": _lzma, "zstd": _zstd, "blosc": _blosc, "lz4": _lz4},
    **{"crc32c": _crc32c, "shuffle": _shuffle},
    **dict.fromkeys(("crc32", "adler32", "fletcher32", "jenkins_lookup3"), _checksum),
}


def decoded(data: Octets, found: list[tuple[Step, int | None]], size: int) -> Octets:
    """The `size` bytes of a chunk. Raises Damaged, naming the codec, for encoded bytes that are not valid."""
    for step, expected in found:
        try:
            data = step.decode(data, expected)
        except MemoryError:
            raise
        except Exception as error:
            raise Damaged(f"{step.name}: {first_line(error)}") from error
    if memoryview(data).nbytes != size:
        raise Damaged(f"{memoryview(data).nbytes} bytes come out, not {size}")
    return data


def first_line(error: Exception) -> str:
    """What a library says, at most 300 characters; the kind of error when it says nothing."""
    return (str(error).strip().splitlines() or [type(error).__name__])[0][:300]
