"""Distributions of a running interpreter, found from outside: made-up folders, and real virtual environments."""

from __future__ import annotations

import importlib.metadata
import json
import os
import re
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from capture.test_libraries import waiting
from hpcprov.capture import libraries, python_packages

WAIT = "import sys; print(flush=True); sys.stdin.read()"


def facts(**changes: Any) -> dict[str, Any]:
    found: dict[str, Any] = {
        "executable": "/usr/bin/python3.11",
        "command": "python3",
        "cwd": "/",
        "environ": {},
        "mapped": [],
    }
    return found | changes


@pytest.mark.parametrize(
    ("executable", "mapped", "python"),
    [
        ("/usr/bin/python3.11", [], True),
        ("/usr/bin/python", [], True),
        ("/x/python3.13t", [], True),
        ("/x/pypy3.10", [], True),
        ("/x/pvpython", ["/usr/lib/libpython3.11.so.1.0"], True),
        ("/x/model", ["/usr/lib/libc.so.6"], False),
        ("/x/python-config", [], False),
    ],
)
def test_is_python(executable: str, mapped: list[str], python: bool) -> None:
    assert python_packages.is_python(executable, mapped) is python


@pytest.mark.parametrize(
    ("changes", "version"),
    [
        ({}, "3.11"),
        ({"executable": "/opt/py/bin/python3.13t"}, "3.13t"),
        ({"executable": "/nowhere/bin/python3", "mapped": ["/usr/lib/libpython3.12.so.1.0"]}, "3.12"),
        ({"executable": "/nowhere/bin/python3", "mapped": ["/x/lib/python3.10/lib-dynload/_ctypes.so"]}, "3.10"),
        ({"executable": "/nowhere/bin/python3", "mapped": []}, None),
    ],
)
def test_find_version(changes: dict[str, Any], version: str | None) -> None:
    assert python_packages.find_version(facts(**changes), "") == version


def test_the_version_from_the_only_library_folder(tmp_path: Path) -> None:
    (tmp_path / "x/lib/python3.9").mkdir(parents=True)
    assert python_packages.find_version(facts(executable="/x/bin/python3"), str(tmp_path)) == "3.9"


def test_search_path_of_a_system_interpreter() -> None:
    environ = {"PYTHONPATH": "lib::/abs", "HOME": "/home/ada", "PATH": "/nowhere"}
    mapped = ["/opt/conda/lib/python3.11/site-packages/numpy/core/x.so"]
    assert python_packages.search_path(facts(environ=environ, mapped=mapped, cwd="/here")) == [
        "/here/lib",
        "/abs",
        "/home/ada/.local/lib/python3.11/site-packages",
        "/usr/lib/python3.11/site-packages",
        "/usr/lib64/python3.11/site-packages",
        "/usr/local/lib/python3.11/dist-packages",
        "/usr/lib/python3/dist-packages",
        "/opt/conda/lib/python3.11/site-packages",
    ]


@pytest.mark.parametrize(("system", "count"), [("false", 4), ("true", 9), ("TRUE", 9)])
def test_search_path_of_a_virtual_environment(tmp_path: Path, system: str, count: int) -> None:
    (tmp_path / "venv/bin").mkdir(parents=True)
    (tmp_path / "venv/bin/python").touch()
    (tmp_path / "venv/pyvenv.cfg").write_text(f"home = /usr/bin\ninclude-system-site-packages = {system}\n")
    seen = facts(command="venv/bin/python", cwd="/", environ={"HOME": "/home/ada"})
    path = python_packages.search_path(seen, str(tmp_path))
    assert path[0] == "/venv/lib/python3.11/site-packages" and len(path) == count


def test_no_user_site(tmp_path: Path) -> None:
    environ = {"HOME": "/home/ada", "PYTHONNOUSERSITE": "1", "PATH": ""}
    assert not any("ada" in folder for folder in python_packages.search_path(facts(environ=environ)))


def test_python_home_moves_the_prefix() -> None:
    assert "/opt/py/lib/python3.11/site-packages" in python_packages.search_path(
        facts(environ={"PYTHONHOME": "/opt/py"})
    )


def test_path_files(tmp_path: Path) -> None:
    (tmp_path / "a.pth").write_text("/src/model\n# comment\nimport evil; evil.run()\n\n../other\n")
    (tmp_path / "b.txt").write_text("/no\n")
    assert list(python_packages.path_files(str(tmp_path), "")) == ["/src/model", str(tmp_path.parent / "other")]


def test_list_packages(tmp_path: Path) -> None:
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
    for name in (
        "numpy-2.1.0.dist-info",
        "ruamel.yaml-0.18.dist-info",
        "Foo_Bar-1.0+local.1.dist-info",
        "odd-1.0-py3.11.egg-info",
    ):
        (tmp_path / "first" / name).mkdir()
    (tmp_path / "first" / "numpy").mkdir()
    (tmp_path / "second" / "numpy-1.0.dist-info").mkdir()
    (tmp_path / "second" / "model.egg-info").mkdir()
    (tmp_path / "second" / "model.egg-info" / "PKG-INFO").write_text("Name: model\nVersion: 0.3\n\nVersion: 9\n")
    (tmp_path / "second" / "plain.egg-info").write_text("Metadata-Version: 1.0\nVersion: 7\n")
    (tmp_path / "second" / "bare.egg-info").mkdir()
    assert python_packages.list_packages([str(tmp_path / "first"), str(tmp_path / "second"), "/nowhere"]) == {
        "numpy": "2.1.0",
        "ruamel-yaml": "0.18",
        "foo-bar": "1.0+local.1",
        "odd": "1.0",
        "model": "0.3",
        "plain": "7",
        "bare": "unknown",
    }


def test_many_packages_are_bounded(tmp_path: Path) -> None:
    site = tmp_path / "lib/python3.11/site-packages"
    site.mkdir(parents=True)
    for number in range(python_packages.MOST_PACKAGES + 1):
        (site / f"p{number}-1.dist-info").touch()
    found = python_packages.describe(facts(executable="/bin/python3.11"), str(tmp_path))
    assert len(found["packages"]) == python_packages.MOST_PACKAGES and "5001 packages" in found["reason"]


@given(st.text())
def test_parse_settings_takes_any_text(text: str) -> None:
    json.dumps(python_packages.parse_settings(text))


def describe(pid: int) -> dict[str, Any]:
    executable = os.readlink(f"/proc/{pid}/exe")
    return python_packages.describe(python_packages.evidence(pid, executable, libraries.snapshot(pid)))


def normal(name: str) -> str:
    return re.sub(r"[-_.]+", "-", name).lower()


def test_this_interpreter() -> None:
    with waiting(sys.executable, "-c", WAIT) as pid:
        found = describe(pid)
    installed = {normal(item.metadata["Name"]): item.version for item in importlib.metadata.distributions()}
    known = dict(found["packages"])
    assert known.items() >= installed.items() or {"pytest", "psutil"} <= known.keys()
    assert known["pytest"] == installed["pytest"]
    assert found["version"] == f"{sys.version_info.major}.{sys.version_info.minor}"
    assert found["executable"] == sys.executable


@pytest.fixture(scope="module")
def venv(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("venv dir") / "env"
    subprocess.run([sys.executable, "-m", "venv", "--without-pip", folder], check=True)
    version = f"python{sys.version_info.major}.{sys.version_info.minor}"
    site = folder / "lib" / version / "site-packages"
    (site / "only_here-1.2.3.dist-info").mkdir()
    source = folder / "src"
    (source / "editable.egg-info").mkdir(parents=True)
    (source / "editable.egg-info" / "PKG-INFO").write_text("Version: 0.1\n")
    (site / "editable.pth").write_text(f"{source}\n")
    return folder


@pytest.mark.parametrize("by", ["path", "search", "relative"])
def test_a_real_virtual_environment(venv: Path, by: str, monkeypatch: pytest.MonkeyPatch) -> None:
    command = {"path": f"{venv}/bin/python", "search": "python", "relative": "bin/python"}[by]
    monkeypatch.setenv("PATH", f"{venv}/bin:{os.environ['PATH']}")
    monkeypatch.chdir(venv)
    with waiting(command, "-c", WAIT) as pid:
        found = describe(pid)
    assert found["packages"] == [["editable", "0.1"], ["only-here", "1.2.3"]]
    assert found["executable"] == f"{venv}/bin/python"


def test_python_path_of_the_process(venv: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "extra-4.dist-info").mkdir()
    monkeypatch.setenv("PYTHONPATH", str(tmp_path))
    with waiting(f"{venv}/bin/python", "-c", WAIT) as pid:
        found = describe(pid)
    assert ["extra", "4"] in found["packages"] and found["path"][0] == str(tmp_path)
