"""docs/python.md: its code runs, and prints what the page says."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from tests.tracking.conftest import Place

PAGE = Path(__file__).parents[2] / "docs" / "python.md"
BLOCK = re.compile(r"^```(python|text)\n(.*?)^```$", re.MULTILINE | re.DOTALL)


def test_the_pages_code_prints_what_the_page_says(place: Place) -> None:
    pytest.importorskip("pandas")
    blocks = BLOCK.findall(PAGE.read_text(encoding="utf-8"))
    code = "\n".join(text for kind, text in blocks if kind == "python")
    expected = "".join(text for kind, text in blocks if kind == "text")
    assert place.python(code).stdout == expected


def test_every_name_of_the_page_is_there() -> None:
    import hpcprov
    from hpcprov.tracking.record import Record

    page = PAGE.read_text(encoding="utf-8")
    for name in set(re.findall(r"(?<!\.)\bhpcprov\.([A-Za-z_]+)", page)) - {"md", "xarray", "pandas", "polars"}:
        assert hasattr(hpcprov, name), name
    for name in re.findall(r"`([a-z_]+)`", page.partition("A record is read-only:")[2].partition("As the last")[0]):
        assert hasattr(Record, name), name
    assert set(hpcprov.__dir__()) >= {"run", "track", "Record", "open_record", "open_catalog", "signature"}
