"""A dictionary as a workbook for Excel and LibreOffice: a sheet `Dataset`, a sheet `Fields`, and a hidden one that says
what it was made from.

    write(dictionary)  ->  b"PK..."        read(content)  ->  as `sheet.read_sheet` gives it

What people may edit is coloured, everything else locked (without a password: `Review > Unprotect`). No cell is ever a
formula: text is stored as text, also where it begins with =; where somebody has put a formula, it is refused by name.
"""

from __future__ import annotations

import io
import re
import zipfile
from datetime import datetime

from hpcprov.quality.dictionary.cells import cell, dataset_mark, editable, facts_of_run, row
from hpcprov.quality.dictionary.columns import COLUMNS, EDITABLE, OF_DATASET
from hpcprov.quality.dictionary.mark import shown
from hpcprov.record.errors import HpcprovError, UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

DATASET, FIELDS, HIDDEN = "Dataset", "Fields", "hpcprov"
MARK = "As exported"
#: What a workbook may inflate to, and of how many parts it may be.
MOST_OCTETS, MOST_PARTS = 512 << 20, 1000
MOST_ROWS, MOST_COLUMNS = 200_000, 200
MOST_PROBLEMS = 1000
PAPER, EDIT, HEAD = "F4F2EE", "FFF7DD", "DCE6F2"
WIDTHS = {"name": 26, "description": 48, "long_name": 28, "standard_name": 28, "values": 30, "definition": 32}
WIDEST, USUAL = 48, 13
#: Points of a line, and the most lines of a row.
LINE, MOST_LINES = 15, 8
# Text of this form is an escape in OOXML; so is its own underscore then.
ESCAPE, ESCAPED = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)"), re.compile(r"_x([0-9A-Fa-f]{4})_")
HOW = (
    "Yellow cells may be edited: words about the dataset here, words about each field in the sheet `Fields`.",
    "Then take them back:  hpcprov annotate {path} --from THIS_FILE.xlsx   (add --embed to write them into the data)",
    "Nothing that others have changed since this file was made is overwritten: such cells are shown to you.",
    "Grey cells were read from the data. They are locked without a password, and are not read back.",
)


class MissingSheets(HpcprovError):
    """The library that reads and writes workbooks is not installed."""


def write(dictionary: dict[str, Any]) -> bytes:
    """The workbook. Raises MissingSheets."""
    book = _openpyxl().Workbook(write_only=True)
    made = _Maker(book)
    _write_dataset(made, dictionary["dataset"])
    _write_fields(made, dictionary["fields"])
    hidden = book.create_sheet(HIDDEN)
    hidden.sheet_state = "hidden"
    about = {"format": dictionary["format"], "signature": dictionary["dataset"]["signature"],
             "path": dictionary["dataset"]["path"], "version": dictionary["annotations"]["version"],
             "dataset": dataset_mark(dictionary["dataset"])}  # fmt: skip
    for key, value in about.items():
        hidden.append([made.cell(hidden, key, "plain"), made.cell(hidden, value, "plain")])
    stream = io.BytesIO()
    book.save(stream)
    return stream.getvalue()


def _openpyxl() -> Any:
    try:
        import openpyxl
    except ImportError as error:
        hint = "pip install 'hpcprov[dictionary]'; .csv and .json need nothing"
        raise MissingSheets("a workbook needs openpyxl, which is not installed", hint=hint) from error
    return openpyxl


class _Maker:
    """Makes cells in the few styles that there are; each is put together once, which is what takes time."""

    def __init__(self, book: Any) -> None:
        from openpyxl.cell import WriteOnlyCell
        from openpyxl.styles import Alignment, Font, PatternFill, Protection

        self.book, self.cell_type = book, WriteOnlyCell
        self.styles: dict[tuple[str, bool], Any] = {}
        self.top, self.wrap = Alignment(vertical="top"), Alignment(vertical="top", wrap_text=True)
        self.left = Alignment(vertical="top", horizontal="left", wrap_text=True)
        self.bold, self.open = Font(bold=True), Protection(locked=False)
        colours = {"edit": EDIT, "locked": PAPER, "fact": PAPER, "head": HEAD}
        self.fills = {name: PatternFill("solid", fgColor=colour) for name, colour in colours.items()}

    def cell(self, sheet: Any, value: Any, style: str) -> Any:
        """A cell; text is text, whatever it looks like."""
        is_text = isinstance(value, str)
        made = self.cell_type(sheet, value=ESCAPE.sub("_x005F_", value) if is_text else value)
        if is_text:
            made.data_type = "s"
        made._style = self._style(sheet, style, is_text or style == "edit")
        return made

    def _style(self, sheet: Any, style: str, is_text: bool) -> Any:
        """The style of a kind of cells; what is typed into one that `is_text` stays text."""
        if (style, is_text) not in self.styles:
            model = self.cell_type(sheet)
            model.alignment = {"edit": self.wrap, "head": self.wrap, "fact": self.left}.get(style, self.top)
            if style in self.fills:
                model.fill = self.fills[style]
            if style == "head":
                model.font = self.bold
            if style == "edit":
                model.protection = self.open
            if is_text:
                model.number_format = "@"
            self.styles[style, is_text] = model._style
        return self.styles[style, is_text]


def _unescaped(text: str) -> str:
    """What our escapes stand for, and those of control characters; LibreOffice writes others as they are."""

    def meant(match: re.Match[str]) -> str:
        code = int(match[1], 16)
        return chr(code) if code < 0x20 or code == ord("_") else match[0]

    return ESCAPED.sub(meant, text)


def _write_dataset(made: _Maker, dataset: dict[str, Any]) -> None:
    sheet = made.book.create_sheet(DATASET)
    sheet.protection.sheet = True
    _fit(sheet)
    sheet.column_dimensions["A"].width, sheet.column_dimensions["B"].width = 18, 100
    texts = editable(dataset, OF_DATASET)
    for key in dataset:
        if key in OF_DATASET:
            sheet.append([made.cell(sheet, key, "head"), made.cell(sheet, texts[key], "edit")])
        elif (value := dataset_cell(key, dataset[key])) is not None:
            sheet.append([made.cell(sheet, key, "head"), made.cell(sheet, value, "fact")])
    sheet.append([])
    for line in HOW:
        sheet.append([None, made.cell(sheet, line.format(path=shown(str(dataset["path"] or "PATH"))), "plain")])


def _fit(sheet: Any, *, width: int = 1) -> None:
    """Print it on pages that lie on their side, so many beside each other."""
    sheet.page_setup.orientation, sheet.page_setup.fitToWidth, sheet.page_setup.fitToHeight = "landscape", width, 0
    sheet.sheet_properties.pageSetUpPr.fitToPage = True


def dataset_cell(key: str, value: Any) -> Any:
    """What is known of the dataset as a whole, as one cell."""
    if key == "run":
        value = facts_of_run(value)
    if key == "dimensions" and value:
        value = ", ".join(f"{name} {length}" for name, length in value.items())
    found = None if key == "annotated" or (key == "shape" and value is None) else cell(key, value)
    return shown(found) if isinstance(found, str) else found


def _write_fields(made: _Maker, fields: list[dict[str, Any]]) -> None:
    from openpyxl.utils import get_column_letter

    sheet = made.book.create_sheet(FIELDS)
    sheet.protection.sheet, sheet.protection.autoFilter, sheet.protection.formatColumns = True, False, False
    sheet.freeze_panes, sheet.print_title_rows, sheet.print_title_cols = "B2", "1:1", "A:A"
    _fit(sheet, width=3)
    for at, column in enumerate(COLUMNS, start=1):
        sheet.column_dimensions[get_column_letter(at)].width = _width(column.key)
    last = get_column_letter(len(COLUMNS) + 1)
    sheet.column_dimensions[last].hidden = True
    sheet.auto_filter.ref = f"A1:{get_column_letter(len(COLUMNS))}{len(fields) + 1}"
    sheet.append([made.cell(sheet, title, "head") for title in (*(column.title for column in COLUMNS), MARK)])
    styles = ["edit" if column.editable else "locked" for column in COLUMNS] + ["locked"]
    for at, field in enumerate(fields, start=2):
        values = row(field)
        sheet.row_dimensions[at].height = LINE * _lines(values)
        sheet.append([made.cell(sheet, value, style) for value, style in zip(values, styles, strict=True)])


def _lines(values: list[Any]) -> int:
    """How many lines the cells that are wrapped take; programs do not all find that out by themselves."""
    texts = [(column, value) for column, value in zip(COLUMNS, values, strict=False) if column.editable and value]
    needed = (sum(1 + len(line) // _width(column.key) for line in str(value).split("\n")) for column, value in texts)
    return min(MOST_LINES, max(needed, default=1))


def _width(key: str) -> int:
    return min(WIDEST, WIDTHS.get(key, USUAL))


def read(content: bytes) -> dict[str, Any]:
    """What a workbook says. Raises UnreadableData, MissingSheets."""
    _check_size(content)
    openpyxl = _openpyxl()
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
