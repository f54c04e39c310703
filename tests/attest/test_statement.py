"""Statements: what in-toto's own library reads, the same bytes every time, and no word of a record can break them."""

from __future__ import annotations

import copy
import json
import os
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
from google.protobuf import json_format
from in_toto_attestation.predicates.provenance.v1 import provenance_pb2
from in_toto_attestation.v1 import statement_pb2
from in_toto_attestation.v1.statement import Statement
from report.hostile import hostile

from hpcprov.attest import intact
from hpcprov.attest.statement import PREDICATE, digests, encoded, statement

OLD = Path(__file__).parents[1] / "merge/golden/before_observation/record.json"


def accepted(data: bytes) -> dict[str, Any]:
    """A statement that in-toto's library takes, and whose predicate its definition of SLSA's provenance takes."""
    found = statement_pb2.Statement()
    json_format.Parse(data.decode("utf-8"), found)
    Statement.copy_from_pb(found).validate()
    value: dict[str, Any] = json.loads(data)
    assert value["predicateType"] == PREDICATE
    json_format.Parse(json.dumps(value["predicate"]), provenance_pb2.Provenance())
    return value


def test_it_names_the_record_its_outputs_and_its_logs(place: str, tmp_path: Path) -> None:
    record, data = intact.read(place)
    value = accepted(encoded(record, data))
    itself, output = value["subject"]
    assert itself == {"name": "r1/record.json", "digest": {"sha256": sha256(data).hexdigest()}}
    assert output["name"] == str(tmp_path / "out.npy") and set(output["digest"]) == {"blake3", "hpcprov1", "sha256"}
    assert output["digest"]["sha256"] == sha256((tmp_path / "out.npy").read_bytes()).hexdigest()
    definition, details = value["predicate"]["buildDefinition"], value["predicate"]["runDetails"]
    assert definition["externalParameters"]["argv"] == ["./model", "-v"]
    assert [one["name"] for one in definition["resolvedDependencies"]] == [str(tmp_path / "in.txt")]
    logs = {name for name in os.listdir(place) if name.endswith((".log", ".out"))}
    assert {one["name"] for one in details["byproducts"]} == logs and len(logs) == 4


def test_the_same_record_gives_the_same_bytes(place: str) -> None:
    record, data = intact.read(place)
    assert encoded(record, data) == encoded(copy.deepcopy(record), data)


def test_code_and_images_are_dependencies(place: str) -> None:
    record, data = intact.read(place)
    git = {"commit": "ab" * 20, "root": "/src", "dirty": True, "remote": {"url": "https://example.org/model.git"}}
    image = {"image": "x.sif", "identity": {"digest": "sha256:" + "cd" * 32, "of": "primary partition"}}
    facts = {
        "code": {"script": {"git": git}, "directory": {"git": {"reason": "none"}}},
        "image": {"images": [image, {}]},
    }
    for kind, value in facts.items():
        record["facts"][kind] = {"kind": kind, "value": value}
        record["nodes"][0]["facts"][kind] = kind
    found = accepted(encoded(record, data))["predicate"]["buildDefinition"]["resolvedDependencies"]
    assert found[1:] == [
        {
            "uri": f"git+https://example.org/model.git@{'ab' * 20}",
            "digest": {"gitCommit": "ab" * 20},
            "annotations": {"dirty": True},
        },
        {"name": "x.sif", "digest": {"sha256": "cd" * 32}},
    ]


def test_a_directory_is_told_from_a_file() -> None:
    storage = {"digest": "blake3:ab", "also": {"sha256": "cd"}}
    assert digests({"storage": storage, "signature": None, "files": 7}) == {"hpcprovListing": "ab"}
    assert digests({"storage": storage, "signature": {"digest": "hpcprov1:ef"}, "files": None}) == {
        **{"blake3": "ab", "sha256": "cd", "hpcprov1": "ef"}
    }
    assert digests({"storage": None, "signature": None, "files": None}) == {}


def test_a_record_of_an_earlier_version_has_one() -> None:
    data = OLD.read_bytes()
    assert accepted(encoded(json.loads(data), data))["subject"][1]["name"].endswith("out.h5")


def test_no_text_of_a_record_breaks_it(place: str) -> None:
    record, data = intact.read(place)
    accepted(encoded(hostile(record), data))


@pytest.mark.parametrize("text", ["/data/\udcff\udcfe", "\ud800", "\U0001f600\n\x00\x1b[31m", "x" * 100_000, "", '"}'])
def test_any_path_can_be_a_subject(place: str, text: str) -> None:
    record, data = intact.read(place)
    for one in record["artifacts"]["generated"]:
        one["path"] = text
    record["run"] |= {"argv": [text], "name": text, "tags": {text: text}, "cwd": text}
    accepted(encoded(record, data))


def test_ten_thousand_outputs(place: str) -> None:
    record, data = intact.read(place)
    record["artifacts"]["generated"] *= 10_000
    assert len(statement(record, data)["subject"]) == 10_001
