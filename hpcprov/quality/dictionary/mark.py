"""What a cell of a sheet says, and the mark that tells later which cells of a row somebody has changed.

    mark("depth", {"units": "m", "description": ""})  ->  "1 5a0b1c2d3e4f5a6b 8c4d2a1f -"
    parsed("1 5a0b1c2d3e4f5a6b 8c4d2a1f -", ("units", "description"))
    ->  ("5a0b1c2d3e4f5a6b", {"units": "8c4d2a1f", "description": "-"})

A mark stands in the last column of each row: the digest of the field's name, then that of each cell that may be edited,
as the cell was written. So an untouched cell never overwrites anything, whatever has happened since.
"""

from __future__ import annotations

import hashlib
import re

from hpcprov.record.text import printable

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

#: Characters of one cell; spreadsheets take 32,767.
LONGEST = 32_000
FORM = "1"
EMPTY = "-"
MARK = re.compile(r"1 [0-9a-f]{16}( (-|[0-9a-f]{8}))*")


def shown(text: str) -> str:
    """Text as a cell has it: line ends are LF, nothing invisible but these, no blanks at its ends, not too long."""
    lines = text[: LONGEST + 1].replace("\r\n", "\n").split("\n")
    whole = "\n".join(printable(line.replace("\t", " ")) for line in lines).strip()
    return whole if len(whole) <= LONGEST else f"{whole[: LONGEST - 1]}…"


def digest(text: str) -> str:
    """Of a cell's text, to see whether it was changed; not to keep anybody out."""
    cell = shown(text)
    return hashlib.sha256(cell.encode()).hexdigest()[:8] if cell else EMPTY


def name_digest(name: str) -> str:
    return hashlib.sha256(name.encode("utf-8", "surrogatepass")).hexdigest()[:16]


def mark(name: str, cells: Mapping[str, str]) -> str:
    """The mark of a row; `cells` in the order of the columns."""
    return " ".join([FORM, name_digest(name), *(digest(text) for text in cells.values())])


def parsed(text: str | None, keys: Iterable[str]) -> tuple[str, dict[str, str]] | None:
    """The digest of the name, and of each cell by its key; None for what is no mark."""
    if text is None or not MARK.fullmatch(text.strip()):
        return None
    _, name, *cells = text.split()
    wanted = tuple(keys)
    return (name, dict(zip(wanted, cells, strict=True))) if len(cells) == len(wanted) else None
