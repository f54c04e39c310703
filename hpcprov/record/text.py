"""Untrusted text made safe to show on a terminal.

Names, arguments and paths may hold control characters, ANSI sequences, bidirectional overrides that make text read
differently than it is, or bytes that are not UTF-8 (lone surrogates, PEP 383). All of them are shown as escapes.

    printable("a\x1b[31mb\udcff")  ->  "a\\x1b[31mb\\xff"
"""

from __future__ import annotations

import os

SHORT = {0x09: "\\t", 0x0A: "\\n", 0x0D: "\\r"}


def printable(text: str) -> str:
    """`text` with everything escaped that is not visible as itself: control and format characters, unusual spaces,
    private and unassigned characters (Unicode categories C* and Z*, the space excepted), and lone surrogates."""
    if text.isprintable():
        return text
    return "".join(character if character.isprintable() else _escape(ord(character)) for character in text)


def is_name(text: str) -> bool:
    """Whether a file can have this name: without NUL, and without a surrogate that stands for no byte."""
    try:
        return b"\0" not in os.fsencode(text)
    except UnicodeEncodeError:
        return False


def _escape(code: int) -> str:
    if 0xDC80 <= code <= 0xDCFF:
        return f"\\x{code - 0xDC00:02x}"
    if code in SHORT:
        return SHORT[code]
    if code <= 0xFF:
        return f"\\x{code:02x}"
    return f"\\u{code:04x}" if code <= 0xFFFF else f"\\U{code:08x}"
