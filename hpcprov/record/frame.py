"""Frames: how one event lies in a log (docs/frames.md, format version 1).

A frame is `LF crc32 SP json LF`, at most 4,096 bytes, written by one `write(2)`. An event that does not fit is cut into
parts that are frames of their own. A reader recovers every intact frame, whatever lies around it.

    encode({"event": "beat", "time": 1, "boot": 1, "node": "n1"})
    -> [b'\\n50c7d442 {"v":1,"event":"beat","time":1,"boot":1,"node":"n1"}\\n']
"""

from __future__ import annotations

import json
import os
from binascii import crc32
from hashlib import sha256
from math import isfinite

from hpcprov.record.errors import ShortWrite

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any, BinaryIO

VERSION = 1
FRAME_LIMIT = 4096
JSON_LIMIT = FRAME_LIMIT - len("\n01234567 \n")
LINE_LIMIT = FRAME_LIMIT - len("\n\n")
# JSON text that is escaped again grows at most twofold (quotes and backslashes): this fits beside the part's keys.
PIECE = 1900
BLOCK = 1 << 20


class Skipped:
    """What a scan met: intact `frames`; and what it could not use: `lines`, their `bytes`, `blobs` that lack parts."""

    __slots__ = ("blobs", "bytes", "frames", "lines")

    def __init__(self) -> None:
        self.frames = self.lines = self.bytes = self.blobs = 0

    def __bool__(self) -> bool:
        return bool(self.lines or self.blobs)


def encode(event: dict[str, Any]) -> list[bytes]:
    """The frames of `event` (ASCII JSON values; `v` is added). Raises ValueError for NaN and infinities."""
    text = json.dumps({"v": VERSION, **event}, ensure_ascii=True, allow_nan=False, separators=(",", ":"))
    if len(text) <= JSON_LIMIT:
        return [_frame(text)]
    return [_frame(part) for part in _parts(text)]


def append(fd: int, event: dict[str, Any]) -> None:
    """Append `event` to the log open on `fd`: one write per frame. Raises OSError, or ShortWrite for a torn frame."""
    for frame in encode(event):
        written = os.write(fd, frame)
        # A loop would put the rest behind what another process appended meanwhile.
        if written != len(frame):
            raise ShortWrite(f"only {written} of {len(frame)} bytes of a frame were stored")


def decode(line: bytes) -> dict[str, Any] | None:
    """The JSON object in a frame's line (without its LFs), or None when the line is not an intact frame."""
    if len(line) > LINE_LIMIT or line[8:10] != b" {" or line[-1:] != b"}":
        return None
    body = line[9:]
    if line[:8] != b"%08x" % crc32(body):
        return None
    return _parse(body)


def scan(source: bytes | BinaryIO, skipped: Skipped | None = None) -> Iterator[dict[str, Any]]:
    """The events of a log in the order in which they are completed; what cannot be used is counted in `skipped`."""
    skipped = Skipped() if skipped is None else skipped
    blobs = _Blobs()
    for line in lines(source, skipped):
        event = decode(line)
        if event is None:
            skipped.lines += 1
            skipped.bytes += len(line)
            continue
        skipped.frames += 1
        if "blob" not in event:
            yield event
        elif (whole := blobs.add(event)) is not None:
            yield whole
    skipped.blobs += blobs.broken()


def lines(source: bytes | BinaryIO, skipped: Skipped) -> Iterator[bytes]:
    """The lines of a log that are not empty. Of a line too long to be a frame only a beginning is kept in memory."""
    if isinstance(source, bytes):
        yield from filter(None, source.split(b"\n"))
        return
    tail = b""
    while block := source.read(BLOCK):
        whole = (tail + block).split(b"\n")
        tail = whole.pop()
        yield from filter(None, whole)
        if len(tail) > FRAME_LIMIT:
            skipped.bytes += len(tail) - FRAME_LIMIT
            tail = tail[:FRAME_LIMIT]
    if tail:
        yield tail


class _Blobs:
    """Parts of events, gathered until each event is whole."""

    def __init__(self) -> None:
        self.waiting: dict[tuple[str, int], dict[int, str]] = {}
        self.done: set[tuple[str, int]] = set()
        self.unfit = 0

    def add(self, frame: dict[str, Any]) -> dict[str, Any] | None:
        blob, part, parts, text = (frame.get(key) for key in ("blob", "part", "parts", "text"))
        if not (type(blob) is str and type(text) is str and type(part) is int and type(parts) is int):
            self.unfit += 1
            return None
        if (blob, parts) in self.done or not 0 <= part < parts:
            self.unfit += not 0 <= part < parts
            return None
        pieces = self.waiting.setdefault((blob, parts), {})
        # Two different pieces for one place: any rule will do, as long as it does not depend on their order.
        pieces[part] = min(text, pieces.get(part, text))
        return self._join(blob, parts, pieces) if len(pieces) == parts else None

    def _join(self, blob: str, parts: int, pieces: dict[int, str]) -> dict[str, Any] | None:
        body = "".join(pieces[part] for part in range(parts)).encode("ascii", "replace")
        if sha256(body).hexdigest() != blob:
            return None
        event = _parse(body)
        del self.waiting[blob, parts]
        self.done.add((blob, parts))
        self.unfit += event is None
        return event

    def broken(self) -> int:
        finished = {blob for blob, _ in self.done}
        return self.unfit + len({blob for blob, _ in self.waiting} - finished)


def _frame(text: str) -> bytes:
    body = text.encode("ascii")
    return b"\n%08x %s\n" % (crc32(body), body)


def _parts(text: str) -> list[str]:
    digest = sha256(text.encode("ascii")).hexdigest()
    pieces = [text[start : start + PIECE] for start in range(0, len(text), PIECE)]
    common = f'{{"v":{VERSION},"blob":"{digest}","parts":{len(pieces)}'
    return [f'{common},"part":{part},"text":{json.dumps(piece)}}}' for part, piece in enumerate(pieces)]


def _finite(text: str) -> float:
    number = float(text)
    if not isfinite(number):
        raise ValueError(f"{text} is not a finite number")
    return number


def _refuse(text: str) -> None:
    raise ValueError(f"{text} is not JSON")


_DECODER = json.JSONDecoder(parse_float=_finite, parse_constant=_refuse)


def _parse(body: bytes) -> dict[str, Any] | None:
    try:
        value = _DECODER.decode(body.decode("ascii"))
    except (ValueError, RecursionError):
        return None
    if type(value) is dict and type(value.get("v")) is int and value["v"] == VERSION:
        return value
    return None
