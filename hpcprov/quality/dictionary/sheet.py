"""A dictionary that somebody has written in, read again: XLSX, CSV or JSON, told apart by what is in it.

    read_sheet("dictionary.xlsx")
    ->  {"form": "xlsx", "signature": "hpcprov1:...", "problems": [], "ignored": [],
         "dataset": {"at": "Dataset", "name": None, "mark": "1 ...", "cells": {"description": "..."}},
         "rows": [{"at": "row 2", "name": "depth", "mark": "1 5a0b...", "cells": {"units": "m"}}]}

It is untrusted, and so read in the child. `problems` are cells that cannot be taken: formulas, dates, errors;
`ignored` are columns that are none of a dictionary's.
"""

from __future__ import annotations

import json
import os

from hpcprov.quality.dictionary.columns import EDITABLE, KEYS, OF_DATASET
from hpcprov.record.errors import UnreadableData

TYPE_CHECKING = False
if TYPE_CHECKING:
    from typing import Any

LARGEST = 64 << 20
ZIP = b"PK\3\4"
OTHERS = ("format", "fields", "annotated", "defined", "count", "uncounted", "as_exported")
#: Old spreadsheets, and those of another standard.
NOT_TAKEN = {b"\xd0\xcf\x11\xe0": "an old or encrypted Office document: save it as .xlsx without a password"}


def read_sheet(path: str) -> dict[str, Any]:
    """What a sheet says. Raises UnreadableData."""
    with open(os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK), "rb") as file:
        if os.fstat(file.fileno()).st_size > LARGEST:
            raise UnreadableData(f"larger than {LARGEST} bytes: no dictionary")
        content = file.read(LARGEST)
    if content.startswith(ZIP):
        from hpcprov.quality.dictionary import sheet_xlsx_read

        return sheet_xlsx_read.read(content)
    refused = next((reason for begin, reason in NOT_TAKEN.items() if content.startswith(begin)), None)
    if refused is not None:
        raise UnreadableData(refused)
    text = _text(content)
    if text.lstrip().startswith(("{", "[")):
        return read_json(text)
    from hpcprov.quality.dictionary import sheet_csv

    return sheet_csv.read(text)


def _text(content: bytes) -> str:
    """Unicode, as spreadsheet programs write it."""
    wide = content.startswith((b"\xff\xfe", b"\xfe\xff"))
    try:
        return content.decode("utf-16" if wide else "utf-8-sig")
    except UnicodeDecodeError as error:
        raise UnreadableData("neither XLSX nor text in UTF-8: save it as .xlsx, or as CSV in UTF-8") from error


def read_json(text: str) -> dict[str, Any]:
    """As `hpcprov dictionary --json` writes it, or as little of it as somebody has written by hand."""
    try:
        told = json.loads(text)
    except (ValueError, RecursionError) as error:
        raise UnreadableData(f"no JSON: {str(error)[:200]}") from error
    fields = told.get("fields") if type(told) is dict else None
    if type(fields) is not list or not all(type(one) is dict for one in fields):
        raise UnreadableData("no dictionary: it has no list `fields` of objects")
    dataset = told.get("dataset")
    problems: list[str] = []
    rows = [_row(one, f"field {at}", EDITABLE, problems) for at, one in enumerate(fields, start=1)]
    ignored = {name for one in fields for name in one if name not in {*KEYS, *OTHERS}}
    about = dataset if type(dataset) is dict else {}
    signature = about.get("signature")
    return {
        "form": "json",
        "dataset": _row(about, "the dataset", OF_DATASET, problems) | {"name": None},
        "rows": rows,
        "problems": problems,
        "ignored": sorted(ignored),
        "signature": signature if type(signature) is str else None,
    }


def _row(facts: dict[str, Any], at: str, keys: tuple[str, ...], problems: list[str]) -> dict[str, Any]:
    name, seen = facts.get("name"), facts.get("as_exported")
    cells = {}
    for key in keys:
        value = facts.get(key, "")
        if key == "tags" and type(value) is list and all(type(one) is str for one in value):
            value = ", ".join(value)
        if value is not None and type(value) is not str:
            problems.append(f"{at}, {key}: no text")
        elif key in facts:
            cells[key] = value or ""
    return {
        "at": at,
        "name": name if type(name) is str else "",
        "mark": seen if type(seen) is str else None,
        "cells": cells,
    }
