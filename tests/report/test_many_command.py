"""`hpcprov report` of many runs and of an index, as it is called."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from hpcprov.cli import main
from hpcprov.record.layout import Store
from report.made import a_store, publish, run

Call = Callable[..., tuple[int, str, str]]


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    for name in ("HPCPROV_DIR", "SLURM_SUBMIT_DIR", "HPCPROV_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return a_store(tmp_path)


@pytest.fixture
def call(store: Store, capfdbinary: pytest.CaptureFixture[bytes]) -> Call:
    def called(*words: str) -> tuple[int, str, str]:
        capfdbinary.readouterr()
        status = main(["report", *words])
        out, err = capfdbinary.readouterr()
        return status, out.decode(), err.decode()

    return called


def test_several_runs(call: Call, tmp_path: Path) -> None:
    status, out, err = call("flood-1", "figure-1", "flood-1")
    assert (status, out) == (0, "") and "report-of-2-runs.html" in err
    page = (tmp_path / "report-of-2-runs.html").read_text()
    assert page.count('<tr id="row-') == 2 and page.count('class="one-run"') == 2
    # `terrain-1` made what `flood-1` used, and `broken-1` used what it made: drawn, but not told of.
    assert "<title>run terrain, " in page and "<title>run broken, " in page


def test_a_workflow_with_its_parts(call: Call, tmp_path: Path) -> None:
    status, _, err = call("--workflow", "pipeline-1", "-o", "flow.html")
    assert status == 0 and "flow.html" in err
    page = (tmp_path / "flow.html").read_text()
    assert [name for name in ("pipeline", "terrain", "flood") if f'">{name}</a>' in page] == [
        "pipeline",
        "terrain",
        "flood",
    ]
    assert page.count('<tr id="row-') == 3 and 'id="steps"' in page


def test_a_plain_run_is_no_workflow(call: Call) -> None:
    status, _, err = call("--workflow", "flood-1")
    assert status == 2 and "flood-1 is neither a workflow nor a job" in err


def test_since(call: Call, tmp_path: Path) -> None:
    assert call("--since", "2026-11-19T00:00Z", "-o", "since.html")[0] == 0
    assert (tmp_path / "since.html").read_text().count('<tr id="row-') == 2
    assert call("--since", "2026-11-18T00:00Z", "--until", "2026-11-19T00:00Z", "-o", "since.html")[0] == 0
    assert (tmp_path / "since.html").read_text().count('<tr id="row-') == 3
    status, _, err = call("--since", "2027-01-01")
    assert status == 2 and "no run began since" in err


@pytest.mark.parametrize(("form", "mark"), [("md", "<!-- hpcprov report -->"), ("text", "hpcprov report: 2 runs")])
def test_other_forms_are_printed(call: Call, form: str, mark: str) -> None:
    status, out, _ = call("flood-1", "figure-1", "--format", form)
    assert status == 0 and out.startswith(mark) and "figure-1" in out


def test_records_that_cannot_be_believed_are_named(call: Call, store: Store, tmp_path: Path) -> None:
    places = {name: next(Path(store.records).glob(f"*/*/*/{name}/record.json")) for name in ("figure-1", "broken-1")}
    forged = json.loads(places["figure-1"].read_text())
    forged["run"]["note"] = "forged"
    places["figure-1"].write_text(json.dumps(forged))
    places["broken-1"].write_text("{")
    status, _, err = call("--since", "2026-11-18", "-o", "all.html")
    assert status == 0 and "1 record could not be read" in err
    page = (tmp_path / "all.html").read_text()
    assert "Changed since they were sealed: figure-1" in page and "1 record of this store could not be read" in page


def test_a_record_that_vanishes_meanwhile_is_a_note(store: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    from hpcprov.catalog import open_catalog
    from hpcprov.commands import report_many

    with open_catalog([store.root]) as catalog:
        chosen = report_many.Chosen(catalog.runs(), "all", "", "x.html")
        shutil.rmtree(next(Path(store.records).glob("*/*/*/figure-1")))
        page = report_many.page(catalog, chosen)
    assert "figure-1 could not be read" in page and page.count('<tr id="row-') == 4


def test_several_stores(call: Call, tmp_path: Path) -> None:
    other = Store(str(tmp_path / "other" / ".hpcprov"))
    os.makedirs(other.runs)
    publish(other, "elsewhere-1", run("elsewhere", 100, used={"flood.h5": "bb"}, made={"map.png": "ee"}))
    roots = ("--root", str(tmp_path), "--root", str(tmp_path / "other"))
    assert call("--since", "2026-11-18", "-o", "all.html", *roots)[0] == 0
    page = (tmp_path / "all.html").read_text()
    assert page.count('<tr id="row-') == 6 and "map.png" in page
    shutil.copytree(tmp_path / ".hpcprov", tmp_path / "copy" / ".hpcprov")
    assert call("--since", "2026-11-18", "-o", "all.html", *roots, "--root", str(tmp_path / "copy"))[0] == 0
    assert (tmp_path / "all.html").read_text().count('<tr id="row-') == 6


def test_an_index(call: Call, tmp_path: Path) -> None:
    status, _, err = call("--index", "-o", "log")
    assert status == 0 and "log/index.html (2 pages, 2 of them new or changed)" in err
    assert "(2 pages, 0 of them new or changed)" in call("--index", "-o", "log")[2]
    assert call("flood-1", "-o", "log/report-flood-1.html")[0] == 0
    assert "(2 pages, 2 of them new or changed)" in call("--index", "-o", "log")[2]
    assert 'href="report-flood-1.html"' in (tmp_path / "log" / "2026-11.html").read_text()


def test_an_index_is_no_stream(call: Call) -> None:
    status, _, err = call("--index", "-o", "-")
    assert status == 2 and "an index is several pages" in err


def test_only_a_report_is_overwritten(call: Call, tmp_path: Path) -> None:
    (tmp_path / "mine.html").write_text("mine")
    status, _, err = call("flood-1", "figure-1", "-o", "mine.html")
    assert status == 2 and "is there already" in err and (tmp_path / "mine.html").read_text() == "mine"
