"""A picture of few colours as a PNG, for a page that must be one file: indexed colours, the standard library only.

    data_uri(2, 1, bytes([0, 1]), [(255, 255, 255), (0, 0, 0)])  ->  "data:image/png;base64,iVBOR..."

https://www.w3.org/TR/png-3/
"""

from __future__ import annotations

import base64
import struct
import zlib

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Sequence

    Colour = tuple[int, int, int]

SIGNATURE = b"\x89PNG\r\n\x1a\n"
#: 8 bits for each pixel, which are numbers of colours.
DEPTH, INDEXED = 8, 3


def png(width: int, height: int, pixels: bytes, colours: Sequence[Colour]) -> bytes:
    """A picture; `pixels` are numbers of `colours`, row by row. Raises ValueError for other numbers of pixels."""
    if len(pixels) != width * height or not pixels or max(pixels) >= len(colours):
        raise ValueError("pixels do not fit the picture")
    rows = b"".join(b"\0" + pixels[at : at + width] for at in range(0, len(pixels), width))  # 0: not filtered
    head = struct.pack(">IIBBBBB", width, height, DEPTH, INDEXED, 0, 0, 0)
    palette = b"".join(bytes(colour) for colour in colours)
    parts = [(b"IHDR", head), (b"PLTE", palette), (b"IDAT", zlib.compress(rows, 9)), (b"IEND", b"")]
    return SIGNATURE + b"".join(_chunk(name, data) for name, data in parts)


def data_uri(width: int, height: int, pixels: bytes, colours: Sequence[Colour]) -> str:
    """The picture as an address that holds it."""
    return f"data:image/png;base64,{base64.b64encode(png(width, height, pixels, colours)).decode()}"


def _chunk(name: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))
