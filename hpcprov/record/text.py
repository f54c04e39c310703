"""Untrusted text made safe to show on a terminal.

Names, arguments and paths may hold control characters, ANSI sequences, bidirectional overrides that make text read
differently than it is, or bytes that are not UTF-8 (lone surrogates, PEP 383). All of them are shown as escapes.

    printable("a\x1b[31mb\udcff")  ->  "a\\x1b[31mb\\xff"
"""

from __future__ import annotations

# Unicode UAX #9 controls, plus line and paragraph separators, zero-width characters and the byte order mark.
DECEPTIVE = frozenset(
    [0x061C, 0x180E, 0x2028, 0x2029, 0xFEFF, *range(0x200B, 0x2010), *range(0x202A, 0x202F), *range(0x2060, 0x2070)]
    + [*range(0xFFF9, 0xFFFC), *range(0xE0000, 0xE0080)]
)
SHORT = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}


def printable(text: str) -> str:
    """`text` with everything that a terminal would act on, or that cannot be encoded, escaped visibly."""
    if text.isascii() and text.isprintable():
        return text
    return "".join(character if _harmless(ord(character)) else _escape(ord(character)) for character in text)


def _harmless(code: int) -> bool:
    if code < 0x20 or 0x7F <= code <= 0x9F or 0xD800 <= code <= 0xDFFF:
        return False
    return code not in DECEPTIVE


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code in SHORT:
        return SHORT[code]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
