"""A run that a Python process records of itself."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest

from hpcprov.agent.journal import Journal
from hpcprov.merge.settle import settle_stale
from hpcprov.record.layout import Store
from tests.record_check import check_record

CODE = """
import os, signal, sys
from hpcprov.adapters.own_run import OwnRun
from hpcprov.record.layout import Store
run = OwnRun(Store(sys.argv[1]), kind="workflow", argv=["snakemake", "--token=s3cret"], name="flood")
run.tell("workflow", {"engine": "test", "final": False})
print(run.id, flush=True)
if sys.argv[2] == "kill":
    os.kill(os.getpid(), signal.SIGKILL)
run.tell("workflow", {"engine": "test", "final": True})
print(*run.end(code=int(sys.argv[2])))
"""


def own(store: Path, ending: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", CODE, store, ending], capture_output=True, text=True, timeout=60)


def only_record(store: Path) -> dict[str, Any]:
    (path,) = store.glob("records/*/*/*/*/record.json")
    return check_record(json.loads(path.read_text()), str(path.parent))


@pytest.mark.parametrize(("code", "status"), [(0, "completed"), (1, "failed")])
def test_its_record(tmp_path: Path, code: int, status: str) -> None:
    done = own(tmp_path, str(code))
    assert done.returncode == 0, done.stderr
    record = only_record(tmp_path)
    run = record["run"]
    assert (run["kind"], run["name"], run["status"]) == ("workflow", "flood", status)
    assert run["argv"] == ["snakemake", "--token=***"]
    kinds = {fact["kind"]: fact for fact in record["facts"].values()}
    assert kinds["workflow"]["value"]["final"] is True
    assert {"host", "user", "scheduler", "code"} <= kinds.keys()
    assert record["problems"] == []
    assert record["ranks"]["columns"]["maxrss"][0] > 0


def test_killed_it_is_settled(tmp_path: Path) -> None:
    done = own(tmp_path, "kill")
    assert done.returncode == -signal.SIGKILL
    (settled,) = settle_stale(Store(str(tmp_path)))
    assert settled.reason is None
    record = only_record(tmp_path)
    assert (record["run"]["kind"], record["run"]["status"]) == ("workflow", "incomplete")
    assert [f["value"]["final"] for f in record["facts"].values() if f["kind"] == "workflow"] == [False]


def test_a_part_that_speaks_late_is_taken_in(tmp_path: Path) -> None:
    run = own(tmp_path, "0").stdout.split()[0]
    directory = tmp_path / "runs" / run
    directory.mkdir()
    journal = Journal(str(directory / "n7.1-99.0.log"), "n7")
    journal.write("part", kind="workflow", run="late", name="map")
    os.close(journal.fd)
    (settled,) = settle_stale(Store(str(tmp_path)))
    assert settled.reason is None
    record = only_record(tmp_path)
    assert (record["revision"], [part["run"] for part in record["parts"]]) == (2, ["late"])
