"""`hpcprov export`: what it finds, where it writes, and that it never writes over anything."""

from __future__ import annotations

import io
import json
import os
import stat
import sys
import zipfile
from pathlib import Path

import pytest
from commands.conftest import Call, calling

from hpcprov.cli import main
from hpcprov.export import place as places
from hpcprov.export.formats import FORMATS
from hpcprov.record.layout import Store

from .made import chain, going_on, new_store, workflow


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Store:
    """A store with a workflow and its runs, in the working directory."""
    for name in ("HPCPROV_DIR", "SLURM_SUBMIT_DIR", "HPCPROV_DEBUG"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    return workflow(tmp_path)


@pytest.fixture
def call(here: Store, capsys: pytest.CaptureFixture[str]) -> Call:
    return calling(capsys)


def activities(text: str) -> list[str]:
    return sorted(
        line.split("(")[1].split(",")[0] for line in text.splitlines() if line.strip().startswith("activity(")
    )


def test_a_run_a_workflow_with_its_runs_or_all_runs_of_a_lineage(call: Call) -> None:
    assert activities(call("export", "solve", "--to", "prov-n")[1]) == ["run:solve"]
    every = ["run:flow", "run:plot", "run:prepare", "run:solve"]
    assert activities(call("export", "flow", "--to", "prov-n")[1]) == every
    assert set(every[1:]) <= set(activities(call("export", "/data/figure.png", "--to", "prov-n")[1]))
    assert "run:plot" not in activities(call("export", "/data/out.zarr", "--to", "prov-n")[1])
    one = json.loads(call("show", "solve", "--json")[1])["artifacts"]["generated"][0]
    by_digest = activities(call("export", one["signature"]["digest"], "--to", "prov-n")[1])
    assert {"run:solve", "run:prepare"} <= set(by_digest)


def test_other_stores_are_looked_in(call: Call, tmp_path: Path) -> None:
    (tmp_path / "other").mkdir()
    other = chain(tmp_path / "other")
    status, out, _ = call("export", "solve", "--root", other.root, "--to", "prov-n")
    assert status == 0 and activities(out) == ["run:solve"]
    status, out, _ = call("export", "/data/out.zarr", "--root", other.root, "--to", "prov-n")
    assert status == 0 and set(activities(out)) == {"run:solve", "run:prepare"}


@pytest.mark.parametrize("words", [["nobody"], ["/data/never"], ["hpcprov1:" + "0" * 64], ["abcdef"]])
def test_what_is_not_known_is_said(words: list[str], call: Call) -> None:
    status, out, err = call("export", *words, "--to", "prov-n")
    assert status == 2 and not out and "internal error" not in err


@pytest.mark.parametrize(
    ("words", "text"),
    [
        ([], "say what to export"),
        (["solve"], "say what to export"),
        (["solve", "--to", "nothing"], "invalid choice"),
        (["solve", "--to", "prov-n", "--copy"], "--copy is not for the format prov-n"),
        (["solve", "--to", "prov-n", "--license", "x"], "--license is not for the format prov-n"),
        (["solve", "--to", "prov-n", "--post", "http://127.0.0.1:9"], "--post sends OpenLineage"),
        (["solve", "--to", "rocrate", "--copy", "--most", "lots"], "is not a size"),
        (["now", "--to", "bundle"], "has no record yet"),
    ],
)
def test_what_makes_no_sense_is_refused(words: list[str], text: str, call: Call, tmp_path: Path) -> None:
    going_on(tmp_path)
    status, out, err = call("export", *words)
    assert status == 2 and not out and text in err


def test_the_formats_are_listed(call: Call) -> None:
    lines = call("export", "--formats")[1].splitlines()
    assert [line.split()[0] for line in lines] == list(FORMATS) and max(map(len, lines)) <= 100


def test_text_goes_to_standard_output_and_the_rest_to_a_file_named_after_the_target(call: Call, tmp_path: Path) -> None:
    assert call("export", "solve", "--to", "prov-json")[1].startswith("{")
    assert call("export", "solve", "--to", "bundle") == (0, "", "hpcprov: written: ./solve.hpcprov.zip\n")
    assert call("export", "/data/out.zarr", "--to", "bundle")[2] == "hpcprov: written: ./out.zarr.hpcprov.zip\n"
    with zipfile.ZipFile(tmp_path / "out.zarr.hpcprov.zip") as archive:
        assert json.loads(archive.read("bundle.json"))["runs"] == ["prepare", "solve"]
        assert {info.date_time[0] for info in archive.infolist()} == {1980}


def test_a_zip_file_can_go_to_standard_output(here: Store, capfdbinary: pytest.CaptureFixture[bytes]) -> None:
    assert main(["export", "solve", "--to", "bundle", "-o", "-"]) == 0
    with zipfile.ZipFile(io.BytesIO(capfdbinary.readouterr().out)) as archive:
        assert "solve/record.json" in archive.namelist() and archive.testzip() is None


def test_nothing_is_overwritten(call: Call, tmp_path: Path) -> None:
    (tmp_path / "file").write_text("mine")
    (tmp_path / "folder").mkdir()
    (tmp_path / "folder/file").write_text("mine")
    for name in ("file", "folder"):
        for form in ("prov-n", "rocrate"):
            status, _, err = call("export", "solve", "--to", form, "-o", name)
            assert status == 2 and ("is there already" in err or "is a directory" in err)
    assert (tmp_path / "file").read_text() == "mine" == (tmp_path / "folder/file").read_text()
    assert call("export", "solve", "--to", "rocrate", "-o", "folder", "--force")[0] == 2
    assert call("export", "solve", "--to", "prov-n", "-o", "file", "--force")[0] == 0
    assert (tmp_path / "file").read_text().startswith("document")
    assert sorted(os.listdir(tmp_path)) == [".hpcprov", "file", "folder"]


@pytest.mark.parametrize("form", ["prov-n", "bundle"])
def test_where_nothing_can_be_written_the_name_that_was_asked_for_is_told(form: str, call: Call) -> None:
    status, _, err = call("export", "solve", "--to", form, "-o", "gone/out")
    assert (status, err) == (2, "hpcprov export: gone/out: No such file or directory\n")


def test_an_empty_directory_may_be_filled(call: Call, tmp_path: Path) -> None:
    (tmp_path / "crate").mkdir()
    assert call("export", "solve", "--to", "rocrate", "-o", "crate/")[0] == 0
    assert (tmp_path / "crate/records/solve/record.json").is_file()


def test_a_link_is_not_written_through_without_force(call: Call, tmp_path: Path) -> None:
    (tmp_path / "link").symlink_to(tmp_path / "elsewhere")
    assert call("export", "solve", "--to", "prov-n", "-o", "link")[0] == 2
    assert not (tmp_path / "elsewhere").exists()


def test_a_device_and_a_pipe_can_be_written_to(call: Call) -> None:
    assert call("export", "solve", "--to", "prov-n", "-o", "/dev/null")[0] == 0
    assert stat.S_ISCHR(os.stat("/dev/null").st_mode)


def test_a_full_disk_leaves_no_half_of_anything(call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(places, "_fill", full)
    monkeypatch.setattr(places, "to_stream", full)
    for form, name in (("rocrate", "crate"), ("rocrate", "crate.zip"), ("prov-n", "x.provn")):
        status, _, err = call("export", "solve", "--to", form, "-o", name)
        assert status == 2 and "No space left" in err
    assert os.listdir(tmp_path) == [".hpcprov"]


def test_several_files_to_a_device_or_a_pipe_are_a_zip_file(call: Call, tmp_path: Path) -> None:
    with open("/dev/null", "rb+", buffering=0) as null:
        places.to_stream({"a": "x", "b/c": "y"}, null)
    os.mkfifo(tmp_path / "pipe")
    reader = os.open(tmp_path / "pipe", os.O_RDONLY | os.O_NONBLOCK)
    places.write({"a": "x", "b/c": "y"}, str(tmp_path / "pipe"), force=False)
    with zipfile.ZipFile(io.BytesIO(os.read(reader, 1 << 16))) as archive:
        assert archive.testzip() is None and archive.namelist() == ["a", "b/", "b/c"]
    os.close(reader)


def test_umask_is_respected(call: Call, tmp_path: Path) -> None:
    before = os.umask(0o077)
    try:
        call("export", "solve", "--to", "prov-n", "-o", "x")
        call("export", "solve", "--to", "rocrate", "-o", "crate")
    finally:
        os.umask(before)
    assert stat.S_IMODE((tmp_path / "x").stat().st_mode) == 0o600
    assert stat.S_IMODE((tmp_path / "crate").stat().st_mode) == 0o700


def test_without_the_library_the_extra_is_named(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    for form, module in (("prov-n", "prov"), ("rocrate", "rocrate")):
        with monkeypatch.context() as patch:
            for name in [name for name in sys.modules if name.partition(".")[0] == module]:
                patch.delitem(sys.modules, name)
            patch.setitem(sys.modules, module, None)
            status, _, err = call("export", "solve", "--to", form, "-o", f"{form}.x")
            assert status == 2 and "hpcprov[export]" in err and module in err


def test_an_unusual_directory_and_target_do_no_harm(
    call: Call, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    weird = tmp_path / "a 'b' \"c\"\n\udcff"
    weird.mkdir()
    new_store(weird)
    chain(weird)
    monkeypatch.chdir(weird)
    assert call("export", "solve", "--to", "rocrate", "-o", "x y.zip")[0] == 0
    assert call("export", "broken", "--to", "prov-o")[0] == 0
