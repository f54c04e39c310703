"""`exec --constraints`: outputs are held against files of constraints, the verdicts recorded and shown."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from hpcprov.record.verdicts import LONGEST, MOST, is_verdicts, line, verdict
from tests.record_check import check_record

LIMITS = {"fields": {"x": {"type": "real", "max": 10, "max_nulls": 0}}}
MAKE = "import numpy as np; np.savez('out.npz', x=np.array([1.0, 99.5, 30.0])); np.save('other.npy', np.zeros(3))"


def hpcprov(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [str(Path(sys.executable).parent / "hpcprov"), *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=60)


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("run")
    (folder / ".hpcprov").mkdir()
    (folder / "limits.json").write_text(json.dumps(LIMITS))
    (folder / "bad.json").write_text('{"fields": {"x": {"sign": "plus"}}}')
    (folder / "named.json").write_text(json.dumps({"fields": {"x": {"min": 0}}, "dataset": {"files": ["*.nc"]}}))
    files = ("limits.json", "bad.json", "named.json", "gone.json")
    options = [word for file in files for word in ("--constraints", file)]
    done = hpcprov("exec", *options, "--output", "*.np?", "--", sys.executable, "-c", MAKE, cwd=folder)
    assert done.returncode == 0, done.stderr  # whatever is violated
    return folder


def test_the_verdict_is_in_the_record(run: Path) -> None:
    record = json.loads(hpcprov("show", "last", "--json", cwd=run).stdout)
    check_record(record)
    found = {Path(one["path"]).name: one.get("constraints") for one in record["artifacts"]["generated"]}
    assert found["other.npy"] is None
    (one,) = found["out.npz"]
    digest = subprocess.run(["b3sum", "--no-names", "limits.json"], cwd=run, capture_output=True, text=True).stdout
    assert one["digest"].removeprefix("blake3:") == digest.strip() or not digest
    assert (Path(one["file"]).name, one["passes"], one["failures"], one["reason"]) == ("limits.json", 2, 1, None)
    assert one["fields"] == [
        {
            "path": "x", "status": "FAILED",
            "constraints": [{"constraint": "max", "value": "10", "found": "99.5", "count": 2, "first": [1]}],
        }
    ]  # fmt: skip
    told = [one["text"] for one in record["problems"] if "constraints" in one["text"]]
    assert len(told) == 3
    assert "sign must be one of" in told[0] and "No such file" in told[1] and "no output has a name" in told[2]


def test_show_and_report_tell_it(run: Path) -> None:
    told = "1 of 3 constraints in limits.json violated: x: max 10, found 99.5"
    assert told in hpcprov("show", "last", cwd=run).stdout
    assert told in " ".join(hpcprov("report", "last", "--format", "text", cwd=run).stdout.split())


def test_a_verdict_in_a_record_is_bounded() -> None:
    place = {"index": [3], "value": 1}
    failed = {
        "constraint": "rex",
        "value": ["x" * 9999],
        "ok": False,
        "found": "y" * 999,
        "count": 1,
        "places": [place],
    }
    fields = [
        {"path": f"f{at}", "status": "FAILED", "constraints": [failed | {"reason": None}] * 3} for at in range(99)
    ]
    kept = verdict("/c.json", None, {"passes": 0, "failures": 297, "fields": fields})
    assert sum(len(field["constraints"]) for field in kept["fields"]) == MOST
    assert len(kept["fields"][0]["constraints"][0]["value"]) == LONGEST
    assert is_verdicts([kept]) and len(line(kept)) < 600
    assert not is_verdicts([kept | {"passes": -1}]) and not is_verdicts([kept | {"fields": [{"path": 3}]}])
    result = kept["fields"][0]["constraints"][0]
    assert not any(is_verdicts([{key: kept[key] for key in kept if key != name}]) for name in kept)
    for name in result:
        less = {key: result[key] for key in result if key != name}
        assert not is_verdicts([kept | {"fields": [kept["fields"][0] | {"constraints": [less]}]}]), name


def test_settle_holds_later_what_was_signed_later(tmp_path: Path) -> None:
    (tmp_path / ".hpcprov").mkdir()
    (tmp_path / "limits.json").write_text(json.dumps(LIMITS))
    options = ["--hash", "later", "--constraints", "limits.json", "--output", "out.npz"]
    assert hpcprov("exec", *options, "--", sys.executable, "-c", MAKE, cwd=tmp_path).returncode == 0
    assert "constraints" not in hpcprov("show", "last", cwd=tmp_path).stdout.partition("outputs")[2]
    assert hpcprov("settle", "last", cwd=tmp_path).returncode == 0
    assert "1 of 3 constraints in limits.json violated" in hpcprov("show", "last", cwd=tmp_path).stdout
