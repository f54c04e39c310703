"""DSSE envelopes: a payload, its type, and the signatures of one or several people over both.

https://github.com/secure-systems-lab/dsse/blob/master/protocol.md

    {"payload": "<base64>", "payloadType": "application/vnd.in-toto+json",
     "signatures": [{"keyid": "SHA256:…", "sig": "<base64 of an SSH signature, as ssh-keygen writes it>"}]}

    envelope = parse(data)                 # refuses what an honest writer would not have written
    message = envelope.message()           # b"DSSEv1 28 application/vnd.in-toto+json 2 {}": what is signed
"""

from __future__ import annotations

import json
from base64 import b64decode, b64encode

from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

PAYLOAD_TYPE = "application/vnd.in-toto+json"
MOST_SIGNATURES = 64
# An envelope of a run with 1,000,000 outputs is about 400 MB; more is no envelope.
SIZE_LIMIT = 1 << 29


class BadEnvelope(HpcprovError):
    """What should be a DSSE envelope and is none that can be relied on."""


class Envelope:
    """`payload` (bytes), its `kind`, and `signatures`: pairs of a key's id and an SSH signature's text."""

    def __init__(self, payload: bytes, signatures: list[tuple[str, str]], kind: str = PAYLOAD_TYPE) -> None:
        self.payload, self.kind, self.signatures = payload, kind, signatures

    def message(self) -> bytes:
        """What signatures are made over."""
        return pae(self.kind, self.payload)

    def encoded(self) -> bytes:
        """The envelope as a file: one line of JSON."""
        signatures = [{"keyid": key, "sig": _base64(text.encode("ascii"))} for key, text in self.signatures]
        whole = {"payload": _base64(self.payload), "payloadType": self.kind, "signatures": signatures}
        return json.dumps(whole, separators=(",", ":")).encode("ascii") + b"\n"


def pae(kind: str, payload: bytes) -> bytes:
    """DSSE's pre-authentication encoding of a payload and its type."""
    name = kind.encode("utf-8")
    return b"DSSEv1 %d %s %d %s" % (len(name), name, len(payload), payload)


def parse(data: bytes) -> Envelope:
    """The envelope in a file. Raises BadEnvelope, which says what is wrong."""
    try:
        whole = json.loads(data)
    except (ValueError, RecursionError) as error:
        raise BadEnvelope(f"it is not JSON: {error}") from error
    if type(whole) is not dict or type(whole.get("payloadType")) is not str:
        raise BadEnvelope("it is not a DSSE envelope")
    listed = whole.get("signatures")
    if type(listed) is not list or not 0 < len(listed) <= MOST_SIGNATURES:
        raise BadEnvelope(f"it must have 1 to {MOST_SIGNATURES} signatures")
    payload = _bytes(whole.get("payload"), "its payload")
    return Envelope(payload, [_signature(one) for one in listed], whole["payloadType"])


def _signature(found: Any) -> tuple[str, str]:
    if type(found) is not dict or type(found.get("keyid", "")) is not str:
        raise BadEnvelope("one of its signatures is not what it must be")
    text = _bytes(found.get("sig"), "one of its signatures")
    if not text.isascii():
        raise BadEnvelope("one of its signatures is not one of SSH")
    return found.get("keyid", ""), text.decode("ascii")


def _bytes(text: Any, what: str) -> bytes:
    """Base64, of either alphabet, as DSSE allows."""
    try:
        return b64decode(str(text).translate(URL_SAFE).encode("ascii"), validate=True) if type(text) is str else b""
    except ValueError as error:
        raise BadEnvelope(f"{what} is not base64") from error


URL_SAFE = str.maketrans("-_", "+/")


def _base64(data: bytes) -> str:
    return b64encode(data).decode("ascii")
