"""Text, byte strings, lists, structs and opaque bytes."""

from __future__ import annotations

from typing import Any

import numpy as np
import pyarrow as pa
import pytest

from hpcprov.data.interface import Field
from hpcprov.data.opened import opened
from hpcprov.data.types import Text, list_of, plain
from hpcprov.quality.statistics import statistics_of

from .made import counted, of, with_missing

EVIL = "=cmd|' /C calc'!A0\x1b[31m<script>\n"


def column(values: list[Any], kind: Any = None) -> dict[str, Any]:
    return statistics_of(opened(pa.table({"x": pa.array(values, kind)})))["x"]


def test_text_has_lengths_in_characters_and_a_range_by_code_point() -> None:
    found = of(np.array(["zä", "", "a€𝄞", "a", "zä"]))
    assert (found["min"], found["max"], found["zeros"], found["missing"]) == ("", "zä", 1, 0)
    assert (found["min_length"], found["max_length"]) == (0, 3)
    assert found["values"] == [["", 1], ["a", 1], ["a€𝄞", 1], ["zä", 2]]
    assert (found["distinct"], found["duplicates"]) == (4, 1) and found["mean"] is None


def test_null_is_missing_and_empty_is_not() -> None:
    found = column(["b", None, "", "b"])
    assert (found["count"], found["missing"], found["zeros"], found["distinct"]) == (4, 1, 1, 2)
    assert found["order"] is None
    found = column([None, None], pa.string())
    assert (found["missing"], found["min"], found["max_length"], found["distinct"], found["values"]) == (
        2,
        None,
        None,
        0,
        [],
    )


def test_a_text_that_is_declared_to_be_missing() -> None:
    found = with_missing(np.array(["n/a", "x", "n/a"]), "n/a")
    assert (found["missing"], found["values"]) == (2, [["x", 1]])


def test_text_that_is_hostile_long_or_no_utf_8_is_told_as_json() -> None:
    raw = [EVIL.encode(), b"\xff\xfe", b"x" * 5000, b"x" * 5000 + b"y"]
    field = Field(b"", Text(lambda flat: [raw[int(at)] for at in flat]), (4,), None, 8, lambda box: np.arange(*box[0]))
    found = counted(field)
    assert found["distinct"] == 4 and found["max_length"] == 5001
    assert [len(value) for value, _ in found["values"]] == [len(EVIL), 1001, 1001, 2]
    assert found["max"] == "\udcff\udcfe" and found["min"] == EVIL


def test_distinct_text_is_counted_beyond_what_is_kept() -> None:
    found = column([f"name {at % 70_000}" for at in range(150_000)])
    assert (found["distinct"], found["duplicates"], found["values"]) == (70_000, 80_000, None)
    found = of(np.array([f"name {at}" for at in range(100)]).reshape(10, 10))
    assert found["distinct"] is None and found["min_length"] == 6


def test_bytes_are_shown_in_hexadecimal() -> None:
    found = column([b"\x00\xff", b"", None], pa.binary())
    assert (found["min"], found["values"], found["max_length"]) == (None, [["", 1], ["00ff", 1]], 2)


def test_lists_have_numbers_of_items() -> None:
    found = column([[1, 2], [], None, [5]])
    assert (found["count"], found["missing"], found["zeros"]) == (4, 1, 1)
    assert (found["min_length"], found["max_length"], found["min"], found["distinct"]) == (0, 2, None, None)
    assert counted(Field(b"", list_of(plain("u1")), (0,), None, 64, lambda box: np.empty(0, "O")))["count"] == 0


@pytest.mark.parametrize(
    "values",
    [np.zeros(3, [("x", "f4"), ("n", "S5")]), np.zeros((3, 2), "V7"), np.zeros(3, [("r", "f4", (2, 2)), ("y", "i1")])],
)
def test_of_structs_and_opaque_bytes_elements_are_counted(values: Any) -> None:
    found = of(values)
    assert (found["count"], found["missing"], found["min"], found["mean"]) == (values.size, 0, None, None)


def test_opaque_bytes_of_a_column_are_told_apart() -> None:
    found = of(np.array([b"abc", b"abd", b"abc"], "V3"))
    assert (found["distinct"], found["duplicates"], found["values"]) == (2, 1, None)
