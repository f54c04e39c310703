"""Records that earlier versions made are committed; every later version must read them."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from record_check import check_record

from hpcprov.record.layout import Store

from .conftest import Call

OLD = Path(__file__).parents[1] / "merge/golden/before_observation/record.json"
BEGAN = 1795000000  # s since the epoch


@pytest.fixture
def old(store: Store) -> Store:
    place = store.record("golden", BEGAN)
    os.makedirs(place)
    shutil.copy(OLD, place)
    return store


def test_it_fits_the_schema_and_its_seal() -> None:
    record = check_record(json.loads(OLD.read_text(encoding="utf-8")))
    assert "observation" not in record and "observed" not in record["artifacts"]["generated"][0]


def test_it_can_be_shown(call: Call, old: Store) -> None:
    status, out, _ = call("show", "golden")
    assert status == 0
    assert "outputs    out.h5  hdf5  2.05 kB  hpcprov1:" in out  # not how it is known: all was declared
    assert "programs" not in out and "--tree" not in out
    assert call("show", "golden", "--tree") == (0, "the run was not observed: what it executed is not known\n", "")
    assert json.loads(call("show", "golden", "--json")[1]) == json.loads(OLD.read_text(encoding="utf-8"))


@pytest.mark.parametrize(
    ("words", "status"), [(["runs"], 0), (["log", "golden"], 0), (["verify", "golden"], 1), (["settle", "golden"], 0)]
)
def test_every_verb_takes_it(call: Call, old: Store, words: list[str], status: int) -> None:
    found, out, err = call(*words)
    assert found == status and out
    assert "damaged" not in out + err


@pytest.mark.parametrize(
    ("where", "name", "value"),
    [
        (("run",), "hpcprov", None),
        (("run",), "given", None),
        (("nodes", 0), "host", None),
        (("nodes", 0), "unknown", []),
        (("parts", 0), "outputs", [["x"]]),
        (("parts", 0), "inputs", "x"),
    ],
)
def test_one_that_lacks_what_its_readers_rely_on_is_damaged(
    call: Call, old: Store, where: tuple[str | int, ...], name: str, value: object
) -> None:
    place = Path(old.record("golden", BEGAN), "record.json")
    record = json.loads(place.read_text())
    record["parts"] = [{"run": "r1", "name": None, "tags": {}, "argv": None, "cwd": None, "inputs": [], "outputs": []}]
    place.write_text(json.dumps(record))
    assert call("show", "golden")[0] == 0
    table = record
    for key in where:
        table = table[key]
    if value is None:
        del table[name]
    else:
        table[name] = value
    place.write_text(json.dumps(record))
    status, out, err = call("show", "golden")
    assert (status, out) == (2, "") and f"{where[0]}.{name} is not what it must be, or missing" in err
