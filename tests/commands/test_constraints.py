"""`hpcprov constraints` and `hpcprov verify PATH FILE` as people meet them: what is printed, exit status, bad input."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from hpcprov.cli import main
from hpcprov.commands.constraints_page import render, render_changes
from hpcprov.quality.constraints.verify import verify
from hpcprov.quality.isolated import Comparing
from tests.require import require

try:
    import pyarrow
except ImportError:
    pyarrow = None

IRIS = Path(__file__).parents[2] / "workflows" / "iris" / "data.py"


def hpcprov(*words: str, cwd: Path) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-m", "hpcprov", *words]
    return subprocess.run(command, cwd=cwd, capture_output=True, text=True, timeout=120)


@pytest.fixture(scope="module")
def iris(tmp_path_factory: pytest.TempPathFactory) -> Path:
    require("pyarrow", pyarrow)
    folder = tmp_path_factory.mktemp("iris")
    made = subprocess.run([sys.executable, str(IRIS), str(folder / "iris.csv")], capture_output=True, timeout=120)
    require("scikit-learn", made.returncode == 0)
    return folder


@pytest.mark.slow
def test_the_irises_from_discovery_to_export(iris: Path) -> None:
    done = hpcprov("constraints", "discover", "iris.csv", "-o", "iris.json", "--no-rex", cwd=iris)
    assert (done.returncode, done.stdout) == (0, "") and "written: iris.json" in done.stderr
    raw = json.loads((iris / "iris.json").read_text())
    assert raw["fields"]["petal_width_cm"] == {
        "type": "real", "min": 0.1, "max": 2.5, "sign": "positive", "max_nulls": 0,
    }  # fmt: skip
    assert raw["fields"]["species"]["allowed_values"] == ["setosa", "versicolor", "virginica"]
    assert raw["creation_metadata"]["n_records"] == 150
    again = hpcprov("constraints", "discover", "iris.csv", "-o", "iris.json", cwd=iris)
    assert again.returncode == 2  # it is there already

    done = hpcprov("verify", "iris.csv", "iris.json", cwd=iris)
    assert done.returncode == 0 and "(27 of 27 constraints kept)" in done.stdout

    text = (iris / "iris.csv").read_text()
    (iris / "bad.csv").write_text(text.replace("setosa", "Setosa", 1).replace("virginica", "", 1))
    done = hpcprov("constraints", "verify", "bad.csv", "iris.json", "--detect", "-o", "rows.csv", cwd=iris)
    assert done.returncode == 1 and done.stdout.startswith("FAILED ")
    listed = 'allowed_values ["setosa", "versicolor", "virginica"]: 1 value violates it'
    assert f"{listed}\n      [0] Setosa\n" in done.stdout
    assert "max_nulls 0: found 1\n      [100]\n" in done.stdout and "written: rows.csv (2 entries)" in done.stdout
    assert len((iris / "rows.csv").read_text().splitlines()) == 3
    words = ("iris.csv", "iris.json", "--detect", "-o", "rows.csv", "--force")
    done = hpcprov("constraints", "verify", *words, cwd=iris)
    assert "removed: rows.csv, which told of an earlier time" in done.stdout and not (iris / "rows.csv").exists()

    done = hpcprov("constraints", "export", "iris.json", "--to", "pandera", cwd=iris)
    assert done.returncode == 0 and "pa.Check.ge(0.1)" in done.stdout
    compile(done.stdout, "schema.py", "exec")


def test_the_exit_status_tells_bad_use_from_a_no(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    np.save(tmp_path / "a.npy", np.arange(3))
    (tmp_path / "plain.txt").write_text("hello")
    for name, fields in (("c", {"": {"max": 1}}), ("d", {"": {"max": 5}}), ("e", {"": {"max": []}})):
        (tmp_path / f"{name}.json").write_text(json.dumps({"fields": fields}))
    for words, status, told in (
        (["verify", "a.npy", "c.json", "--json"], 1, ""),
        (["verify", "a.npy", "e.json"], 2, "max must be"),
        (["verify", "plain.txt", "c.json"], 2, "'plain.txt': a plain file: it has no fields"),
        (["verify", "gone.npy", "c.json"], 2, "No such file"),
        (["verify", "a.npy", "c.json", "--detect"], 2, "--detect and -o OUT go together"),
        (["diff", "c.json", "d.json"], 1, ""),
        (["diff", "c.json", "c.json"], 0, ""),
    ):
        assert main(["constraints", *words]) == status, words
        assert told in capfd.readouterr().err, words
    assert main(["verify", "a.npy", "c.json", "--json"]) == 1
    found = json.loads(capfd.readouterr().out)
    assert found["fields"][0]["constraints"][0]["places"] == [{"index": [2], "value": 2}]
    assert main(["verify", "a.npy", "c.json", "--storage"]) == 2
    assert "--storage is about records" in capfd.readouterr().err


@pytest.mark.slow
def test_a_pattern_without_an_end_costs_seconds(tmp_path: Path) -> None:
    np.save(tmp_path / "a.npy", np.array(["a" * 50 + "!"]))
    with Comparing({"threads": 2}, memory=4 << 30) as reading:
        found = reading.constrain(
            str(tmp_path / "a.npy"), {"fields": {"": {"rex": ["(a+)+$"]}}}, {"type_checking": "sloppy", "epsilon": 0.0}
        )
    assert found["failures"] == 1 and "kept a pattern busy" in found["fields"][0]["constraints"][0]["reason"]


def verdict(values: Any, fields: dict[str, Any], name: str = "x") -> dict[str, Any]:
    from hpcprov.data.interface import Dataset
    from hpcprov.data.opened import array_field
    from hpcprov.quality.constraints.file import parse

    data = Dataset("numpy", (array_field(values, name.encode("utf-8", "surrogateescape")),))
    found = verify(data, parse({"fields": {name: fields, "gone\x1b[2J": {}}}))
    return {"path": "/d/a\x1b.npy", "file": "/d/c.json", "status": "FAILED" if found["failures"] else "OK", **found}


def test_nothing_of_a_file_reaches_the_terminal_as_it_is() -> None:
    evil = "\x1b[31m<b>\u202e\n=1+1"
    found = verdict(np.array([evil] * 3), {"allowed_values": [evil + "!"], "max_length": 1, evil: 3}, "n\udcff\x1b[0m")
    text = "\n".join(render(found, whole=True))
    assert "\x1b" not in text and "\u202e" not in text and "n\\xff" in text and "gone\\x1b" in text
    assert max(map(len, text.splitlines())) < 240
    change = {"field": evil, "constraint": "rex", "a": [evil], "b": None, "change": "removed"}
    assert "\x1b" not in "\n".join(render_changes([change]))


def test_many_fields_and_places_are_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("COLUMNS", "120")
    one = {"constraint": "min", "value": 0, "ok": False, "found": -1, "count": 12, "reason": None,
           "places": [{"index": [at], "value": -1} for at in range(10)]}  # fmt: skip
    fields = [{"path": f"f{at}", "status": "FAILED", "constraints": [one]} for at in range(1000)]
    found = {"path": "/a", "file": "/c", "status": "FAILED", "passes": 0, "failures": 1000, "fields": fields}
    lines = list(render({**found, "ignored": [["a", "b"]] * 50, "unread": [["c", "d"]] * 50}))
    assert len(lines) < 150 and "  ... and 960 more fields" in lines
    assert "  ... and 40 more fields that cannot be read" in lines
    assert "    min 0: 12 values violate it, found -1" in lines
    assert f"      {', '.join(f'[{at}] -1' for at in range(10))}" in lines
