"""`--audit python` in whole runs: the user's own code in the record, and the program none the wiser."""

from __future__ import annotations

import hashlib
import sys
import zipfile
from pathlib import Path
from typing import Any

import pytest

from tests.agent.conftest import Site

from .whole import compare

LOOK = """
import os, sys, model.flow
sys.path.append("more.zip")
import more
print(sys.path, sys.argv, sorted(name for name in sys.modules if "site" in name))
print({name: value for name, value in os.environ.items() if name != "HPCPROV_RUN"})
"""


def fill(directory: Path) -> None:
    (directory / "solve.py").write_text(LOOK)
    (directory / "model").mkdir()
    (directory / "model" / "flow.py").write_text("speed = 1")
    with zipfile.ZipFile(directory / "more.zip", "w") as archive:
        archive.writestr(zipfile.ZipInfo("more.py"), "x = 1")


def code(site: Site, record: dict[str, Any]) -> dict[str, str]:
    """The digests of the user's own code in the site's directory."""
    top = str(site.cwd) + "/"
    rows = record["observation"]["code"]
    assert not [row for row in rows if "sitecustomize" in row["path"]]
    return {row["path"].removeprefix(top): row["sha256"] for row in rows if row["path"].startswith(top)}


def digests(site: Site, *names: str) -> dict[str, str]:
    return {name: hashlib.sha256((site.cwd / name).read_bytes()).hexdigest() for name in names}


WAYS = {"option": (["--audit", "python"], {}), "variable": ([], {"HPCPROV_PYTHON_AUDIT": "on"})}


@pytest.mark.parametrize("observe", ["preload", "notify"])
@pytest.mark.parametrize("way", WAYS)
def test_the_record_names_script_modules_and_archives(site: Site, way: str, observe: str) -> None:
    words, env = WAYS[way]
    env = env | {"PYTHONPATH": "/nowhere"}
    record = compare(site, [sys.executable, "solve.py"], options=[*words, "--observe", observe], env=env, make=fill)
    assert code(site, record) == digests(site, "solve.py", "model/flow.py", "more.zip")
    assert not [one for one in record["problems"] if "notification" not in one["text"]]


def test_a_configuration_turns_it_on_and_an_option_off(site: Site, tmp_path: Path) -> None:
    (tmp_path / "site.conf").write_text("audit = python\n")
    env = {"HPCPROV_CONFIG": str(tmp_path / "site.conf")}
    record = compare(site, [sys.executable, "solve.py"], env=env, make=fill)
    assert "more.zip" in code(site, record)
    record = compare(site, [sys.executable, "solve.py"], env=env, options=["--audit", "off"], make=fill)
    assert "more.zip" not in code(site, record)


def test_a_module_that_is_changed_by_its_run_has_no_digest(site: Site) -> None:
    def make(directory: Path) -> None:
        (directory / "solve.py").write_text("import step\nopen('step.py', 'w').write('later = True')\n")
        (directory / "step.py").write_text("x = 1")

    record = compare(site, [sys.executable, "solve.py"], options=["--audit", "python"], make=make)
    assert code(site, record)["solve.py"] == digests(site, "solve.py")["solve.py"]
    assert code(site, record).get("step.py") is None
