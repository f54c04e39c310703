"""A dictionary as CSV: one row for each field, with a header (RFC 4180, UTF-8, LF).

    write(dictionary)  ->  "name,type,shape,...,as_exported\\ndepth,f4,4 x 50,...\\n"

Spreadsheet programs take a text that begins with = + - @ for a formula. Such a text gets a ' before it, which is taken
away when the sheet is read (a text that begins with ' and then one of these gets another '). Numbers stay numbers.
"""

from __future__ import annotations

import csv
import io
import re

from hpcprov.quality.dictionary.cells import row
from hpcprov.quality.dictionary.columns import EDITABLE, KEYS
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator
    from typing import Any

MARK = "as_exported"
#: What begins a formula somewhere: also in the wide forms of East Asian keyboards.
FORMULA = re.compile(r"'*[=+\-@\t\r\n＝＋－＠]")
MOST_ROWS = 200_000


def write(dictionary: dict[str, Any]) -> str:
    """The whole text."""
    stream = io.StringIO()
    writer = csv.writer(stream, lineterminator="\n")
    writer.writerow([*KEYS, MARK])
    for field in dictionary["fields"]:
        writer.writerow([guarded(one) if isinstance(one, str) else one for one in row(field)])
    return stream.getvalue()


def guarded(text: str) -> str:
    return f"'{text}" if FORMULA.match(text) else text


def unguarded(text: str) -> str:
    return text[1:] if text.startswith("'") and FORMULA.match(text[1:]) else text


def read(text: str) -> dict[str, Any]:
    """What the sheet says, as `sheet.read_sheet` gives it. Raises UnreadableData."""
    csv.field_size_limit(1 << 20)
    try:
        lines = list(_lines(text))
    except csv.Error as error:
        raise UnreadableData(f"no CSV: {error}") from error
    if not lines:
        raise UnreadableData("it is empty")
    head = [name.strip() for name in lines[0][1]]
    if "name" not in head:
        raise UnreadableData("its first line has no column `name`: no dictionary")
    rows = [_row(head, at, cells) for at, cells in lines[1:] if any(cells)]
    return {
        "form": "csv",
        "dataset": {"at": "the dataset", "name": None, "mark": None, "cells": {}},
        "rows": rows,
        "problems": [],
        "ignored": unknown(head),
        "signature": None,
    }


def _lines(text: str) -> Iterator[tuple[int, list[str]]]:
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=_delimiter(text), strict=True)
    for cells in reader:
        if reader.line_num > MOST_ROWS:
            raise UnreadableData(f"more than {MOST_ROWS} lines")
        yield reader.line_num, cells


def _delimiter(text: str) -> str:
    """Spreadsheet programs of some countries write semicolons, and some people tabs."""
    first = text.partition("\n")[0]
    return max(",;\t", key=first.count)


def _row(head: list[str], at: int, cells: list[str]) -> dict[str, Any]:
    found = dict(zip(head, cells, strict=False))
    texts = {key: unguarded(found[key]) for key in EDITABLE if key in found}
    return {"at": f"line {at}", "name": unguarded(found.get("name", "")), "mark": found.get(MARK), "cells": texts}


def unknown(head: Iterable[str]) -> list[str]:
    """Columns that are none of a dictionary's."""
    return [name for name in head if name and name not in {*KEYS, MARK}]
