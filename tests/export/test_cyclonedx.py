"""CycloneDX: valid by the strict JSON Schema that CycloneDX publishes, the same bytes each time, nothing left out."""

from __future__ import annotations

import json
from typing import Any

import pytest
from cyclonedx.schema import SchemaVersion
from cyclonedx.validation.json import JsonStrictValidator

from hpcprov.export.cyclonedx import render
from hpcprov.export.formats import Run
from tests.export.records import a_record

SOFTWARE = {
    "executables": [{"path": "/opt/solver", "size": 1, "sha256": "ab" * 32, "build_id": "c0ffee", "linking": "static"}],
    "libraries": [{"path": "/lib/libm.so.6", "build_id": "beef"}],
    "python": {"executable": "python3", "version": "3.11.7", "packages": [["numpy", "2.1.0"], ["odd name", ""]]},
}


def with_facts(record: dict[str, Any], **values: Any) -> dict[str, Any]:
    for kind, value in values.items():
        record["facts"][kind] = {"kind": kind, "value": value}
        record["nodes"][0]["facts"][kind] = kind
    return record


def bom(*records: dict[str, Any]) -> dict[str, Any]:
    text = render([Run(record, "/nowhere") for record in records])
    assert JsonStrictValidator(SchemaVersion.V1_6).validate_str(text) is None
    assert text == render([Run(record, "/nowhere") for record in records])
    parsed: dict[str, Any] = json.loads(text)
    return parsed


def test_each_kind_of_software_is_a_component() -> None:
    modules = {"loaded": [{"name": "lammps/12.2", "sha256": "cd" * 32}]}
    image = {"images": [{"image": "model.sif", "identity": {"digest": "sha256:ef", "of": "primary partition"}}]}
    record = with_facts(a_record(), software=SOFTWARE, modules=modules, image=image)
    record["observation"] = {"software": [{"kind": "python package", "name": "zarr", "version": "3.1"}], "code": []}
    found = {one["name"]: one for one in bom(record)["components"]}
    assert found["numpy"]["purl"] == "pkg:pypi/numpy@2.1.0"
    assert found["zarr"]["purl"] == "pkg:pypi/zarr@3.1"
    assert found["solver"]["hashes"] == [{"alg": "SHA-256", "content": "ab" * 32}]
    assert found["libm.so.6"]["properties"][0] == {"name": "hpcprov:build_id", "value": "beef"}
    assert (found["lammps"]["version"], found["model.sif"]["type"]) == ("12.2", "container")


def test_several_runs_give_each_component_once() -> None:
    records = [with_facts(a_record(id=name), software=SOFTWARE) for name in ("a", "b")]
    names = [one["name"] for one in bom(*records)["components"]]
    assert names.count("numpy") == 1


@pytest.mark.parametrize(
    "value",
    [3, [], {"executables": 3}, {"libraries": [3, {}]}, {"python": {"packages": [3, [1], ["a"]]}}, {"python": [None]}],
    ids=str,
)
def test_facts_of_any_shape(value: Any) -> None:
    bom(with_facts(a_record(), software=value, modules=value, image=value))


def test_names_of_any_text() -> None:
    odd = {"executables": [{"path": "/\udcff\x1b[31m", "sha256": "no digest", "build_id": "x"}], "libraries": []}
    found = bom(with_facts(a_record(name="<b>\u202e"), software=odd))["components"][0]
    assert found["name"] == "\\xff\\x1b[31m"
    assert "hashes" not in found


@pytest.mark.parametrize("name", ["/", "//", "..", "?", "a/../b", "@", " "])
def test_a_package_with_a_name_that_is_none_has_no_address(name: str) -> None:
    python = {"python": {"packages": [[name, "1"]]}}
    found = bom(with_facts(a_record(), software=python))["components"]
    assert "purl" not in next(one for one in found if one["name"] == name)


def test_a_run_of_which_nothing_is_known() -> None:
    record = a_record(start=None, end=None, last_heard=None, name=None)
    record["facts"], record["nodes"] = {}, []
    assert bom(record)["metadata"]["timestamp"].startswith("1970-01-01")
