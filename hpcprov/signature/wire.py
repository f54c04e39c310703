"""Messages between a process and the child that reads untrusted files for it, over one stream socket.

u32 length of head, u64 length of body (little-endian), head (a JSON object), body

send(stream, {"do": "storage", "path": "out.h5"})
head, body = receive(stream)
"""

from __future__ import annotations

import json
import socket

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

FIXED = 12
#: A head may list a hundred thousand files or fields, a body hold the leaves of 16 TiB.
MAX_HEAD = 256 << 20
MAX_BODY = 1 << 30


class Ended(HpcprovError):
    """The other end has closed the stream."""


class BadMessage(HpcprovError):
    """What came over the stream is no message."""


def send(stream: socket.socket, head: dict[str, Any], body: bytes = b"") -> None:
    """Send one message. Raises Ended when nobody listens."""
    text = json.dumps(head).encode()
    try:
        stream.sendall(len(text).to_bytes(4, "little") + len(body).to_bytes(8, "little") + text + body)
    except (BrokenPipeError, ConnectionResetError) as error:
        raise Ended("the other end has closed the stream") from error


def receive(stream: socket.socket) -> tuple[dict[str, Any], bytes]:
    """The next message: head and body. Raises Ended, or BadMessage for anything that is none."""
    fixed = _exactly(stream, FIXED)
    lengths = int.from_bytes(fixed[:4], "little"), int.from_bytes(fixed[4:], "little")
    if lengths[0] > MAX_HEAD or lengths[1] > MAX_BODY:
        raise BadMessage(f"a message of {lengths[0]} and {lengths[1]} bytes")
    try:
        head = json.loads(_exactly(stream, lengths[0]))
    except (ValueError, RecursionError) as error:
        raise BadMessage("a message that is not JSON") from error
    if not isinstance(head, dict):
        raise BadMessage("a message that is no JSON object")
    return head, _exactly(stream, lengths[1])


def _exactly(stream: socket.socket, count: int) -> bytes:
    """`count` bytes; memory grows with what comes, not with what was announced."""
    found = bytearray()
    while len(found) < count:
        try:
            piece = stream.recv(min(count - len(found), 1 << 20))
        except ConnectionResetError:
            piece = b""
        if not piece:
            raise Ended("the other end has closed the stream")
        found += piece
    return bytes(found)
