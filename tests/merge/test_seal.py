"""The seal: which form it names, what fits it and what does not, and what a hostile record makes of it."""

from __future__ import annotations

import copy
import json
from hashlib import sha256
from pathlib import Path
from typing import Any

import pytest
import rfc8785

from hpcprov.merge.seal import verify_seal
from hpcprov.record.canonical import canonical

from .build import Launch, sealed

OLD = Path(__file__).parent / "golden/before_observation/record.json"


@pytest.fixture
def record(tmp_path: Path) -> dict[str, Any]:
    Launch().start(argv=["./modèle", "\udcff", "\U0001f600"]).exit().write(tmp_path)
    return sealed(str(tmp_path))


def test_it_names_its_form(record: dict[str, Any]) -> None:
    assert record["seal"]["form"] == "RFC 8785" and verify_seal(record)
    assert verify_seal(json.loads(canonical(record)))
    assert verify_seal(json.loads(json.dumps(record)))


def test_another_implementation_gives_the_same_digest(tmp_path: Path) -> None:
    Launch().start(argv=["./modèle", "\U0001f600"], tags={"\ufb33": "1", "\U0001f600": "2"}).exit().write(tmp_path)
    record = sealed(str(tmp_path))
    unsigned = record | {"seal": {key: value for key, value in record["seal"].items() if key != "record"}}
    assert record["seal"]["record"] == f"sha256:{sha256(rfc8785.dumps(unsigned)).hexdigest()}"


def test_one_of_before_verifies_as_ever() -> None:
    old = json.loads(OLD.read_bytes())
    assert "form" not in old["seal"] and verify_seal(old)
    assert not verify_seal(old | {"revision": 9})
    assert not verify_seal(old | {"seal": old["seal"] | {"form": "RFC 8785"}})


@pytest.mark.parametrize("form", [None, "", "RFC 9999", 7, [], {}])
def test_another_form_is_not_taken(record: dict[str, Any], form: object) -> None:
    assert not verify_seal(record | {"seal": record["seal"] | {"form": form}})


@pytest.mark.parametrize("seal", [None, [], {}, {"record": None}, {"form": "RFC 8785"}, "sha256:"])
def test_what_is_no_seal(record: dict[str, Any], seal: object) -> None:
    assert not verify_seal(record | {"seal": seal})


def deep() -> Any:
    value: Any = []
    for _ in range(5000):
        value = [value]
    return value


@pytest.mark.parametrize("value", [float("nan"), float("inf"), deep(), 10**4000], ids=["nan", "inf", "deep", "huge"])
def test_what_has_no_canonical_form_does_not_fit(record: dict[str, Any], value: object) -> None:
    changed = copy.copy(record) | {"note": value}
    assert not verify_seal(changed)
    assert not verify_seal(changed | {"seal": {"record": record["seal"]["record"]}})
