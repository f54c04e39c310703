"""`hpcprov report RUN`: where a report goes, what it never overwrites, and what it says when it cannot be made."""

from __future__ import annotations

import builtins
import os
from pathlib import Path
from typing import Any

import pytest

from hpcprov.cli import main
from hpcprov.merge.publish import merge_run
from hpcprov.record.layout import Store
from hpcprov.report import assets
from report.rich import rich

OURS = '<meta name="generator" content="hpcprov '


@pytest.fixture
def store(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with one run in the working directory."""
    for name in ("HPCPROV_DIR", "SLURM_SUBMIT_DIR", "HPCPROV_DEBUG", "COLUMNS"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    store = Store(str(tmp_path / ".hpcprov"))
    rich(store.run("r1"))
    merge_run(store, "r1")
    return store


def call(capfdbinary: pytest.CaptureFixture[bytes], *words: str) -> tuple[int, str, str]:
    capfdbinary.readouterr()
    status = main(["report", *words])
    out, err = capfdbinary.readouterr()
    return status, out.decode(), err.decode()


def test_a_page_is_written_here(store: Store, capfdbinary: Any, tmp_path: Path) -> None:
    status, out, err = call(capfdbinary, "last")
    assert (status, out) == (0, "") and err.startswith("hpcprov: written: ./report-r1.html (")
    page = (tmp_path / "report-r1.html").read_text()
    assert OURS in page and '<section id="lineage"' in page and page.count('class="node data') == 2
    assert sorted(os.listdir(tmp_path)) == [".hpcprov", "report-r1.html"]
    assert call(capfdbinary, "r1")[0] == 0  # a report of ours may be replaced


@pytest.mark.parametrize(("form", "begin"), [("md", "<!-- hpcprov report -->"), ("text", "hpcprov report: solve (r1)")])
def test_other_forms_go_to_standard_output(
    store: Store, capfdbinary: Any, form: str, begin: str, tmp_path: Path
) -> None:
    status, out, err = call(capfdbinary, "r1", "--format", form)
    assert status == 0 and out.startswith(begin) and err == ""
    file = tmp_path / "x"
    assert call(capfdbinary, "r1", "--format", form, "-o", str(file))[0] == 0 and file.read_text() == out
    assert call(capfdbinary, "r1", "--format", form, "-o", str(file))[0] == 0


def test_a_page_goes_to_standard_output(store: Store, capfdbinary: Any) -> None:
    status, out, err = call(capfdbinary, "r1", "-o", "-")
    assert status == 0 and out.startswith("<!DOCTYPE html>") and out.endswith("</html>\n") and err == ""


def test_what_is_no_report_stays(store: Store, capfdbinary: Any, tmp_path: Path) -> None:
    thesis = tmp_path / "thesis.html"
    thesis.write_text("<p>three years of work</p>")
    status, _, err = call(capfdbinary, "r1", "-o", "thesis.html")
    assert status == 2 and "'thesis.html' is there already\n  --force overwrites it" in err
    assert thesis.read_text() == "<p>three years of work</p>"
    assert call(capfdbinary, "r1", "-o", "thesis.html", "--force")[0] == 0 and OURS in thesis.read_text()
    assert call(capfdbinary, "r1", "-o", ".")[0] == 2
    assert call(capfdbinary, "r1", "-o", "nowhere/x.html")[0] == 2


def test_a_link_is_replaced_and_not_followed(store: Store, capfdbinary: Any, tmp_path: Path) -> None:
    (tmp_path / "kept").write_text(OURS)
    (tmp_path / "x.html").symlink_to("kept")
    assert call(capfdbinary, "r1", "-o", "x.html")[0] == 0
    assert (tmp_path / "kept").read_text() == OURS and not (tmp_path / "x.html").is_symlink()


@pytest.mark.parametrize(
    "words", [[], ["r1", "--since", "1d"], ["--until", "1d"], ["r1", "--index"], ["r1", "--until", "1d"]]
)
def test_what_does_not_go_together(store: Store, capfdbinary: Any, words: list[str]) -> None:
    status, out, err = call(capfdbinary, *words)
    assert status == 2 and out == "" and err.startswith("hpcprov report: ")


def test_another_store_is_named(store: Store, capfdbinary: Any, tmp_path: Path, monkeypatch: Any) -> None:
    other = tmp_path / "other"
    other.mkdir()
    monkeypatch.chdir(other)
    status, out, _ = call(capfdbinary, "r1", "--root", store.root, "--format", "text")
    assert status == 0 and "so are its 4 logs" in out


def test_without_jinja2_it_says_what_to_install(store: Store, capfdbinary: Any, monkeypatch: Any) -> None:
    usual = builtins.__import__

    def without(name: str, *rest: Any, **keys: Any) -> Any:
        if name == "jinja2":
            raise ImportError(name)
        return usual(name, *rest, **keys)

    assets.environment.cache_clear()
    monkeypatch.setattr(builtins, "__import__", without)
    status, out, err = call(capfdbinary, "r1")
    assert status == 2 and out == "" and "pip install 'hpcprov[report]'" in err
    assert call(capfdbinary, "r1", "--format", "md")[0] == 0


def test_a_run_that_goes_on(store: Store, capfdbinary: Any, tmp_path: Path) -> None:
    from merge.build import BEGAN, HERE, Launch

    ticks = int(Path("/proc/self/stat").read_text().rpartition(")")[2].split()[19])
    log = Launch(launch=f"{ticks}-{os.getpid()}", boot_id=HERE)
    log.start(run="live", pid=os.getpid(), ticks=ticks, agent=False, launch_time=BEGAN)
    log.write(store.run("live"))
    status, out, err = call(capfdbinary, "live", "--format", "text")
    assert status == 0, err
    assert "There is no seal yet" in out and "still going on" in out
