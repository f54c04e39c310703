"""Every record that a test makes goes through here: the published schema, the seal, and what a schema cannot say.

check_record(json.load(open("record.json")))
"""

from __future__ import annotations

import functools
import json
import os
from typing import Any

import jsonschema

from hpcprov.merge.seal import verify_seal
from hpcprov.record import schema_path


@functools.cache
def validator() -> jsonschema.Draft202012Validator:
    with open(schema_path(), encoding="utf-8") as file:
        schema = json.load(file)
    jsonschema.Draft202012Validator.check_schema(schema)
    return jsonschema.Draft202012Validator(schema)


def check_record(record: dict[str, Any], directory: str | None = None) -> dict[str, Any]:
    """`record`, when nothing is wrong with it; `directory`: where its logs lie, to compare them with the seal."""
    validator().validate(record)
    assert verify_seal(record), "the seal does not fit"
    columns = record["ranks"]["columns"]
    assert {len(column) for column in columns.values()} == {record["ranks"]["count"]}
    assert {len(column) for column in record["environment"]["varying"].values()} <= {record["ranks"]["count"]}
    assert columns["rank"] == sorted(set(columns["rank"]))
    assert all(0 <= index < len(record["nodes"]) for index in columns["node"])
    assert {digest for node in record["nodes"] for digest in node["facts"].values()} == set(record["facts"])
    if directory is not None:
        check_logs(record, directory)
    return record


def check_logs(record: dict[str, Any], directory: str) -> None:
    from hpcprov.merge.read import read_run
    from hpcprov.merge.seal import describe

    assert [describe(log) for log in read_run(directory)] == record["seal"]["logs"]


def read_record(directory: str) -> dict[str, Any]:
    """The checked record in a record's directory."""
    with open(os.path.join(directory, "record.json"), encoding="utf-8") as file:
        return check_record(json.load(file), directory)


def check_folded(record: dict[str, Any]) -> dict[str, Any]:
    """`record` as it was folded, before it has been published: checked as if it had been, without logs."""
    from hpcprov.merge.seal import seal

    check_record(seal(record | {"revision": 1, "output": {"files": [], "lost_bytes": 0}}, [], previous=None))
    return record
