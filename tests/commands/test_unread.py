"""A table of which not all can be read: what the commands say of it."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest

import hpcprov
from hpcprov.cli import main
from hpcprov.commands.constraints_discover import file_of
from hpcprov.commands.constraints_page import render
from hpcprov.commands.dictionary_page import lines
from hpcprov.commands.dictionary_told import told as told_of
from hpcprov.commands.screen import Screen
from hpcprov.quality.constraints.answer import is_discovery, is_verdict
from hpcprov.quality.constraints.child import discover_file, verify_file
from hpcprov.report.dictionary import markdown
from hpcprov.signature.watch import Watch
from tests.data.test_partial import ROWS, table, written

pytest.importorskip("pyarrow")
REASON = "the type decimal128(10, 2) has no signature"


@pytest.fixture
def place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(tmp_path)
    written(tmp_path / "t.parquet", table())
    return tmp_path


def test_a_dictionary_has_all_fields_and_the_values_of_what_can_be_read(
    place: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    written(place / "u.parquet", table(lists=[[1, None], [2], [], []]))
    assert main(["dictionary", "u.parquet", "--json"]) == 0
    found = json.loads(capfd.readouterr().out)
    told = {field["name"]: field for field in found["fields"]}
    lists = told.pop("lists")
    assert "missing values inside of lists" in lists["not_read"] and lists["signature"] is None
    assert list(told) == ["price", "id", "name", "at", "x"] and found["dataset"]["signature"] is None
    price, number = told["price"], told["id"]
    assert (price["type"], price["not_read"], price["max"]) == ("decimal128(10, 2)", REASON, None)
    assert (number["not_read"], number["max"], told["name"]["missing"]) == (None, ROWS - 1, 1)
    here = hpcprov.dictionary("t.parquet")
    assert {name: here[name]["signature"] for name in told} == {name: told[name]["signature"] for name in told}
    assert here["x"]["signature"] is not None and "has no signature" in here["at"]["not_read"]
    page = "\n".join(lines(found, Screen(colour=False, width=120)))
    assert f"price\n  not read       {REASON}" in page and "\nid     0    3" in page and "\nprice  \n" not in page
    assert REASON in markdown(told_of(found)) and "Not read" in markdown(told_of(found))


def test_constraints_of_what_can_be_read(place: Path) -> None:
    wishes = {"rex": False, "exclude_outliers": False, "fields": [], "growing": []}
    found = discover_file("t.parquet", wishes, threads=1, watch=Watch())
    assert is_discovery(found) and f"price: not read: {REASON}" in found["notes"]
    assert (found["fields"]["price"], found["fields"]["id"]["max"], found["rows"]) == ({}, ROWS - 1, ROWS)
    raw = file_of(found, "t.parquet", narrowed=False)
    assert verdict(raw)["failures"] == 0
    raw["fields"]["price"] = {"min": 0}
    failed = verdict(raw)
    assert (failed["failures"], failed["fields"][-1]["status"]) == (1, "FAILED")
    shown = list(render({"path": "t.parquet", "status": "FAILED", **failed}))
    assert f"    min 0: not read: {REASON}" in shown and f"  not read: price: {REASON}" in shown


def verdict(raw: dict[str, Any]) -> dict[str, Any]:
    options = {"type_checking": "strict", "epsilon": 0.0}
    found = verify_file("t.parquet", raw, options, threads=1, watch=Watch())
    assert is_verdict(json.loads(json.dumps(found)))
    return found


def test_a_diff_of_what_can_be_read_proves_no_equality(place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    written(place / "u.arrow", table())
    assert main(["diff", "t.parquet", "u.arrow", "-o", "page.html"]) == 2
    shown = capfd.readouterr().out
    assert "equal in what could be compared: 4 rows in A" in shown and f"not compared: price: {REASON}" in shown
    assert f"not compared: price: {REASON}" in (place / "page.html").read_text()
