"""`hpcprov find`, and `runs` on a terminal: what is found, how it is shown, what is said of nothing."""

from __future__ import annotations

import json
import os
import shutil
from pathlib import Path

import pytest
from catalog.conftest import digest, field, launched, publish, with_artifact

from hpcprov.commands import find, runs
from hpcprov.record.layout import Store

from .conftest import Call


@pytest.fixture
def made(store: Store, tmp_path: Path) -> Store:
    """Run `a` makes x.zarr in the working directory, `b` uses it."""
    path = str(tmp_path / "x.zarr")
    publish(store, "a", with_artifact(launched(0, "a").exit(0, 5), "generated", path, "x", field("u", "u")))
    used = launched(1, "b", name="mine").exit(0, 86405)
    publish(store, "b", with_artifact(used, "used", path, "x", field("u", "u"), at=86400))
    return store


def test_by_path_and_digest(call: Call, made: Store, tmp_path: Path) -> None:
    for words in (
        ["x.zarr"],
        [str(tmp_path / "*.zarr")],
        [digest("x")[:12]],
        ["--digest", digest("x")],
        ["--path", "*"],
    ):
        status, out, err = call("find", *words)
        lines = out.splitlines()
        assert (status, err) == (0, "") and [line.split()[0] for line in lines] == [
            "RUN",
            "b",
            "used",
            "a",
            "generated",
        ]
        assert lines[2].endswith(f"x.zarr  hpcprov1:{digest('x')[:12]}"), words
    status, out, _ = call("find", digest("u")[:12], "--generated")
    assert status == 0 and f"generated {tmp_path / 'x.zarr'}, field u  hpcprov1:{digest('u')[:12]}" in out


def test_as_json(call: Call, made: Store, tmp_path: Path) -> None:
    status, out, _ = call("find", "x.zarr", digest("u"), "--used", "--json")
    (found,) = json.loads(out)
    signatures = {"signature": f"hpcprov1:{digest('x')}", "storage": f"blake3:{digest('sx')}"}
    assert status == 0 and found["id"] == "b" and found["store"] == made.root
    assert found["matches"] == [{"role": "used", "path": str(tmp_path / "x.zarr"), "field": None} | signatures]
    assert json.loads(call("runs", "--json")[1])[0] == {
        key: value for key, value in found.items() if key not in ("store", "matches")
    }


def test_of_nothing_it_is_said_what_was_searched(call: Call, made: Store, tmp_path: Path) -> None:
    status, out, err = call("find", "y.zarr", "--status", "failed", "--since", "2026-11-21", "--json")
    assert (status, out) == (1, "[]\n")
    assert err.startswith(f"hpcprov find: nothing found among 2 runs in {made.root}: ")
    for part in ("status failed", "since 2026-11-21 00:00:00", f"path {tmp_path / 'y.zarr'}"):
        assert part in err
    told = call("find", "x.zarr", "--module", "gcc\x1b[31m")[2].splitlines()
    assert told[0].endswith("module gcc\\x1b[31m; path " + str(tmp_path / "x.zarr"))
    assert told[1:] == ["  in any directory: hpcprov find '/*/x.zarr'"]
    assert call("find", "elsewhere/x.zarr")[0] == 1 and call("find", "/*/x.zarr")[0] == 0
    assert len(call("find", "/*/y.zarr")[2].splitlines()) == 1


@pytest.mark.parametrize(
    ("words", "told"),
    [
        ([], "nothing to look for"),
        (["--used"], "nothing to look for"),
        (["--digest", "abc"], "is not the beginning of a digest"),
        (["x", "--limit", "0"], "is not a number of runs"),
        (["x", "--root", "/nowhere"], "is no store"),
    ],
)
def test_what_cannot_be_looked_for(call: Call, made: Store, words: list[str], told: str) -> None:
    status, _, err = call("find", *words)
    assert status == 2 and told in err


def test_a_file_that_is_there_is_no_digest_and_its_name_no_pattern(call: Call, made: Store, tmp_path: Path) -> None:
    name = digest("x")[:12]
    (tmp_path / name).touch()
    assert call("find", name)[0] == 1 and call("find", "--digest", name)[0] == 0
    path = tmp_path / "y[1].h5"
    publish(
        made, "c", with_artifact(launched(3, "c").exit(0, 3 * 86400 + 1), "generated", str(path), "y", at=3 * 86400)
    )
    assert call("find", "y[1].h5")[0] == 1
    path.touch()
    assert call("find", "y[1].h5")[0] == 0


def test_several_stores(call: Call, made: Store, tmp_path: Path) -> None:
    other = tmp_path / "other"
    shutil.copytree(made.root, other / ".hpcprov", ignore=shutil.ignore_patterns("catalog*"))
    shutil.rmtree(next((other / ".hpcprov" / "records").glob("*/*/*/b")))
    status, out, _ = call("find", "x.zarr", "--root", made.root, "--root", str(other))
    assert status == 0 and out.count("in " + str(other / ".hpcprov")) == 1
    words = ["RUN", "b", "used", "in", *["a", "generated", "in"] * 2]
    assert [line.split()[0] for line in out.splitlines()] == words


def test_changed_records_are_marked(call: Call, made: Store) -> None:
    (path,) = Path(made.records).glob("*/*/*/b/record.json")
    assert call("find", "x.zarr")[2] == ""
    path.write_text(path.read_text().replace('"mine"', '"ours"'))
    _, out, err = call("find", "x.zarr")
    assert "! b " in out and "changed since they were sealed: b" in err


@pytest.mark.parametrize("width", [40, 80, 200])
def test_as_wide_as_the_screen(call: Call, made: Store, monkeypatch: pytest.MonkeyPatch, width: int) -> None:
    deep = "/data/" + "deep/" * 60 + "end.nc"
    publish(made, "c", with_artifact(launched(3, "c").exit(0, 3 * 86400 + 1), "generated", deep, "y", at=3 * 86400))
    monkeypatch.setenv("COLUMNS", str(width))
    _, out, _ = call("find", "/data/*")
    assert len(out.splitlines()[2]) <= width and "end.nc" in out


def test_on_a_terminal_the_newest(call: Call, made: Store, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(runs, "NEWEST", 1)
    monkeypatch.setattr(find, "NEWEST", 1)
    assert call("runs")[1].count("\n") == 3, "all of them where there is no terminal"
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    for words in (["runs"], ["find", "x.zarr"]):
        _, out, _ = call(*words)
        assert "... and 1 earlier run:" in out and "mine" in out
    assert "earlier" not in call("runs", "--all")[1] and "earlier" not in call("runs", "--limit", "1")[1]


def test_a_store_without_its_catalog_and_one_that_cannot_have_one(call: Call, made: Store) -> None:
    os.mkdir(made.catalog)
    status, out, err = call("runs", "--json")
    assert status == 0 and len(json.loads(out)) == 2 and err.count("in memory") == 1
    assert call("show", "a")[0] == 0 and call("show", "last")[2] == "", "who shows one run is not told"
    os.rmdir(made.catalog)
    assert call("runs")[2] == ""


@pytest.mark.parametrize("inside", [True, False])
def test_the_store_of_a_path_is_asked_too(
    call: Call, made: Store, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, inside: bool
) -> None:
    """Who names a path need not be in the directory of its store, nor in one that has a store."""
    place = tmp_path / "elsewhere" if inside else tmp_path.parent
    if inside:
        (place / ".hpcprov" / "runs").mkdir(parents=True)
    monkeypatch.chdir(place)
    path = os.path.relpath(tmp_path / "x.zarr")
    assert call("find", path)[0] == 0
    status, out, _ = call("lineage", f"{path}/u", "--format", "json")
    assert status == 0 and "a" in [node.get("run") for node in json.loads(out)["nodes"]]
    assert call("why", path, path)[2].count("are of one run: a") == 1
    assert call("export", path, "--to", "mermaid")[1].startswith("flowchart")
    assert call("find", "x.zarr")[0] == (1 if inside else 2)
    assert call("lineage", f"{path}.nc")[2].count(".hpcprov") == (2 if inside else 1)
