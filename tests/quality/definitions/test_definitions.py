"""Definitions from records and attributes: told, derived, embedded, written."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

import pytest

from hpcprov.quality.definitions import attributes, definitions_of, written
from hpcprov.quality.definitions.context import rendered
from hpcprov.quality.dictionary.annotations import Annotations, Cell

H, Z, FLOOD, OUT, OWN = (f"hpcprov1:{letter * 64}" for letter in "abcde")


def artifact(path: str, digest: str | None = None, fields: dict[str, str] | None = None, **keys: Any) -> dict[str, Any]:
    listed = [{"path": name, "signature": signature} for name, signature in (fields or {}).items()]
    signature = {"digest": digest, "fields": listed} if digest else None
    return {"path": path, "signature": signature, "observed": None} | keys


def record(**keys: Any) -> dict[str, Any]:
    run = {"id": "r1", "name": "map", "argv": ["python", "map.py"], "tags": {}, "start": "2026-11-21T10:00:00.0Z"}
    artifacts = {
        "used": [artifact("/d/flood.h5", FLOOD, {"h": H})],
        "generated": [artifact("/d/out.h5", OUT, {"depth": Z, "speed": OWN})],
    }
    return {"run": run | {"end": "2026-11-21T10:01:00.0Z"} | keys.pop("run", {}), "artifacts": artifacts} | keys


def entry(**keys: Any) -> dict[str, Any]:
    usual = {"path": "/d/out.h5", "real": None, "field": "depth", "expression": "h * 2", "language": "python"}
    usual |= {"context": None, "inputs": [{"path": "/d/flood.h5", "field": "h"}], "step": None}
    return usual | {"time": "2026-11-21T10:00:30.0Z", "ranks": [[0, 0]]} | keys


def test_what_was_told_has_the_signatures_of_its_inputs() -> None:
    found = definitions_of("/d/out.h5", record(definitions=[entry()]))["depth"]
    assert found["inputs"] == [{"path": "/d/flood.h5", "field": "h", "signature": H, "dataset": FLOOD}]
    assert found["context"] == "[in flood.h5 @ hpcprov1:cccccccc…]"
    assert (found["by"], found["when"], found["how"]) == ("r1", "2026-11-21T10:00:30.0Z", "told")


def test_an_aggregate_keeps_its_context() -> None:
    told = entry(expression="count", context="by id", inputs=[{"path": "/d/flood.h5", "field": ""}])
    found = definitions_of("/d/out.h5", record(definitions=[told]))["depth"]
    assert found["context"] == "count by id [in flood.h5 @ hpcprov1:cccccccc…]"
    assert found["inputs"][0]["signature"] == FLOOD


def test_a_field_of_the_same_dataset_is_no_context() -> None:
    told = entry(field="speed", inputs=[{"path": "", "field": "depth"}])
    found = definitions_of("/d/out.h5", record(definitions=[told]))["speed"]
    assert (found["context"], found["inputs"][0]["path"]) == (None, "/d/out.h5")
    assert found["inputs"][0]["signature"] == Z


@pytest.mark.parametrize(
    ("keys", "seen"),
    [
        ({"path": "/d/draft.h5"}, {"observed": {"renamed_from": "/d/draft.h5"}}),
        ({"path": "/link/out.h5", "real": "/d/out.h5"}, {}),
    ],
    ids=["renamed", "link"],
)
def test_another_name_of_the_same_file(keys: dict[str, Any], seen: dict[str, Any]) -> None:
    one = record(definitions=[entry(**keys)])
    one["artifacts"]["generated"][0] |= seen
    assert definitions_of("/d/out.h5", one)["depth"]["how"] == "told"


def test_where_nobody_defined_the_command_did_it() -> None:
    found = definitions_of("/d/out.h5", record())
    assert {name: (one["language"], one["expression"]) for name, one in found.items()} == dict.fromkeys(
        ("depth", "speed"), ("command", "python map.py")
    )
    assert [one["path"] for one in found["depth"]["inputs"]] == ["/d/flood.h5"]
    assert definitions_of("/d/flood.h5", record()) == {}


@pytest.mark.parametrize(
    "argv", [["python", "map.py"], ["/bin/bash", "-c", "set -euo pipefail;  python\n  map.py "]], ids=["words", "shell"]
)
def test_a_rule_of_a_workflow_did_it(argv: list[str]) -> None:
    found = definitions_of("/d/out.h5", record(run={"tags": {"rule": "flood_map"}, "argv": argv}))["depth"]
    assert (found["language"], found["expression"]) == ("snakemake", "rule flood_map: python map.py")


def test_a_step_did_it() -> None:
    step = {"id": 1, "name": "smooth", "function": "m:smooth", "ended": "2026-11-21T10:00:10.0Z"}
    step |= {"parameters": {"width": 3, "what": {"type": "m.Odd"}}, "generated": ["/d/out.h5"]}
    step |= {"used": ["/d/flood.h5", "memory:smooth(field)#1b7d2a3c4e5f"]}
    found = definitions_of("/d/out.h5", record(steps=[step]))["depth"]
    assert found["expression"] == "smooth(flood.h5, field, width=3, what=<Odd>)"
    assert (found["language"], found["step"], len(found["inputs"])) == ("python", "smooth", 2)


def test_what_the_record_says_counts_before_what_the_file_says() -> None:
    own = {
        "depth": {"hpcprov_definition": "old"},
        "other": {"hpcprov_definition": "kept", "hpcprov_context": "in words"},
        "plain": {"units": "m"},
    }
    found = definitions_of("/d/out.h5", record(definitions=[entry()]), own, ["plain"])
    assert {name: one["how"] for name, one in found.items()} == {
        "depth": "told",
        "other": "attribute",
        "plain": "derived",
        "speed": "derived",
    }
    assert found["other"]["context"] == "in words"


def test_attributes_come_back_as_they_were() -> None:
    told = definitions_of("/d/out.h5", record(definitions=[entry(context="by id")]))["depth"]
    back = attributes.definition(attributes.attributes(told))
    assert back == told | {"how": "attribute"}


def test_attributes_have_a_limit() -> None:
    told = definitions_of("/d/out.h5", record(definitions=[entry()]))["depth"]
    told |= {"inputs": [{"path": f"/d/{'x' * 1000}{number}", "field": "h"} for number in range(256)]}
    own = attributes.attributes(told)
    assert len(own["hpcprov_context"]) <= attributes.LARGEST
    assert len((attributes.definition(own) or {})["inputs"]) == 32


HOSTILE: list[Any] = [
    None,
    3,
    "",
    "no JSON",
    "[]",
    "{" * 100_000,
    '{"inputs": 3}',
    '{"inputs": [3, {}, {"path": 3}, {"path": "/x", "field": {"a": 1}}], "language": "perl"}',
    '{"when": "yesterday", "by": 3, "context": ["x"]}',
    '{"when": "999999999999-01-01T00:00:00Z"}',
    '{"inputs": [' + ",".join(['{"path": "/x"}'] * 3000) + "]}",
]


@pytest.mark.parametrize("context", HOSTILE, ids=lambda one: str(one)[:20])
def test_any_context_in_a_file_is_survived(context: Any) -> None:
    one = attributes.definition({"hpcprov_definition": "x\x1b[31m\udcff", "hpcprov_context": context})
    assert one is not None
    assert one["language"] == "text"
    assert one["when"] is None
    assert all(type(its["path"]) is str and type(its["field"]) is str for its in one["inputs"])
    assert len(one["inputs"]) <= 256
    json.dumps(one)


@pytest.mark.parametrize("expression", [None, 3, "", "x" * 5000, ["x"]])
def test_no_definition_in_a_file(expression: Any) -> None:
    assert attributes.definition({"hpcprov_definition": expression}) is None


def test_what_a_person_wrote_comes_back() -> None:
    told = definitions_of("/d/out.h5", record(definitions=[entry(context="by id")]))["depth"]
    kept = Annotations("/d/out.h5")
    for key, word in written.words(told).items():
        kept.put("/depth", key, Cell(word, "2026-11-22T09:00:00Z", "ada"))
    back = written.definitions(kept)["depth"]
    assert (back["expression"], back["context"], back["inputs"]) == (
        told["expression"],
        told["context"],
        told["inputs"],
    )
    assert (back["name"], back["when"], back["how"]) == ("ada", "2026-11-22T09:00:00Z", "written")


@pytest.mark.parametrize(
    ("expression", "context", "paths", "expected"),
    [
        ("h * 2", None, [], None),
        ("count", "by id", [], "count by id"),
        ("count", "by id", ["/d/a.zarr"], "count by id [in a.zarr @ hpcprov1:cccccccc…]"),
        ("x", None, ["/d/a", "/d/b", "/d/a"], "[in a @ hpcprov1:cccccccc…, b @ hpcprov1:cccccccc…]"),
        ("x", None, ["/d/own", ""], None),
    ],
)
def test_contexts(expression: str, context: str | None, paths: list[str], expected: str | None) -> None:
    inputs = [{"path": path, "field": "f", "signature": H, "dataset": FLOOD} for path in paths]
    assert rendered(expression, context, inputs, own={"/d/own"}) == expected


def test_many_datasets_are_counted() -> None:
    inputs = [{"path": f"/d/{number}.nc", "field": ""} for number in range(9)]
    assert rendered("mean", None, inputs) == "[in 0.nc, 1.nc, 2.nc, 3.nc and 5 more]"


def test_a_field_that_was_kept_says_from_where() -> None:
    one = record()
    one["artifacts"]["generated"][0]["signature"]["fields"] += [
        {"path": "speed", "signature": H, "bytes": 80},
        {"path": "few", "signature": H, "bytes": 8},
    ]
    found = definitions_of("/d/out.h5", one)
    assert {name: (its["how"], its["expression"]) for name, its in found.items()} == {
        "depth": ("derived", "python map.py"),
        "speed": ("kept", "h"),
        "few": ("derived", "python map.py"),
    }
    assert found["speed"]["inputs"] == [{"path": "/d/flood.h5", "field": "h", "signature": H, "dataset": FLOOD}]
    assert found["speed"]["context"] == "[in flood.h5 @ hpcprov1:cccccccc…]"


class Walked(list[Any]):
    """A list that counts how often it is walked."""

    walks = 0

    def __iter__(self) -> Iterator[Any]:
        self.walks += 1
        return super().__iter__()


def test_ten_thousand_fields_that_were_kept_are_walked_a_few_times() -> None:
    one = record()
    fields = Walked({"path": f"c{number}", "signature": H, "bytes": 80} for number in range(10_000))
    one["artifacts"]["used"][0]["signature"]["fields"] = fields
    one["artifacts"]["generated"][0]["signature"]["fields"] = list(fields)
    found = definitions_of("/d/out.h5", one)
    assert [its["inputs"][0]["field"] for its in found.values()] == [its["path"] for its in fields]
    assert fields.walks < 10


@pytest.mark.parametrize(("name", "how"), [("h", "kept"), ("speed", "derived")])
def test_few_bytes_are_equal_by_chance(name: str, how: str) -> None:
    one = record()
    one["artifacts"]["generated"][0]["signature"]["fields"] = [{"path": name, "signature": H, "bytes": 8}]
    assert definitions_of("/d/out.h5", one)[name]["how"] == how
