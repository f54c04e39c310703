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


@pytest.mark.parametrize("file", [None, *INSTALLED])
def test_tests_of_clusters_use_what_is_there_now(file: str | None, tmp_path: Path) -> None:
    """The wheel in their virtual environment is made again when a file that it holds is newer."""
    require("git", shutil.which("git") and (ROOT / ".git").exists())
    stamp = tmp_path / "venv-cluster/.installed"
    stamp.parent.mkdir()
    stamp.touch()
    changed = [] if file is None else [f"--what-if={file}"]
    done = subprocess.run(
        ["make", "--question", f"VENV={tmp_path}/venv", *changed, stamp], cwd=ROOT, capture_output=True, text=True
    )
    assert done.returncode == (0 if file is None else 1), done.stderr
