"""Sheets: what is written is read back the same, no cell is a formula, and what cannot be taken is said."""

from __future__ import annotations

import csv
import io
import json
import shutil
import subprocess
import zipfile
from pathlib import Path
from typing import Any

import openpyxl
import pytest
from hypothesis import given
from hypothesis import strategies as st
from require import require

from hpcprov.quality.dictionary import forms, mark, sheet, sheet_csv, sheet_xlsx_read, sound
from hpcprov.quality.dictionary.cells import editable
from hpcprov.quality.dictionary.columns import COLUMNS, EDITABLE, KEYS
from hpcprov.quality.dictionary.edits import edits_of
from hpcprov.quality.dictionary.merge import _is_changed
from hpcprov.record.errors import HpcprovError
from quality.dictionary.made import NAMES, dictionary, hostile

FORMS = ("json", "csv", "xlsx")
SAMPLES = {"plain": dictionary(), "hostile": hostile()}


def written(found: dict[str, Any], form: str, tmp_path: Path) -> Path:
    path = tmp_path / f"d.{form}"
    content = forms.FORMS[form](found)
    path.write_bytes(content if isinstance(content, bytes) else content.encode("utf-8", "backslashreplace"))
    return path


@pytest.mark.parametrize("form", FORMS)
@pytest.mark.parametrize("sample", SAMPLES)
def test_what_is_read_back_is_what_was_written(form: str, sample: str, tmp_path: Path) -> None:
    found = SAMPLES[sample]
    told = sheet.read_sheet(str(written(found, form, tmp_path)))
    assert sound.is_sheet(told) and told["form"] == form
    assert told["problems"] == [] and told["ignored"] == []
    assert len(told["rows"]) == len(found["fields"])
    for row, field in zip(told["rows"], found["fields"], strict=True):
        assert mark.shown(row["name"]) == mark.shown(field["name"])
        assert {key: mark.shown(text) for key, text in row["cells"].items()} == editable(field)
    if form != "csv":
        assert told["signature"] == found["dataset"]["signature"]


@pytest.mark.parametrize("form", FORMS)
def test_an_untouched_sheet_changes_nothing(form: str, tmp_path: Path) -> None:
    told = sheet.read_sheet(str(written(hostile(), form, tmp_path)))
    found = edits_of(told, NAMES)
    assert found.problems == [] and found.unknown == [] and found.rows == len(NAMES)
    assert not [edit for edit in found.edits if _is_changed(edit, mark.shown(edit.value))]


def test_no_cell_of_a_workbook_is_a_formula(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(written(hostile(), "xlsx", tmp_path))
    cells = [one for name in book.sheetnames for row in book[name].iter_rows() for one in row]
    assert len(cells) > 500 and not [one for one in cells if one.data_type in ("f", "e", "d")]
    assert [one.value for one in book["Fields"]["A"]][NAMES.index("=1+1") + 1] == "=1+1"
    with zipfile.ZipFile(tmp_path / "d.xlsx") as parts:
        assert not [name for name in parts.namelist() if b"<f>" in parts.read(name)]


def test_a_workbook_is_locked_but_for_what_may_be_edited(tmp_path: Path) -> None:
    book = openpyxl.load_workbook(written(dictionary(), "xlsx", tmp_path))
    fields = book["Fields"]
    assert fields.freeze_panes == "B2" and fields.protection.sheet and book["hpcprov"].sheet_state == "hidden"
    open_ones = {COLUMNS[one.column - 1].key for one in fields[2] if not one.protection.locked}
    assert open_ones == set(EDITABLE)
    assert all(one.number_format == "@" for one in fields[2] if not one.protection.locked)
    assert fields.cell(2, KEYS.index("min") + 1).value == -1.5
    assert fields.cell(2, KEYS.index("max") + 1).value == "18446744073709551615"


def test_csv_for_people_who_open_it_in_a_spreadsheet() -> None:
    rows = list(csv.reader(io.StringIO(sheet_csv.write(hostile()))))
    texts = [text for row in rows[1:] for text in row if not is_number(text)]
    assert len(texts) > 100 and not [text for text in texts if text.startswith(("=", "+", "-", "@", "\t", "\r", "\n"))]
    assert rows[1][KEYS.index("shape")] == "4 x 50"
    plain = list(csv.DictReader(io.StringIO(sheet_csv.write(dictionary()))))
    assert float(plain[0]["min"]) == -1.5


def is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True


@given(st.text())
def test_the_guard_of_csv_is_taken_away_again(text: str) -> None:
    assert sheet_csv.unguarded(sheet_csv.guarded(text)) == text
    assert not sheet_csv.guarded(text).startswith(("=", "+", "-", "@", "\t", "\r", "\n"))


@given(st.text())
def test_what_a_cell_shows_stays(text: str) -> None:
    assert mark.shown(mark.shown(text)) == mark.shown(text)
    assert len(mark.shown(text)) <= mark.LONGEST


@given(st.lists(st.text(max_size=20), min_size=6, max_size=6), st.text(max_size=20))
def test_marks_of_any_text(texts: list[str], name: str) -> None:
    made = mark.mark(name, dict(zip(EDITABLE, texts, strict=True)))
    assert mark.parsed(made, EDITABLE) == (
        mark.name_digest(name), {key: mark.digest(text) for key, text in zip(EDITABLE, texts, strict=True)}
    )  # fmt: skip
    assert mark.parsed(made, EDITABLE[1:]) is None


@pytest.mark.parametrize("text", [None, "", "1", "2 " + "a" * 16, "1 xyz", "1 " + "a" * 16 + " -"])
def test_what_is_no_mark(text: str | None) -> None:
    assert mark.parsed(text, EDITABLE) is None


def edited(tmp_path: Path, *changes: tuple[int, str, Any], found: dict[str, Any] | None = None) -> dict[str, Any]:
    """A workbook in which cells (row, title, value) were edited, as it is read."""
    path = written(found or dictionary(), "xlsx", tmp_path)
    book = openpyxl.load_workbook(path)
    titles = {one.value: one.column for one in book["Fields"][1]}
    for row, title, value in changes:
        book["Fields"].cell(row, titles.get(title, len(titles) + 1)).value = value
    book.save(path)
    return sheet.read_sheet(str(path))


def test_formulas_dates_and_errors_are_refused_by_name(tmp_path: Path) -> None:
    import datetime

    told = edited(
        tmp_path, (2, "Units", "=SUM(A1)"), (3, "Description", datetime.datetime(2026, 11, 21)), (3, "Tags", "#N/A")
    )
    assert told["problems"] == [
        "row 2 (depth), Units: a formula, and text was expected: =SUM(A1)",
        "row 3 (mask), Description: a date, and text was expected: 2026-11-21 00:00:00",
        "row 3 (mask), Tags: an error, and text was expected: #N/A",
    ]


def test_numbers_and_truth_are_text(tmp_path: Path) -> None:
    told = edited(tmp_path, (2, "Units", 1), (3, "Units", 0.5), (2, "Short name", True))
    assert told["rows"][0]["cells"]["units"] == "1" and told["rows"][1]["cells"]["units"] == "0.5"
    assert told["rows"][0]["cells"]["short_name"] == "TRUE" and told["problems"] == []


def test_only_edited_cells_are_edits(tmp_path: Path) -> None:
    told = edited(tmp_path, (2, "Units", "cm"), (3, "Long name", None), (2, "Tags", "b,a, b"))
    found = edits_of(told, ["depth", "mask"])
    changed = {(one.field, one.key): one.value for one in found.edits if _is_changed(one, one.value)}
    assert changed == {("depth", "units"): "cm", ("mask", "long_name"): "", ("depth", "tags"): "b, a"}


def test_rows_of_which_one_column_was_sorted_are_refused(tmp_path: Path) -> None:
    told = edited(tmp_path, (2, "Name", "mask"), (3, "Name", "depth"))
    problems = edits_of(told, ["depth", "mask"]).problems
    assert len(problems) == 2 and "row 2: it is named 'mask', and was exported as 'depth'" in problems[0]


def test_unknown_fields_and_columns_are_named(tmp_path: Path) -> None:
    told = edited(tmp_path, (1, "what", "Remarks"), (4, "Name", "other"), (4, "Units", "m"))
    found = edits_of(told, ["depth", "mask"])
    assert told["ignored"] == ["Remarks"] and found.unknown == ["'other' (row 4)"]
    gone = edits_of(told, ["depth"])
    assert gone.unknown == ["'mask' (row 3)", "'other' (row 4)"] and gone.problems == []


def test_a_field_that_stands_twice(tmp_path: Path) -> None:
    told = sheet_csv.read("name,units\ndepth,m\ndepth,cm\n")
    assert edits_of(told, ["depth"]).problems == ["line 3: 'depth' stands in line 2, too"]


def test_sheets_that_people_write_by_hand() -> None:
    told = sheet_csv.read("name;units;remark\ndepth;m;x\nmask;;\n")
    found = edits_of(told, ["depth", "mask"])
    assert [(one.field, one.key, one.value, one.seen) for one in found.edits] == [
        ("depth", "units", "m", None), ("mask", "units", "", None),
    ]  # fmt: skip
    assert told["ignored"] == ["remark"] and found.problems == []
    told = sheet.read_json('{"fields": [{"name": "depth", "tags": ["a", "b"], "units": null}]}')
    assert told["rows"][0]["cells"] == {"units": "", "tags": "a, b"}
    assert sheet.read_json('{"fields": [{"name": "depth", "units": 5}]}')["problems"] == ["field 1, units: no text"]


@pytest.mark.parametrize(
    ("key", "text", "reason"),
    [
        ("units", "a\nb", "several lines"),
        ("description", "x" * 20_000, "20000 characters"),
        ("units", "a\0b", "no text"),
    ],
)
def test_texts_that_are_not_taken(key: str, text: str, reason: str) -> None:
    told = sheet.read_json(json.dumps({"fields": [{"name": "depth", key: text}]}))
    assert reason in edits_of(told, ["depth"]).problems[0]


def bomb(path: Path, part: bytes, name: str = "xl/worksheets/sheet2.xml") -> Path:
    """A workbook of which one part is another one."""
    source = written(dictionary(), "xlsx", path.parent)
    with zipfile.ZipFile(source) as old, zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new:
        for one in old.namelist():
            new.writestr(one, part if one == name else old.read(one))
    return path


ENTITIES = b"""<?xml version="1.0"?><!DOCTYPE x [<!ENTITY a "aaaaaaaaaa"><!ENTITY b "&a;&a;&a;&a;&a;&a;&a;&a;&a;">
<!ENTITY f SYSTEM "file:///etc/passwd">]>
<worksheet xmlns="http://schemas.openxmlformats.org/spreadsheetml/2006/main"><sheetData><row r="1">
<c r="A1" t="inlineStr"><is><t>Name &b; &f;</t></is></c></row></sheetData></worksheet>"""


def test_entities_are_refused(tmp_path: Path) -> None:
    path = bomb(tmp_path / "e.xlsx", ENTITIES)
    with pytest.raises(HpcprovError, match="no workbook: EntitiesForbidden"):
        sheet.read_sheet(str(path))


def test_a_workbook_that_inflates_without_end_is_refused(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sheet_xlsx_read, "MOST_OCTETS", 1 << 20)
    path = tmp_path / "z.xlsx"
    with (
        zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as new,
        new.open("xl/workbook.xml", "w", force_zip64=True) as part,
    ):
        for _ in range(6):
            part.write(b"\0" * (1 << 20))
    with pytest.raises(HpcprovError, match="inflate to 6291456 bytes"):
        sheet.read_sheet(str(path))


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        (b"", "empty"),
        (b"PK\3\4 and nothing", "no workbook"),
        (b"\xd0\xcf\x11\xe0\xa1\xb1", "old or encrypted"),
        (b"\xff\xfa\x00", "neither XLSX nor text"),
        (b"a,b\n1,2\n", "no column `name`"),
        (b"{", "no JSON"),
        (b'{"fields": 5}', "no list `fields`"),
        (b"[" * 100_000, "no JSON"),
        (b'name\n"a', "no CSV"),
    ],
)
def test_what_is_no_sheet(content: bytes, reason: str, tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(content)
    with pytest.raises(HpcprovError, match=reason):
        sheet.read_sheet(str(path))


def test_an_answer_of_a_child_that_was_taken_over_is_not_believed() -> None:
    good = sheet_csv.read("name,units\ndepth,m\n")
    assert sound.is_sheet(good)
    for key in good:
        assert not sound.is_sheet(good | {key: 5})
    assert not sound.is_sheet(good | {"rows": [{"at": "x", "name": "a", "mark": None, "cells": {"units": 5}}]})


@pytest.mark.slow
def test_libreoffice_opens_it_and_what_it_saves_is_taken_back(tmp_path: Path) -> None:
    program = shutil.which("soffice") or shutil.which("libreoffice")
    require("libreoffice", program)
    names = [name for name in NAMES if name != "_x005F_"]  # which LibreOffice writes as it would a `_`
    path = written(dictionary(names), "xlsx", tmp_path)
    (tmp_path / "saved").mkdir()
    command = [str(program), f"-env:UserInstallation=file://{tmp_path}/profile", "--headless", "--convert-to", "xlsx",
               "--outdir", str(tmp_path / "saved"), str(path)]  # fmt: skip
    subprocess.run(command, check=True, capture_output=True, timeout=120)
    told = sheet.read_sheet(str(tmp_path / "saved" / "d.xlsx"))
    assert told["problems"] == [] and len(told["rows"]) == len(names)
    found = edits_of(told, names)
    assert found.problems == [] and found.unknown == []
    assert not [edit for edit in found.edits if _is_changed(edit, mark.shown(edit.value))]
    assert sheet_xlsx_read.read((tmp_path / "saved" / "d.xlsx").read_bytes())["signature"] == told["signature"]
