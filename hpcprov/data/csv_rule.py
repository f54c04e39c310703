"""Whether a file is a table of delimited text (CSV), by the rule of docs/signature.md; the name plays no part.

    >>> delimiter_of(b"station,value\\nA,1.5\\nB,2.5\\n", whole=True)
    ','
    >>> delimiter_of(b"Dear reader, this is prose.\\nIt has commas, too, and more.\\n", whole=True) is None
    True

It looks at the first bytes of a file only, and imports nothing heavy.
"""

from __future__ import annotations

import csv
import io
import os
import re

#: How much of the file is looked at, in bytes: twice as much, and so on up to WIDEST, as long as that holds fewer than
#: LINES ends of lines, since the header of a table of thousands of columns may fill it.
SAMPLE, WIDEST, LINES = 64 << 10, 4 << 20, 3
#: Of two that would give as many columns, the first one counts.
DELIMITERS = (",", ";", "\t", "|")
BOM = b"\xef\xbb\xbf"
NUMBER = re.compile(r"[+-]?(\d+\.?\d*|\.\d+)([eE][+-]?\d+)?|[+-]?(nan|inf|infinity)", re.IGNORECASE | re.ASCII)
#: Characters that the names of columns do not have, but source code and markup do.
FOREIGN = frozenset("{}<>=;!\"'`\\")
MAX_NAME = 200


def sample_of(fd: int, size: int) -> tuple[bytes, bool]:
    """The beginning of an open file of `size` bytes that is looked at, and whether it is all of the file."""
    length = SAMPLE
    sample = os.pread(fd, length, 0)
    while len(sample) == length < min(size, WIDEST) and b"\0" not in sample and _line_ends(sample) < LINES:
        length *= 2
        sample = os.pread(fd, length, 0)
    return sample, size <= length


def _line_ends(text: bytes) -> int:
    return text.count(b"\n") + text.count(b"\r") - text.count(b"\r\n")


def delimiter_of(sample: bytes, *, whole: bool) -> str | None:
    """The delimiter of a table that begins with `sample` (as `sample_of` gives it; `whole`: all of the file), or
    None for anything else."""
    body = sample.removeprefix(BOM)
    first = body.lstrip(b"\r\n").partition(b"\n")[0]
    marks = [mark for mark in DELIMITERS if mark.encode() in first]
    if not marks or b"\0" in body:
        return None
    try:
        text = (body if whole else body[: max(body.rfind(b"\n"), body.rfind(b"\r")) + 1]).decode("utf-8")
    except UnicodeDecodeError:
        return None
    widths = {mark: _columns(text, mark, whole=whole) for mark in marks}
    best = max(marks, key=lambda mark: widths[mark])
    return best if widths[best] else None


def is_header_only(text: bytes) -> bool:
    """Whether a whole file has the names of columns and nothing else."""
    try:
        lines = [line for line in text.removeprefix(BOM).decode("utf-8").splitlines() if line]
        return len(lines) == 1 and any(_is_header(next(csv.reader(lines, delimiter=mark))) for mark in DELIMITERS)
    except (UnicodeDecodeError, csv.Error):
        return False


def _columns(text: str, mark: str, *, whole: bool) -> int:
    """How many columns the text has with this delimiter, or 0 when it is no table."""
    width = count = 0
    record: list[str] = []
    lines = io.StringIO(text, newline="")
    try:
        for record in csv.reader(lines, delimiter=mark, strict=True):
            if record:
                count += 1
                width = width or (len(record) if _is_header(record) else 0)
                if len(record) != width:
                    return 0
    except csv.Error:
        # Without the rest of the file the last record may be half of one.
        if whole or lines.read(1):
            return 0
    # Two lines with a comma each may be anything: a single record must at least hold a number.
    return width if count > 2 or (count == 2 and any(NUMBER.fullmatch(cell.strip(" ")) for cell in record)) else 0


def _is_header(names: list[str]) -> bool:
    return len(names) >= 2 and len(set(names)) == len(names) and all(map(_is_name, names))


def _is_name(name: str) -> bool:
    return (
        0 < len(name.strip()) <= len(name) <= MAX_NAME
        and name.isprintable()
        and FOREIGN.isdisjoint(name)
        and not NUMBER.fullmatch(name.strip())
    )
