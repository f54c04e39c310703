"""Paths of a recorded run in the words of its rerun's command."""

from __future__ import annotations

import pytest

from hpcprov.rerun.mapping import Paths

PATHS = Paths("/r/one", "/r/one.rerun-1", keep={"/r/one/in.nc", "/r/one/venv", "/r/grid.nc", "/opt/x"})


@pytest.mark.parametrize(
    ("word", "mapped"),
    [
        ("out.nc", "out.nc"),
        ("/r/one/out.nc", "/r/one.rerun-1/out.nc"),
        ("--out=/r/one/out.nc", "--out=/r/one.rerun-1/out.nc"),
        ("/r/one", "/r/one.rerun-1"),
        ("/r/one/", "/r/one.rerun-1/"),
        ("/r/one/in.nc", "/r/one/in.nc"),
        ("/r/one/./in.nc", "/r/one/./in.nc"),
        ("/r/one/in.nc2", "/r/one.rerun-1/in.nc2"),
        ("/r/one/venv/bin/python", "/r/one/venv/bin/python"),
        ("/r/one2/out.nc", "/r/one2/out.nc"),
        ("/r/one-2/out.nc", "/r/one-2/out.nc"),
        ("/x/r/one/out.nc", "/x/r/one/out.nc"),
        ("./r/one/out.nc", "./r/one/out.nc"),
        ("../grid.nc", "/r/grid.nc"),
        ("--grid=../grid.nc", "--grid=/r/grid.nc"),
        ("../other.nc", "../other.nc"),
        ("/opt/x/y", "/opt/x/y"),
        ("./model < /r/one/in.nc > /r/one/log;x", "./model < /r/one/in.nc > /r/one.rerun-1/log;x"),
        ("a:/r/one/b,'/r/one/c'", "a:/r/one.rerun-1/b,'/r/one.rerun-1/c'"),
        ("", ""),
        ("\udcff/r/one", "\udcff/r/one.rerun-1"),
    ],
)
def test_what_may_be_written_is_written_in_the_new_directory(word: str, mapped: str) -> None:
    assert PATHS.word(word) == mapped


@pytest.mark.parametrize("cwd", ['/r/it\'s a "place"', "/r/a b", "/r/(x)[y]*"])
def test_directories_may_have_any_name(cwd: str) -> None:
    paths = Paths(cwd, "/new", keep={f"{cwd}/in"})
    assert paths.word(f"--out={cwd}/out") == "--out=/new/out"
    assert paths.word(f"{cwd}/in") == f"{cwd}/in"


def test_the_root_as_a_working_directory_is_left_alone() -> None:
    paths = Paths("/", "/new")
    assert paths.word("/data/out") == "/data/out" and not paths.inside("/data/out")


@pytest.mark.parametrize("path", ["/r/one/../victim/out", "/r/one/a/../../victim", "/r/one/..", "/r/one2"])
def test_a_path_that_leads_out_again_is_not_inside(path: str) -> None:
    assert not PATHS.inside(path) and PATHS.path(path) == path
