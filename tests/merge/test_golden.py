"""Committed logs are read the same by every later version. `make_golden.py` makes them anew, on purpose only."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from record_check import check_record, read_record

from hpcprov.merge.publish import merge_run
from hpcprov.record.layout import Store

from .make_golden import GOLDEN, cases, record_text


@pytest.mark.parametrize("name", ["one", "mpi", "lost", "observed"])
def test_committed_logs_give_the_committed_record(name: str) -> None:
    golden = (GOLDEN / name / "record.golden.json").read_text(encoding="utf-8")
    check_record(json.loads(golden))
    assert record_text(GOLDEN / name) == golden


@pytest.mark.parametrize("name", ["one", "mpi", "lost", "twice", "observed"])
def test_today_the_same_logs_would_be_written(name: str) -> None:
    for launch in cases()[name]:
        assert (GOLDEN / name / launch.name).read_bytes() == launch.data


def test_committed_logs_of_two_launches_give_two_records(tmp_path: Path) -> None:
    store = Store(str(tmp_path))
    os.makedirs(store.runs)
    shutil.copytree(GOLDEN / "twice", store.run("twice"))
    records = [read_record(place) for place in merge_run(store, "twice")]
    assert [record["run"]["id"] for record in records] == ["twice", "twice~2"]
