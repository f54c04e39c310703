"""A workbook that somebody has written in, read again (`sheet_xlsx` made it).

    read(content)  ->  as `sheet.read_sheet` gives it

Formulas, dates and errors where text belongs are refused by name. A workbook is an archive of XML, and anybody's: what
it would inflate to is looked at first, and defusedxml lets no entity be expanded.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime

from hpcprov.quality.dictionary.columns import COLUMNS, EDITABLE, OF_DATASET
from hpcprov.quality.dictionary.sheet_xlsx import DATASET, FIELDS, HIDDEN, MARK, library
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

#: What a workbook may inflate to, and of how many parts it may be.
MOST_OCTETS, MOST_PARTS = 512 << 20, 1000
MOST_ROWS, MOST_COLUMNS = 200_000, 200
MOST_PROBLEMS = 1000
ESCAPED = re.compile(r"_x([0-9A-Fa-f]{4})_")


def read(content: bytes) -> dict[str, Any]:
    """What a workbook says. Raises UnreadableData, MissingSheets."""
    _check_size(content)
    openpyxl = library()
    try:
        book = openpyxl.load_workbook(io.BytesIO(content), read_only=True, data_only=False, keep_links=False)
        found = _Found(book)
    except HpcprovError:
        raise
    except MemoryError as error:
        raise UnreadableData("cannot be read: not enough memory") from error
    except Exception as error:
        raise UnreadableData(f"no workbook: {_cause(error)}") from error
    return found.told()


def _cause(error: BaseException) -> str:
    """What was wrong in the first place, in one line."""
    while (earlier := error.__cause__ or error.__context__) is not None:
        error = earlier
    return f"{type(error).__name__}: {str(error).strip()[:200]}".partition("\n")[0]


def _check_size(content: bytes) -> None:
    """Raises UnreadableData for what would inflate to more than any dictionary has."""
    try:
        parts = zipfile.ZipFile(io.BytesIO(content)).infolist()
    except (zipfile.BadZipFile, ValueError, NotImplementedError) as error:
        raise UnreadableData(f"no workbook: {error}") from error
    inflated = sum(part.file_size for part in parts)
    if len(parts) > MOST_PARTS or inflated > MOST_OCTETS:
        raise UnreadableData(f"no dictionary: {len(parts)} parts that inflate to {inflated} bytes")


class _Found:
    """What is in a workbook."""

    def __init__(self, book: Any) -> None:
        self.problems: list[str] = []
        self.ignored: list[str] = []
        if FIELDS not in book.sheetnames:
            raise UnreadableData(f"no dictionary: it has no sheet `{FIELDS}`")
        self.about = self._pairs(book, HIDDEN)
        dataset = {key: text for key, text in self._pairs(book, DATASET).items() if key in OF_DATASET}
        self.dataset = {"at": DATASET, "name": None, "mark": self.about.get("dataset"), "cells": dataset}
        self.rows = list(self._rows(book[FIELDS]))

    def told(self) -> dict[str, Any]:
        return {
            "form": "xlsx",
            "dataset": self.dataset,
            "rows": self.rows,
            "problems": self.problems,
            "ignored": self.ignored,
            "signature": self.about.get("signature") or None,
        }

    def _pairs(self, book: Any, name: str) -> dict[str, str]:
        if name not in book.sheetnames:
            return {}
        found: dict[str, str] = {}
        for cells in book[name].iter_rows(max_row=100, max_col=2):
            if len(cells) == 2 and isinstance(cells[0].value, str):
                text = self._text(cells[1], f"{name}, {cells[0].value[:40]}")
                if text is not None:
                    found[cells[0].value] = text
        return found

    def _rows(self, sheet: Any) -> Iterator[dict[str, Any]]:
        sheet.reset_dimensions()  # what a file says of its size is anybody's word
        lines = sheet.iter_rows(max_row=MOST_ROWS + 1, max_col=MOST_COLUMNS)
        titles = {column.title: column.key for column in COLUMNS}
        head = [str(one.value).strip() if one.value is not None else "" for one in next(lines, ())]
        if "Name" not in head:
            raise UnreadableData(f"no dictionary: the sheet `{FIELDS}` has no column `Name`")
        self.ignored = [title for title in head if title and title not in titles and title != MARK]
        for at, cells in enumerate(lines, start=2):
            line = dict(zip(head, cells, strict=False))
            if any(one.value is not None for one in cells):
                yield self._row(line, titles, at)

    def _row(self, line: dict[str, Any], titles: dict[str, str], at: int) -> dict[str, Any]:
        name = self._text(line["Name"], f"row {at}, Name") if "Name" in line else ""
        cells = {}
        for title, key in titles.items():
            if key in EDITABLE and title in line:
                text = self._text(line[title], f"row {at} ({(name or '')[:80]}), {title}")
                if text is not None:
                    cells[key] = text
        seen = line[MARK].value if MARK in line else None
        return {"at": f"row {at}", "name": name or "", "mark": seen if isinstance(seen, str) else None, "cells": cells}

    def _text(self, one: Any, where: str) -> str | None:
        """A cell as text; None, and a problem noted, for what is none."""
        value = one.value
        kind = getattr(one, "data_type", "n")
        if kind in ("f", "e") or isinstance(value, datetime) or not isinstance(value, str | int | float | type(None)):
            what = {"f": "a formula", "e": "an error", "d": "a date"}.get(kind, "no text")
            if len(self.problems) < MOST_PROBLEMS:
                shape = getattr(value, "text", value)
                self.problems.append(f"{where}: {what}, and text was expected: {str(shape)[:60]}")
            return None
        if isinstance(value, bool):
            return "TRUE" if value else "FALSE"
        if isinstance(value, float) and value.is_integer() and abs(value) < 1e15:
            value = int(value)
        return "" if value is None else _unescaped(str(value))


def _unescaped(text: str) -> str:
    """What our escapes stand for, and those of control characters; LibreOffice writes others as they are."""

    def meant(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code) if code < 0x20 or code == ord("_") else match[0]

    return ESCAPED.sub(meant, text)
