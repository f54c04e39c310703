"""Canonical JSON: one value, one byte string, so that equal values have equal digests.

Sorted keys, no spaces, ASCII only; bytes that are not UTF-8 stay lone surrogates (`\\udcff`), as in the log.

    canonical({"b": 1, "a": "é"})  ->  b'{"a":"\\\\u00e9","b":1}'
    digest({})                     ->  "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a"
"""

from __future__ import annotations

import json
from hashlib import sha256

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

ALGORITHM = "sha256:"


def canonical(value: Any) -> bytes:
    """The canonical JSON of `value`. Raises ValueError for NaN and infinities."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=True, allow_nan=False)
    return text.encode("ascii")


def digest(value: Any) -> str:
    """`sha256:<hex>` of the canonical JSON of `value`."""
    return digest_bytes(canonical(value))


def digest_bytes(data: bytes) -> str:
    return ALGORITHM + sha256(data).hexdigest()
