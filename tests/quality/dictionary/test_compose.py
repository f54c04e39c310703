"""What a dictionary says, from what is known: attributes, statistics, annotations, definitions."""

from __future__ import annotations

from typing import Any

import pytest

from hpcprov.quality.dictionary.annotations import Annotations, Cell
from hpcprov.quality.dictionary.cells import cell
from hpcprov.quality.dictionary.columns import KEYS, tag_list
from hpcprov.quality.dictionary.compose import DATASET, compose
from quality.dictionary.made import dictionary, layout


def test_every_column_is_there_and_what_is_not_known_is_none() -> None:
    found = compose(layout(["a"]))
    assert set(KEYS) <= set(found["fields"][0])
    assert set(DATASET) <= set(found["dataset"])
    assert (
        found["fields"][0]["min"] is None and found["fields"][0]["units"] is None and found["fields"][0]["tags"] == []
    )
    assert found["dataset"]["shape"] == [4, 50] and found["dataset"]["records"] is None


@pytest.mark.parametrize(
    ("kind", "shapes", "told"),
    [
        ("table", [[10], [10]], {"records": 10, "shape": None}),
        ("table", [], {"records": 0, "shape": None}),
        ("tree", [[2, 3], [2, 3]], {"records": None, "shape": [2, 3]}),
        ("tree", [[2, 3], [4]], {"records": None, "shape": None}),
        ("tree", [None, []], {"records": None, "shape": []}),
    ],
)
def test_extent(kind: str, shapes: list[Any], told: dict[str, Any]) -> None:
    fields = [{"path": str(k), "type": "f4", "shape": shape} for k, shape in enumerate(shapes)]
    dataset = compose({"format": "x", "kind": kind, "fields": fields})["dataset"]
    assert {key: dataset[key] for key in told} == told


def test_dimensions_are_put_together() -> None:
    fields = [{"path": "a", "type": "f4", "shape": [4, 5], "dimensions": ["time", "x"]},
              {"path": "b", "type": "f4", "shape": [6], "dimensions": ["y"]}]  # fmt: skip
    assert compose({"format": "x", "kind": "tree", "fields": fields})["dataset"]["dimensions"] == {
        "time": 4, "x": 5, "y": 6,
    }  # fmt: skip


def test_the_words_of_a_file_come_from_cf_and_acdd_attributes() -> None:
    attributes = {
        "dataset": {"summary": "  long  ", "title": "short", "keywords": ["a", "b", "a"]},
        "fields": {"depth": {"units": 1, "comment": "beware", "standard_name": "", "cell_methods": "time: mean"}},
    }
    found = compose(layout(["depth"]), attributes=attributes)
    assert found["dataset"]["description"] == "long" and found["dataset"]["tags"] == ["a", "b"]
    field = found["fields"][0]
    assert (field["units"], field["description"], field["standard_name"]) == ("1", "beware", None)
    assert field["cell_methods"] == "time: mean" and field["annotated"] == {}


@pytest.mark.parametrize(
    ("scale", "offset", "told"),
    [
        (0.01, 273.15, "stored x 0.01 + 273.15"),
        (0.5, None, "stored x 0.5"),
        (1.0, -5, "stored - 5"),
        (1, 0.0, None),
        (10**400, True, f"stored x {10**400}"),
        ("0.1", [1, 2], None),
    ],
)
def test_packed_data_says_how_it_is_unpacked(scale: Any, offset: Any, told: str | None) -> None:
    fields = {"t": {"scale_factor": scale, "add_offset": offset}}
    assert compose(layout(["t"]), attributes={"fields": fields})["fields"][0]["packing"] == told


def test_what_a_person_wrote_stands_before_what_the_file_says() -> None:
    notes = Annotations("flood.nc", version=3, found="path", dataset={"description": Cell("mine", "", "ada")})
    notes.put("depth", "units", Cell("cm", "2026-11-21T09:30:00Z", "ada"))
    notes.put("depth", "long_name", Cell("", "", "ada"))
    notes.put("depth", "tags", Cell("b, a, b,,", "", "ada"))
    found = dictionary(annotations=notes)
    field = found["fields"][0]
    assert (field["units"], field["long_name"], field["tags"]) == ("cm", None, ["b", "a"])
    assert field["annotated"] == {"units": "m", "long_name": "what 0 is", "tags": None}
    assert found["fields"][1]["units"] == "m" and found["fields"][1]["annotated"] == {}
    assert found["dataset"]["description"] == "mine" and found["dataset"]["annotated"] == {"description": "A flood"}
    assert found["annotations"] == {"version": 3, "by": "path"}


def test_an_annotation_that_says_what_the_file_says_is_none() -> None:
    notes = Annotations("flood.nc", version=1)
    notes.put("depth", "units", Cell("m", "", "ada"))
    assert dictionary(annotations=notes)["fields"][0]["annotated"] == {}


def test_definitions() -> None:
    told = {"expression": "h * (h > 0.01)", "context": "[in flood.h5]", "how": "told", "inputs": []}
    field, other = dictionary(["/depth", "mask"], definitions={"depth": told})["fields"]
    assert (field["definition"], field["context"], field["defined"]) == ("h * (h > 0.01)", "[in flood.h5]", "told")
    assert other["definition"] is None and other["defined"] is None


@pytest.mark.parametrize(
    ("key", "value", "text"),
    [
        ("shape", None, "null"),
        ("shape", [], "scalar"),
        ("shape", [4, 5], "4 x 5"),
        ("chunks", None, None),
        ("min", 2**53, 2**53),
        ("min", 2**64 - 1, "18446744073709551615"),
        ("max", "inf", "inf"),
        ("max", float("inf"), "inf"),
        ("min", -3.25, -3.25),
        ("min", False, "false"),
        ("values", [[0, 980], [1, 20]], "0 (980); 1 (20)"),
        ("values", [["", 1], ["a", 1]], "''; a"),
        ("values", [], None),
        ("tags", [], None),
        ("tags", ["a", "b"], "a, b"),
        ("dimensions", ["time", "x"], "time, x"),
    ],
)
def test_cells(key: str, value: Any, text: Any) -> None:
    assert cell(key, value) == text


def test_tags() -> None:
    assert tag_list(" b, a ,,b,a b") == ["b", "a", "a b"]
