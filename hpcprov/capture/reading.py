"""Bounded reading of small files that others wrote: /proc, /sys, configuration, module files, scripts.

Text comes back with bytes that are not UTF-8 as lone surrogates (PEP 383), nothing blocks on a FIFO or a device, and
nothing is read beyond its limit.

    read_line("/proc/sys/kernel/ostype") == "Linux"
"""

from __future__ import annotations

import os
import stat

from hpcprov.record.errors import HpcprovError

TEXT_LIMIT = 1 << 20
BLOCK = 1 << 20
FLAGS = os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOCTTY


def read_bytes(path: str, limit: int = TEXT_LIMIT) -> bytes:
    """The first `limit` bytes of a file. Raises OSError."""
    descriptor = os.open(path, FLAGS)
    try:
        return read_descriptor(descriptor, limit)
    finally:
        os.close(descriptor)


def read_descriptor(descriptor: int, limit: int) -> bytes:
    """At most `limit` bytes from an open file, from where it stands. Raises OSError."""
    blocks, left = [], limit
    while left and (block := os.read(descriptor, min(left, BLOCK))):
        blocks.append(block)
        left -= len(block)
    return b"".join(blocks)


def read_text(path: str, limit: int = TEXT_LIMIT) -> str:
    """The first `limit` bytes of a file as text with lone surrogates for bytes that are not UTF-8. Raises OSError."""
    return read_bytes(path, limit).decode("utf-8", "surrogateescape")


def read_line(path: str) -> str | None:
    """The first line of a small file without surrounding white space; None when absent, unreadable or empty."""
    try:
        lines = read_text(path, 4096).splitlines()
    except OSError:
        return None
    return lines[0].strip() or None if lines else None


def read_number(path: str) -> int | None:
    """The integer that a small file holds, or None."""
    text = read_line(path)
    return int(text) if text is not None and is_integer(text) else None


def is_integer(text: str) -> bool:
    """Whether `text` is a decimal integer of at most 19 ASCII digits, with an optional sign."""
    digits = text[1:] if text[:1] in ("-", "+") else text
    return digits.isascii() and digits.isdigit() and len(digits) <= 19


def list_names(path: str) -> list[str]:
    """The sorted names in a directory; empty when it is absent or closed to us."""
    try:
        return sorted(os.listdir(path))
    except OSError:
        return []


def digest_file(path: str, limit: int | None = None) -> tuple[str, int]:
    """SHA-256 (hexadecimal) and size (bytes) of a regular file.

    Raises OSError, and HpcprovError when it is no regular file or larger than `limit` bytes.
    """
    import hashlib

    state = hashlib.sha256()
    descriptor = open_regular(path, limit)
    try:
        size = 0
        while block := os.read(descriptor, BLOCK):
            state.update(block)
            size += len(block)
    finally:
        os.close(descriptor)
    return state.hexdigest(), size


def open_regular(path: str, limit: int | None = None) -> int:
    """A descriptor of a regular file of at most `limit` bytes. Raises OSError, HpcprovError."""
    check_regular(path, os.stat(path), limit)
    descriptor = os.open(path, FLAGS)
    try:
        check_regular(path, os.fstat(descriptor), limit)
    except HpcprovError:
        os.close(descriptor)
        raise
    return descriptor


def check_regular(path: str, status: os.stat_result, limit: int | None) -> None:
    """Refuse what is not a regular file of at most `limit` bytes with an HpcprovError that says which and why."""
    if not stat.S_ISREG(status.st_mode):
        raise HpcprovError(f"{path!r} is not a regular file")
    if limit is not None and status.st_size > limit:
        raise HpcprovError(f"{path!r} has {status.st_size} bytes, more than the {limit} that are read")


def explain(error: OSError | HpcprovError) -> str:
    """Why something failed, in one line: `Permission denied`, without the errno and the path that the fact names."""
    return (error.strerror if isinstance(error, OSError) else None) or str(error) or type(error).__name__
