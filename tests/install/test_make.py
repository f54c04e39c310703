"""What `make` installs again when a file has changed. Nothing is installed here."""

from __future__ import annotations

import shutil
import subprocess
from pathlib import Path

import pytest

from tests.require import require

ROOT = Path(__file__).parents[2]
INSTALLED = [
    "hpcprov/cli.py",
    "hpcprov/launcher/run.c",
    "pyproject.toml",
    "workflows/shell/bash",
    "workflows/snakemake_logger_plugin_hpcprov/__init__.py",
    "workflows/wrapper/wrapper.py",
]


def is_up_to_date(stamp: Path, venv: Path, changed: str | None) -> bool:
    words = [] if changed is None else [f"--what-if={changed}"]
    done = subprocess.run(
        ["make", "--question", f"VENV={venv}", *words, stamp], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode in (0, 1), done.stderr
    return done.returncode == 0


@pytest.mark.parametrize("file", [None, *INSTALLED])
def test_tests_of_clusters_use_what_is_there_now(file: str | None, tmp_path: Path) -> None:
    """The wheel in their virtual environment is made again when a file that it holds is newer."""
    require("git", shutil.which("git") and (ROOT / ".git").exists())
    stamp = tmp_path / "venv-cluster/.installed"
    stamp.parent.mkdir()
    stamp.touch()
    assert is_up_to_date(stamp, tmp_path / "venv", file) is (file is None)


@pytest.mark.parametrize("file", [None, "run.c", "launcher.h", "observe/opens.c", "notify/serve.c", "CMakeLists.txt"])
def test_the_demo_uses_the_launcher_as_it_is_now(file: str | None, tmp_path: Path) -> None:
    """What is compiled is compiled again when a source of it is newer, although the installation is an editable one."""
    venv = tmp_path / "venv"
    (venv / "bin").mkdir(parents=True)
    (venv / "bin/python").touch()
    (venv / ".demo").touch()
    changed = None if file is None else f"hpcprov/launcher/{file}"
    assert is_up_to_date(venv / ".demo", venv, changed) is (file is None)
