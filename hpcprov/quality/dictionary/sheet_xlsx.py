"""A dictionary as a workbook for Excel and LibreOffice: a sheet `Dataset`, a sheet `Fields`, and a hidden one that says
what it was made from.

    write(dictionary)  ->  b"PK..."

What people may edit is coloured, everything else locked (without a password: `Review > Unprotect`). No cell is ever a
formula: text is stored as text, also where it begins with =. `sheet_xlsx_read` reads it again.
"""

from __future__ import annotations

import io
import re

from hpcprov.quality.dictionary.cells import cell, dataset_mark, editable, facts_of_run, row
from hpcprov.quality.dictionary.columns import COLUMNS, OF_DATASET
from hpcprov.quality.dictionary.mark import shown
from hpcprov.record.errors import HpcprovError

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

DATASET, FIELDS, HIDDEN = "Dataset", "Fields", "hpcprov"
MARK = "As exported"
PAPER, EDIT, HEAD = "F4F2EE", "FFF7DD", "DCE6F2"
WIDTHS = {"name": 26, "description": 48, "long_name": 28, "standard_name": 28, "values": 30, "definition": 32}
WIDEST, USUAL = 48, 13
#: Points of a line, and the most lines of a row.
LINE, MOST_LINES = 15, 8
# Text of this form is an escape in OOXML; so is its own underscore then.
ESCAPE = re.compile(r"_(?=x[0-9A-Fa-f]{4}_)")
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
    book = library().Workbook(write_only=True)
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


def library() -> Any:
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
