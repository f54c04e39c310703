"""DSSE envelopes: what is signed, and what is refused."""

from __future__ import annotations

import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hpcprov.attest.envelope import MOST_SIGNATURES, BadEnvelope, Envelope, pae, parse


@pytest.mark.parametrize(
    ("kind", "payload", "message"),
    [
        # The example of DSSE's protocol.md.
        ("http://example.com/HelloWorld", b"hello world", b"DSSEv1 29 http://example.com/HelloWorld 11 hello world"),
        ("application/vnd.in-toto+json", b"", b"DSSEv1 28 application/vnd.in-toto+json 0 "),
        ("x/\u00e4", b"\xff\xfe", b"DSSEv1 4 x/\xc3\xa4 2 \xff\xfe"),  # lengths are of bytes
        ("", b"", b"DSSEv1 0  0 "),
    ],
)
def test_what_is_signed(kind: str, payload: bytes, message: bytes) -> None:
    assert pae(kind, payload) == message


@given(st.binary(), st.lists(st.tuples(st.text(), st.text(st.characters(max_codepoint=127))), min_size=1, max_size=4))
def test_what_is_written_is_read(payload: bytes, signatures: list[tuple[str, str]]) -> None:
    found = parse(Envelope(payload, signatures).encoded())
    assert (found.payload, found.signatures) == (payload, signatures)


def test_both_alphabets_of_base64_are_read() -> None:
    whole = {"payload": "-_-_", "payloadType": "x", "signatures": [{"sig": "YQ=="}]}
    assert parse(json.dumps(whole).encode()).payload == bytes.fromhex("fbffbf")


GOOD: dict[str, Any] = {"payload": "YQ==", "payloadType": "x", "signatures": [{"keyid": "k", "sig": "YQ=="}]}


@pytest.mark.parametrize(
    "change",
    [
        {"payload": "a"},
        {"payload": "ä"},
        {"payloadType": 1},
        {"payloadType": None},
        {"signatures": None},
        {"signatures": []},
        {"signatures": [None]},
        {"signatures": [{"sig": "!"}]},
        {"signatures": [{"sig": "/w=="}]},
        {"signatures": [{"keyid": 7, "sig": "YQ=="}]},
        {"signatures": [{"sig": "YQ=="}] * (MOST_SIGNATURES + 1)},
    ],
    ids=str,
)
def test_what_is_no_envelope(change: dict[str, Any]) -> None:
    with pytest.raises(BadEnvelope):
        parse(json.dumps(GOOD | change).encode())


@pytest.mark.parametrize("data", [b"", b"x", b"[]", b"7", b"\xff", b"[" * 100_000, b'{"payload":"YQ=="}'])
def test_what_is_no_json(data: bytes) -> None:
    with pytest.raises(BadEnvelope):
        parse(data)
